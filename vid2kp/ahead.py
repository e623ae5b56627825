"""Doing the next thing while this one is worked on: an iterator in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

AHEAD = 24
"""Items made before they are needed."""

AHEAD_BYTES = 96 << 20
"""Memory that they may take together; a larger one waits alone."""


class Sized(Protocol):
    """Something of which there may be too much."""

    @property
    def bytes(self) -> int:
        """Memory that it takes."""


Item = TypeVar("Item", bound=Sized)


@contextmanager
def run_ahead(frames: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """The same frames, decoded in a thread of their own while the network works.

    Yields:
        an iterator; errors of the decoder come out of it where they happened.
    """
    shelf: _Shelf[Item] = _Shelf()

    def decode() -> None:
        try:
            for frame in frames:
                if not shelf.put(frame):
                    return
            shelf.end(None)
        except BaseException as error:  # goes on in the thread that waits
            shelf.end(error)

    thread = threading.Thread(target=decode, name="decode", daemon=True)
    thread.start()
    try:
        yield shelf.items()
    finally:
        shelf.close()
        thread.join()


class _Shelf(Generic[Item]):
    """Holds a few items between the thread that makes them and the one that takes them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._ended = False
        self._error: BaseException | None = None
        self._closed = False

    def put(self, item: Item) -> bool:
        """Waits for room; False when nobody wants the item any more."""
        size = item.bytes
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(size))
            if self._closed:
                return False
            self._items.append(item)
            self._bytes += size
            self._changed.notify_all()
            return True

    def _has_room(self, size: int) -> bool:
        if not self._items:
            return True
        return len(self._items) < AHEAD and self._bytes + size <= AHEAD_BYTES

    def end(self, error: BaseException | None) -> None:
        """Says that nothing follows, but perhaps an error."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Says that nothing is wanted any more."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def items(self) -> Iterator[Item]:
        """The items in their order, each as soon as it is there."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    break
                item = self._items.popleft()
                self._bytes -= item.bytes
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error
