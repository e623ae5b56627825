"""Doing the next thing while this one is worked on: an iterator in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 24
"""Items made before they are needed."""


class _Reraised:
    """An error of the decoding thread, on its way to the thread that waits for frames."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def run_ahead(frames: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """The same frames, decoded in a thread of their own while the network works.

    Yields:
        an iterator; errors of the decoder come out of it where they happened.
    """
    ready: queue.Queue[Item | _Reraised | None] = queue.Queue(maxsize=AHEAD)
    stop = threading.Event()

    def put(item: Item | _Reraised | None) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def decode() -> None:
        try:
            for frame in frames:
                if not put(frame):
                    return
            put(None)
        except BaseException as error:  # goes on in the thread that waits
            put(_Reraised(error))

    def arrived() -> Iterator[Item]:
        while (item := ready.get()) is not None:
            if isinstance(item, _Reraised):
                raise item.error
            yield item

    thread = threading.Thread(target=decode, name="decode", daemon=True)
    thread.start()
    try:
        yield arrived()
    finally:
        stop.set()
        thread.join()
