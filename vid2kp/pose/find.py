"""Pictures in, people out, in display pixels: what the network sees of frames through views."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.framing import FrameLike, View, keypoints_to_display, sample, sample_image
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import Skeleton


class Shown(Protocol):
    """What is needed of a frame; `vid2kp.video.read.Frame` is one, `Still` another."""

    @property
    def index(self) -> int:
        """Decoder ordinal from 0."""

    @property
    def time(self) -> float:
        """Seconds since the first frame."""

    @property
    def width(self) -> int:
        """Display pixels."""

    @property
    def height(self) -> int:
        """Display pixels."""


Picture = TypeVar("Picture", bound=Shown)

_AHEAD: Final = 2
"""What was begun for the last so many requests is kept: the next one, and the one after it."""


@dataclass(frozen=True, eq=False)
class Still:
    """A single picture: ``image`` is (height, width, 3) uint8 RGB."""

    image: NDArray[np.uint8]
    index: int = 0
    time: float = 0.0

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])


def sample_decoded(frame: FrameLike, view: View) -> NDArray[np.uint8] | None:
    """A decoded frame as a network input; None where its picture is lost."""
    return None if frame.planes is None else sample(frame, view)


def sample_still(still: Still, view: View) -> NDArray[np.uint8]:
    """A single picture as a network input."""
    return sample_image(still.image, view)


class Finder(Generic[Picture]):
    """The network looking at pictures; it can begin with those that will probably be asked for.

    Args:
        estimator: the network.
        sampler: makes network inputs of pictures: `sample_decoded` or `sample_still`.
    """

    def __init__(
        self,
        estimator: Estimator,
        sampler: Callable[[Picture, View], NDArray[np.uint8] | None],
    ) -> None:
        self.estimator = estimator
        self._sampler = sampler
        # The next pictures are sampled while the network still looks at the ones before.
        self._threads = ThreadPoolExecutor(_AHEAD, thread_name_prefix="foresight")
        self._begun: deque[_Begun[Picture]] = deque()

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set of the network."""
        return self.estimator.skeleton

    def begin(self, frames: Sequence[Picture], views: Sequence[View]) -> None:
        """Start with what will probably be asked for next, and return at once.

        What was begun of the same frames goes on if the views are the same, else it is begun anew.
        """
        begun = self._taken(frames, views)
        if begun is None:
            while len(self._begun) >= _AHEAD:
                self._begun.popleft().called_off.set()
            called_off = threading.Event()
            people = self._threads.submit(self._find, frames, views, called_off)
            begun = _Begun(frames, views, people, called_off)
        self._begun.append(begun)

    def forget(self) -> None:
        """Nothing that was begun will be asked for."""
        while self._begun:
            self._begun.pop().called_off.set()

    def __call__(self, frames: Sequence[Picture], views: Sequence[View]) -> list[People]:
        """The people of each frame in display pixels; nobody where a picture is lost."""
        begun = self._taken(frames, views)
        return self._find(frames, views) if begun is None else begun.people.result()

    def _taken(self, frames: Sequence[Picture], views: Sequence[View]) -> _Begun[Picture] | None:
        """What was begun of these frames, which is called off if it was through other views."""
        begun = next((one for one in self._begun if one.frames is frames), None)
        if begun is not None:
            self._begun.remove(begun)
            if not all(map(same_view, begun.views, views)):
                begun.called_off.set()
                return None
        return begun

    def _find(
        self,
        frames: Sequence[Picture],
        views: Sequence[View],
        called_off: threading.Event | None = None,
    ) -> list[People]:
        def sampled(frame: Picture, view: View) -> NDArray[np.uint8] | None:
            if called_off is not None and called_off.is_set():
                raise CancelledError
            return self._sampler(frame, view)

        people = [People.none(len(self.skeleton)) for _ in frames]
        inputs = self.estimator.lanes.map(sampled, frames, views)
        for same in _by_size(inputs):
            batch = np.stack([picture for i in same if (picture := inputs[i]) is not None])
            for i, found in zip(
                same, self.estimator.find(batch, called_off=called_off), strict=True
            ):
                moved = keypoints_to_display(views[i], found.keypoints).astype(np.float32)
                people[i] = People(moved, found.confidence, found.score)
        return people


@dataclass(frozen=True, eq=False)
class _Begun(Generic[Picture]):
    """What was begun before it was asked for."""

    frames: Sequence[Picture]
    views: Sequence[View]
    people: Future[list[People]]
    called_off: threading.Event


def same_view(one: View, other: View) -> bool:
    """Whether both show the same part of a frame in the same way."""
    size = (one.width, one.height) == (other.width, other.height)
    return size and np.array_equal(one.network_from_display, other.network_from_display)


def _by_size(inputs: Sequence[NDArray[np.uint8] | None]) -> Iterator[list[int]]:
    """Places of the inputs of one size, together; none of lost pictures."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for i, picture in enumerate(inputs):
        if picture is not None:
            sizes.setdefault(picture.shape, []).append(i)
    yield from sizes.values()
