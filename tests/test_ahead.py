"""Decoding ahead: the same items in the same order, and never too many of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from vid2kp.ahead import AHEAD, AHEAD_BYTES, run_ahead


@dataclass(frozen=True)
class Item:
    number: int
    bytes: int


def made(log: list[int], size: int, count: int = 100) -> Iterator[Item]:
    for number in range(count):
        log.append(number)
        yield Item(number, size)


def test_items_come_in_order_and_all() -> None:
    with run_ahead(made([], 1)) as items:
        assert [item.number for item in items] == list(range(100))


@pytest.mark.parametrize(
    ("size", "most"),
    [
        (1, AHEAD),
        (AHEAD_BYTES // 4, 4),
        (AHEAD_BYTES // 4 + 1, 3),
        (2 * AHEAD_BYTES, 1),
        (0, AHEAD),
    ],
)
def test_no_more_wait_than_memory_allows(size: int, most: int) -> None:
    log: list[int] = []
    with run_ahead(made(log, size)) as items:
        for item in items:
            if item.number in (0, 20):
                wait_until_still(log)
            # This one, those that wait, and the one that finds no room.
            assert len(log) - item.number <= most + 2
        assert len(log) == 100


def wait_until_still(log: list[int]) -> None:
    before = -1
    while before != (before := len(log)):
        time.sleep(0.02)


def test_an_error_comes_out_where_it_happened() -> None:
    def broken() -> Iterator[Item]:
        yield Item(0, 1)
        raise KeyError("decoder")

    with run_ahead(broken()) as items:
        assert next(items).number == 0
        with pytest.raises(KeyError, match="decoder"):
            next(items)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    log: list[int] = []
    with pytest.raises(ZeroDivisionError), run_ahead(made(log, AHEAD_BYTES)) as items:
        for item in items:
            _ = 1 / (2 - item.number)
    assert threading.active_count() == before
    assert len(log) < 10
