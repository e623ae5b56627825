"""Frames in, people out, in display pixels: framing, estimation and tracking of one video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.blend import Blend
from vid2kp.pose.choose import Choice, choose_infant
from vid2kp.pose.company import Company, Sightings, look_closer
from vid2kp.pose.direction import TURNS, Direction
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.find import Finder, Picture, Still, same_view, sample_still
from vid2kp.pose.framing import View
from vid2kp.pose.oks import most_alike
from vid2kp.pose.people import People
from vid2kp.pose.sight import Sight, overlap, worth
from vid2kp.pose.track import Tracked, Tracker
from vid2kp.pose.zoom import Zoom, ZoomOptions

_SIGHT = 0.25
"""Of people with equal scores as an infant, the one that the network sees better by four times the
difference is looked at closely."""

_FORESEEN_PIXELS = 16 * 2560 * 1440
"""A chunk of more than that is not decoded before the one before it is done."""


@dataclass(frozen=True, eq=False)
class Seen(Generic[Picture]):
    """One frame and who was seen in it.

    Attributes:
        frame: as it came.
        tracked: the people of the view, in display pixels.
        view: what part of the frame the network looked at.
    """

    frame: Picture
    tracked: Tracked
    view: View


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

    Whatever it decides, it decides between chunks of a fixed number of frames.

    Args:
        estimator: the network.
        sampler: makes network inputs of frames: `sample_decoded` or `sample_still`.
        zoom: whether to crop to the infant.
        rotation: counter-clockwise degrees by which to turn pictures; None for what puts the
            infant's head up.
        options: how the crop behaves.

    Attributes:
        tracker: identities and their statistics.
        zoom: the view; ``zoom.moves`` counts the changes of the crop.
        direction: which way up; ``direction.moves`` counts its changes.
    """

    def __init__(
        self,
        estimator: Estimator,
        sampler: Callable[[Picture, View], NDArray[np.uint8] | None],
        *,
        zoom: bool = True,
        rotation: int | None = None,
        options: ZoomOptions | None = None,
    ) -> None:
        self._find = Finder(estimator, sampler)
        self.tracker = Tracker(estimator.skeleton)
        self.zoom = Zoom(estimator.card.input_size, options)
        self.direction = Direction(estimator.skeleton, fixed=rotation)
        self.zoom.rotation = self.direction.rotation
        self._company = Company(estimator.skeleton)
        self._blend = Blend()
        self._zooming = zoom
        self._size: tuple[int, int] | None = None
        self._chunks = 0
        self._search_again, self._turn_again = False, not self.direction.is_fixed
        self._before: Seen[Picture] | None = None

    def watch(self, frames: Iterable[Picture]) -> Iterator[Seen[Picture]]:
        """Everybody in every frame, in the order of the frames."""
        source = iter(frames)
        chunk = self._next_chunk(source)
        while chunk:
            following = self._foresee(source, chunk)
            people = self._look(chunk)
            seen = [
                Seen(frame, self.tracker.update(frame.index, frame.time, found), view)
                for frame, found, view in zip(chunk, people, self._views(chunk), strict=True)
            ]
            infant = self._choice().infant
            given = self._blended(seen, infant)
            self._follow(seen, infant)
            if self._zooming:
                self._glance(seen, infant)
            self._before = given[-1]
            self._chunks += 1
            yield from given
            chunk = self._next_chunk(source) if following is None else following

    def _next_chunk(self, source: Iterator[Picture]) -> list[Picture]:
        return list(islice(source, self.zoom.options.chunk))

    def _foresee(self, source: Iterator[Picture], chunk: list[Picture]) -> list[Picture] | None:
        """The next chunk, whose frames the network sees meanwhile as it sees this one's.

        If that turns out not to be the view, they are looked at again. None if that is not worth
        its cost: the view is about to change or has just changed, as it will again if the infant is
        carried along, or frames are so large that few fit into memory.
        """
        unsettled = self._zooming and (self.zoom.box is None or self._search_again)
        if unsettled or self._turn_again or self._has_moved(chunk[0]):
            return None
        if len(chunk) * chunk[0].width * chunk[0].height > _FORESEEN_PIXELS:
            return None
        self._find.begin(chunk, self._views(chunk))
        following = self._next_chunk(source)
        if following:
            self._find.begin(following, self._views(following))
        return following

    def _has_moved(self, frame: Picture) -> bool:
        """Whether the frame has another size than the one before, or is seen otherwise."""
        if (frame.width, frame.height) != self._size or self._before is None:
            return True
        return not same_view(self._before.view, self._views([frame])[0])

    def choice(self) -> Choice:
        """Who is the infant, from what was seen so far."""
        choice = self._choice()
        if not choice.people:
            return choice
        return choice.with_rivals(self._company.rivals(choice.people[0]))

    def company(self) -> Sightings:
        """Who else was there, out of the view, under the numbers that the choice uses."""
        return self._company.sightings()

    def _choice(self) -> Choice:
        """Who of those followed closely is the infant."""
        return choose_infant(self.tracker.statistics, frames=self.tracker.frames)

    # -----------------------------------------------------------------------------------------
    # Where to look

    def _look(self, chunk: Sequence[Picture]) -> list[People]:
        """The people of each frame; starts with a search when there is no crop yet."""
        size = (chunk[-1].width, chunk[-1].height)
        if size != self._size:
            self._size, self._before = size, None
            self._blend.forget()
            self.zoom.forget()
        probe = chunk[:: self.zoom.options.probe]
        if not self._zooming:
            if self._turn_again:
                self._turn(probe)
            return self._find(chunk, self._views(chunk))
        if self.zoom.box is None or self._search_again:
            return self._search(chunk)
        if self._turn_again:
            self._turn(probe)
        people = self._find(chunk, self._views(chunk))
        empty = sum(len(found) == 0 for found in people)
        if empty < self.zoom.options.lost * len(chunk):
            return people
        return self._search(chunk)

    def _search(self, chunk: Sequence[Picture]) -> list[People]:
        """Search some whole frames; if somebody is there, look at all of the chunk closely."""
        self._search_again = False
        self.zoom.forget()
        probe = chunk[:: self.zoom.options.probe]
        found = self._search_whole(probe)
        if found is None:
            self._find.forget()
            return [People.none(len(self._find.skeleton)) for _ in chunk]
        self._approach(probe, found)
        if self._turn_again:
            self._turn(probe)
        return self._find(chunk, self._views(chunk))

    def _search_whole(self, probe: Sequence[Picture]) -> list[Sight] | None:
        """The likeliest infant in whole frames, as large as it is seen best; None for nobody.

        Pictures are turned further only if nobody is found: the network knows every direction.
        """
        for turn in self._turns_to_search():
            self.zoom.rotation = turn
            sizes = [self.zoom.search_views(f.width, f.height) for f in probe]
            sights = [self._likeliest(probe, views) for views in zip(*sizes, strict=True)]
            best = max(sights, key=lambda sight: sight[0])
            if best[1]:
                self._turn_again |= turn != self.direction.rotation
                return best[1]
        self.zoom.rotation = self.direction.rotation
        return None

    def _turns_to_search(self) -> list[int]:
        """All four at first; later the one in use and another one, not to search for ever."""
        now = self.direction.rotation
        others = [] if self.direction.is_fixed else [turn for turn in TURNS if turn != now]
        if others and self._chunks:
            others = [others[self._chunks % len(others)]]
        return [now, *others]

    def _approach(self, probe: Sequence[Picture], sights: list[Sight]) -> None:
        """Crop to whoever was found, again and again, unless the network sees less there."""
        width, height = probe[-1].width, probe[-1].height
        self.zoom.move_to(((width - 1) / 2, (height - 1) / 2, float(max(width, height))))
        _, now = self._likeliest(probe, self._views(probe), near=sights)
        for _ in range(self.zoom.options.refine):
            place = self.zoom.place
            if not self.zoom.follow(np.stack([sight.keypoints for sight in sights])):
                return
            _, closer = self._likeliest(probe, self._views(probe), near=sights)
            if closer and worth(closer) >= self.zoom.options.keep * worth(now):
                now = closer
            else:
                self.zoom.refuse(place)
            if not now:
                return
            sights = now

    def _turn(self, probe: Sequence[Picture]) -> None:
        """Look at some frames in all four directions, and keep the best."""
        self._turn_again = False
        votes = []
        for turn in TURNS:
            self.zoom.rotation = turn
            _, sights = self._likeliest(probe, self._views(probe))
            votes += [(turn, sight.keypoints, sight.score) for sight in sights]
        self.direction.lock(votes)
        self.zoom.rotation = self.direction.rotation

    def _likeliest(
        self,
        frames: Sequence[Picture],
        views: Sequence[View],
        near: Sequence[Sight] = (),
    ) -> tuple[float, list[Sight]]:
        """The likeliest infant of some frames, by the score by which the infant is chosen.

        Args:
            frames: in the order of time.
            views: one each.
            near: sights of who is looked for; the person who lies there is taken. Without, the
                one with the best score.

        Returns:
            How likely an infant it is, and how well seen; its sights.
        """
        tracker = Tracker(self._find.skeleton)
        seen: dict[int, list[Sight]] = {}
        for frame, people in zip(frames, self._find(frames, views), strict=True):
            tracked = tracker.update(frame.index, frame.time, people)
            for i, identity in enumerate(tracked.identities):
                sight = Sight(tracked.people.keypoints[i], float(tracked.people.score[i]))
                seen.setdefault(identity, []).append(sight)
        ranked = [
            (person.score, [sight for i in person.identities for sight in seen[i]])
            for person in choose_infant(tracker.statistics, frames=len(frames)).people
        ]
        if near:
            ranked = [one for one in ranked if overlap(one[1], near)]
        if not ranked:
            return 0.0, []
        return max(
            ((score + _SIGHT * worth(sights) / len(frames), sights) for score, sights in ranked),
            key=lambda one: one[0],
        )

    # -----------------------------------------------------------------------------------------
    # Between chunks

    def _blended(self, seen: list[Seen[Picture]], infant: frozenset[int]) -> list[Seen[Picture]]:
        """The frames of a chunk with the infant going on from where it was in another view."""
        before = self._before
        if before is not None and not same_view(before.view, seen[0].view):
            self._take_over(before, seen[0].view, infant)
        return [replace(one, tracked=self._settled(one)) for one in seen]

    def _take_over(self, before: Seen[Picture], view: View, infant: frozenset[int]) -> None:
        """Looks at the frame before a change of the view once more, through the new one."""
        shown = _pose_of(before, infant)
        if shown is None:
            self._blend.forget()
            return
        (again,) = self._find([before.frame], [view])
        identity, (pose, _) = shown
        self._blend.change(identity, pose, most_alike(pose, again.keypoints), before.frame.time)

    def _settled(self, one: Seen[Picture]) -> Tracked:
        people, identities = one.tracked.people, one.tracked.identities
        moved = people.keypoints.copy()
        for place, identity in enumerate(identities):
            moved[place] = self._blend(identity, moved[place], one.frame.time)
        known = np.where(np.isnan(moved[..., 0]), np.float32(np.nan), people.confidence)
        left = np.flatnonzero(np.isfinite(known).any(axis=1))
        settled = People(moved, known, people.score)[left]
        return Tracked(settled, tuple(identities[i] for i in left))

    def _follow(self, seen: Sequence[Seen[Picture]], infant: frozenset[int]) -> None:
        """Move the crop, or doubt the direction, for the chunk to come."""
        poses = [pose[1] for one in seen if (pose := _pose_of(one, infant)) is not None]
        if self._zooming and not poses:
            self._search_again = True  # others are in view: the infant may come back elsewhere
        elif self._zooming and not self._search_again:
            self.zoom.follow(np.stack([pose.keypoints for pose in poses]))
        if self.direction.is_doubtful((pose.keypoints, pose.score) for pose in poses):
            self._turn_again = True

    def _glance(self, seen: Sequence[Seen[Picture]], infant: frozenset[int]) -> None:
        """Now and then, look who else is in the whole frame."""
        if self._chunks % self._company.options.every or self.zoom.box is None:
            return
        one = seen[len(seen) // 2]
        frame, tracked = one.frame, one.tracked
        own = tracked.people[[i for i, who in enumerate(tracked.identities) if who in infant][:1]]
        view = self.zoom.whole_view(frame.width, frame.height, self._company.scale)
        (people,) = self._find([frame], [view])
        people = look_closer(self._find, self.zoom, frame, people, own)
        followed = own.keypoints[0] if len(own) else None
        in_view = tracked.people.keypoints
        if self._company.glance(frame.index, frame.time, people, followed, in_view):
            self._search_again = True

    # -----------------------------------------------------------------------------------------
    # What the network sees

    def _views(self, frames: Sequence[Picture]) -> list[View]:
        return [self.zoom.view(frame.width, frame.height) for frame in frames]


def _pose_of(one: Seen[Picture], infant: frozenset[int]) -> tuple[int, Sight] | None:
    """Identity and sight of the infant in a frame; None where it is not seen."""
    for place, identity in enumerate(one.tracked.identities):
        if identity in infant:
            people = one.tracked.people
            return identity, Sight(people.keypoints[place], float(people.score[place]))
    return None
