"""Parts side by side: order, errors, and what PyTorch is told."""

from __future__ import annotations

import threading

import pytest
import torch

from vid2kp.pose.lanes import Lanes


def test_results_come_in_the_order_of_the_rows() -> None:
    assert Lanes(3).map(lambda a, b: (a, b), range(20), "abcdefghijklmnopqrst") == list(
        zip(range(20), "abcdefghijklmnopqrst", strict=True)
    )
    assert Lanes(3).map(int, []) == []


def test_parts_are_worked_on_at_once_each_on_one_thread() -> None:
    before = torch.get_num_threads()
    met = threading.Barrier(3, timeout=30)

    def work(_: int) -> int:
        met.wait()  # all three must be here
        return torch.get_num_threads()

    assert Lanes(3).map(work, range(3)) == [1, 1, 1]
    assert torch.get_num_threads() == before


def test_an_error_is_raised_when_all_are_over() -> None:
    over = []

    def work(number: int) -> None:
        if number == 0:
            raise ValueError("the first")
        over.append(number)

    with pytest.raises(ValueError, match="the first"):
        Lanes(2).map(work, range(6))
    assert sorted(over) == [1, 2, 3, 4, 5]


def test_as_many_as_pytorch_would_use() -> None:
    assert Lanes().count == torch.get_num_threads()
