"""Frames in, people out, in display pixels: framing, estimation and tracking of one video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.choose import Choice, choose_infant
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.framing import FrameLike, View, keypoints_to_display, sample, sample_image
from vid2kp.pose.people import People
from vid2kp.pose.track import Tracked, Tracker
from vid2kp.pose.zoom import Zoom, ZoomOptions


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


@dataclass(frozen=True, eq=False)
class Seen(Generic[Picture]):
    """One frame, who was seen in it, and what part of it the network looked at."""

    frame: Picture
    tracked: Tracked
    view: View


def sample_decoded(frame: FrameLike, view: View) -> NDArray[np.uint8] | None:
    """A decoded frame as a network input; None where its picture is lost."""
    return None if frame.planes is None else sample(frame, view)


def sample_still(still: Still, view: View) -> NDArray[np.uint8]:
    """A single picture as a network input."""
    return sample_image(still.image, view)


def look_at_picture(estimator: Estimator, image: NDArray[np.uint8], *, zoom: bool = True) -> People:
    """Everybody in one picture, looked at a second time from near where somebody was found.

    Args:
        estimator: the network.
        image: (H, W, 3) uint8 RGB.
        zoom: whether to look a second time.

    Returns:
        The people in pixels of the picture, the best first.
    """
    watcher = Watcher(estimator, sample_still, zoom=zoom)
    (seen,) = watcher.watch([Still(image)])
    return seen.tracked.people


class Watcher(Generic[Picture]):
    """Watches one video: finds people, gives them identities, keeps the view on the infant.

    Args:
        estimator: the network.
        sampler: makes network inputs of frames: `sample_decoded` or `sample_still`.
        zoom: whether to crop to the infant.
        options: how the crop behaves.

    Attributes:
        tracker: identities and their statistics.
        zoom: the view; ``zoom.moves`` counts its changes.
    """

    def __init__(
        self,
        estimator: Estimator,
        sampler: Callable[[Picture, View], NDArray[np.uint8] | None],
        *,
        zoom: bool = True,
        options: ZoomOptions | None = None,
    ) -> None:
        self.estimator = estimator
        self._sampler = sampler
        self.tracker = Tracker(estimator.skeleton)
        self.zoom = Zoom(estimator.card.input_size, options)
        self._zooming = zoom
        self._size: tuple[int, int] | None = None

    def watch(self, frames: Iterable[Picture]) -> Iterator[Seen[Picture]]:
        """Everybody in every frame, in the order of the frames."""
        source = iter(frames)
        while chunk := list(islice(source, self.zoom.options.chunk)):
            people = self._look(chunk)
            seen = [
                Seen(frame, self.tracker.update(frame.index, frame.time, found), view)
                for frame, found, view in zip(chunk, people, self._views(chunk), strict=True)
            ]
            if self._zooming:
                self._follow(seen)
            yield from seen

    def choice(self) -> Choice:
        """Who is the infant, from what was seen so far."""
        return choose_infant(self.tracker.statistics, frames=self.tracker.frames)

    def _look(self, chunk: Sequence[Picture]) -> list[People]:
        """The people of each frame; starts with a search when there is no crop yet."""
        size = (chunk[-1].width, chunk[-1].height)
        if size != self._size:
            self._size = size
            self.zoom.forget()
        if not self._zooming:
            return self._find(chunk, self._views(chunk))
        if self.zoom.box is None:
            return self._search(chunk)
        people = self._find(chunk, self._views(chunk))
        empty = sum(len(found) == 0 for found in people)
        if empty < self.zoom.options.lost * len(chunk):
            return people
        self.zoom.forget()
        return self._search(chunk)

    def _search(self, chunk: Sequence[Picture]) -> list[People]:
        """Search some whole frames; if somebody is there, look at all of the chunk closely."""
        probe = chunk[:: self.zoom.options.probe]
        sizes = [self.zoom.search_views(f.width, f.height) for f in probe]
        searched = [self._find(probe, views) for views in zip(*sizes, strict=True)]
        people = max(searched, key=_total_worth)
        if not any(map(len, people)):
            return [People.none(len(self.estimator.skeleton)) for _ in chunk]
        self._approach(probe, people)
        return self._find(chunk, self._views(chunk))

    def _approach(self, probe: Sequence[Picture], people: Sequence[People]) -> None:
        """Crop to whoever was found, again and again, unless the network sees less there."""
        width, height = probe[-1].width, probe[-1].height
        place = ((width - 1) / 2, (height - 1) / 2, float(max(width, height)))
        self.zoom.move_to(place)
        for _ in range(self.zoom.options.refine):
            best = [found.keypoints[_largest(found)] for found in people if len(found)]
            if not best or not self.zoom.follow(np.stack(best)):
                return
            closer = self._find(probe, self._views(probe))
            if _total_worth(closer) < self.zoom.options.keep * _total_worth(people):
                self.zoom.move_to(place)
                return
            people, place = closer, self.zoom.place or place

    def _views(self, frames: Sequence[Picture]) -> list[View]:
        return [self.zoom.view(frame.width, frame.height) for frame in frames]

    def _follow(self, seen: Sequence[Seen[Picture]]) -> None:
        """Move the crop, if it must, for the chunk to come."""
        infant = self.choice().infant
        poses = [
            one.tracked.people.keypoints[place]
            for one in seen
            for place, identity in enumerate(one.tracked.identities)
            if identity in infant
        ]
        if poses:
            self.zoom.follow(np.stack(poses))

    def _find(self, frames: Sequence[Picture], views: Sequence[View]) -> list[People]:
        """The people of each frame in display pixels; nobody where a picture is lost."""
        people = [People.none(len(self.estimator.skeleton)) for _ in frames]
        inputs = [self._sampler(f, v) for f, v in zip(frames, views, strict=True)]
        for same in _by_size(inputs):
            batch = np.stack([picture for i in same if (picture := inputs[i]) is not None])
            for i, found in zip(same, self.estimator.find(batch), strict=True):
                moved = keypoints_to_display(views[i], found.keypoints).astype(np.float32)
                people[i] = People(moved, found.confidence, found.score)
        return people


def _by_size(inputs: Sequence[NDArray[np.uint8] | None]) -> Iterator[list[int]]:
    """Places of the inputs of one size, together; none of lost pictures."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for i, picture in enumerate(inputs):
        if picture is not None:
            sizes.setdefault(picture.shape, []).append(i)
    yield from sizes.values()


def _largest(people: People) -> int:
    """The person with the largest product of size and completeness."""
    low, high = np.nanmin(people.keypoints, 1), np.nanmax(people.keypoints, 1)
    return int(np.argmax((high - low).max(1) * people.score))


def _total_worth(people: Sequence[People]) -> float:
    """Sum over frames of the best person's score."""
    return sum(float(found.score.max()) for found in people if len(found))
