"""Parts of a batch side by side on a CPU, each on one thread from its first operation to its last.

PyTorch would cut every operation of a network into threads, and each of the hundred operations
waits for its slowest thread. Beside a decoder, an encoder or anybody else's program that thread is
always late, and the others burn their processor while they wait: a picture then costs up to five
times the processor time. Whole pictures on single threads wait for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


class Lanes:
    """Threads that work on parts of a batch; they end with the object.

    Args:
        count: how many; None for as many as PyTorch would use now.

    Attributes:
        count: how many parts are worked on at once.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or torch.get_num_threads()
        self._threads = ThreadPoolExecutor(
            self.count, thread_name_prefix="lane", initializer=_compute_alone
        )

    def map(self, work: Callable[..., Result], *columns: Iterable[Any]) -> list[Result]:
        """What ``work`` gives for each row of the columns, in their order.

        An error of any of them is raised once all are over.
        """
        parts = [self._threads.submit(work, *row) for row in zip(*columns, strict=True)]
        for part in parts:
            part.exception()  # waits: what the parts work on belongs to the caller
        return [part.result() for part in parts]


def _compute_alone() -> None:
    """PyTorch and its libraries count their threads for each thread that calls them."""
    torch.set_num_threads(1)
