"""Putting people together from peaks and the limbs that may join them.

Limbs are accepted greedily, strongest first, over the whole body: a limb joins the groups of its
two keypoints unless they hold the same keypoint twice. This is the greedy bipartite matching of
Cao et al. (section 2.3), in which every keypoint of a kind gets at most one partner, and at once
their assembly into people.

Then leftovers are given a home. One infant alone in the picture is the usual case, and a wrist
that is plain to see should not be lost because a blanket hides the forearm: what fits exactly one
person, and has no rival, belongs to that person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import hypot
from typing import NamedTuple

from vid2kp.pose.skeleton import Skeleton

_RIVAL = 0.5
"""A second peak with this share of the first one's confidence makes the choice ambiguous."""

_REACH = 0.25
"""Longest limb, as a share of the map's longer side, where no accepted limb gives the scale."""

_SLACK = 1.5
"""A hidden limb is at most this many times as long as the longest one that was accepted."""


class PeakTable(NamedTuple):
    """The n candidate keypoints of an image, column by column.

    Columns of plain numbers cost a third of what as many small objects do.

    Attributes:
        keypoint: index in the skeleton.
        x: place in cells.
        y: place in cells.
        confidence: height of the peak.
    """

    keypoint: list[int]
    x: list[float]
    y: list[float]
    confidence: list[float]


class LimbTable(NamedTuple):
    """The m candidate limbs of an image, the strongest first, column by column.

    Attributes:
        first: row of the peak at its beginning.
        second: row of the peak at its end.
        score: line integral over the limb's field.
        length: in cells.
        accepted: whether it is good enough to join its peaks.
    """

    first: list[int]
    second: list[int]
    score: list[float]
    length: list[float]
    accepted: list[bool]


@dataclass(eq=False)
class _Group:
    """Peaks of one person: keypoint index to row of the table of peaks; its longest limb."""

    members: dict[int, int]
    longest: float = 0.0

    def take(self, other: _Group) -> None:
        self.members |= other.members
        self.longest = max(self.longest, other.longest)


def assemble(
    peaks: PeakTable,
    limbs: LimbTable,
    skeleton: Skeleton,
    *,
    size: float,
    min_keypoints: int,
    lone_threshold: float,
) -> list[dict[int, int]]:
    """Groups of peaks that each belong to one person.

    Args:
        peaks: the peaks of one image.
        limbs: the candidate limbs between them.
        skeleton: the keypoint set.
        size: the map's longer side in cells.
        min_keypoints: number of keypoints from which on a group is taken for a person.
        lone_threshold: smallest confidence of a peak that joins a person without a limb.

    Returns:
        One dict per group, keypoint index to row of ``peaks``; groups of fewer than
        ``min_keypoints`` among them.
    """
    groups = _join(peaks, limbs)
    if len(groups) > 1:
        home = _Home(peaks, limbs, skeleton, size, min_keypoints, lone_threshold)
        groups = home.settle(groups)
    return [group.members for group in groups]


def _join(peaks: PeakTable, limbs: LimbTable) -> list[_Group]:
    """Groups that the accepted limbs make, the strongest limb first."""
    group_of = [_Group({keypoint: i}) for i, keypoint in enumerate(peaks.keypoint)]
    for first, second, length, accepted in zip(
        limbs.first, limbs.second, limbs.length, limbs.accepted, strict=True
    ):
        a, b = group_of[first], group_of[second]
        if not accepted or (a is not b and not a.members.keys().isdisjoint(b.members)):
            continue
        a.longest = max(a.longest, length)
        if a is not b:
            a.take(b)
            for i in b.members.values():
                group_of[i] = a
    return list({id(group): group for group in group_of}.values())


@dataclass(frozen=True, eq=False)
class _Home:
    """What is needed to find the one person to whom a leftover group belongs."""

    peaks: PeakTable
    limbs: LimbTable
    skeleton: Skeleton
    size: float
    min_keypoints: int
    lone_threshold: float

    def settle(self, groups: list[_Group]) -> list[_Group]:
        """The groups after each, strongest first, has joined its home if it has one."""
        waiting = sorted(groups, key=self._strength, reverse=True)
        settled = [waiting.pop(0)]
        while waiting:
            group = waiting.pop(0)
            bodies = [g for g in settled if self._is_body(g)] or settled[:1]
            homes = [body for body in bodies if self._fits(group, body)]
            if (
                len(homes) == 1
                and self._is_linked(group, homes[0], alone=len(bodies) == 1)
                and not self._has_rival(group, homes[0], settled + waiting)
            ):
                homes[0].take(group)
            else:
                settled.append(group)
        return settled

    def _strength(self, group: _Group) -> float:
        return sum(self.peaks.confidence[i] for i in group.members.values())

    def _is_body(self, group: _Group) -> bool:
        return len(group.members) >= self.min_keypoints

    def _fits(self, group: _Group, body: _Group) -> bool:
        """Whether the body lacks these keypoints and has limbs long enough to reach them."""
        if not group.members.keys().isdisjoint(body.members):
            return False
        if len(group.members) == 1 and self._strength(group) < self.lone_threshold:
            return False
        return all(self._in_reach(i, group, body) for i in group.members.values())

    def _in_reach(self, peak: int, group: _Group, body: _Group) -> bool:
        reach = _SLACK * max(body.longest, group.longest) or _REACH * self.size
        x, y = self.peaks.x, self.peaks.y
        steps = _steps(self.skeleton)[self.peaks.keypoint[peak]]
        return all(
            hypot(x[i] - x[peak], y[i] - y[peak]) <= steps[keypoint] * reach
            for keypoint, i in body.members.items()
        )

    def _is_linked(self, group: _Group, body: _Group, *, alone: bool) -> bool:
        """Whether a field speaks for a limb between the two, be it weakly, or none could.

        None could where the keypoints between them are hidden. A single peak needs no field
        where there is nobody else whose it could be.
        """
        if alone and len(group.members) == 1:
            return True
        ours, theirs = set(group.members.values()), set(body.members.values())
        scores = [
            score
            for first, second, score in zip(
                self.limbs.first, self.limbs.second, self.limbs.score, strict=True
            )
            if (first in ours and second in theirs) or (first in theirs and second in ours)
        ]
        return not scores or max(scores) > 0

    def _has_rival(self, group: _Group, body: _Group, others: list[_Group]) -> bool:
        """Whether another leftover could be one of these keypoints of the body just as well."""
        confidence = self.peaks.confidence
        return any(
            keypoint in group.members
            and confidence[i] > _RIVAL * confidence[group.members[keypoint]]
            and self._in_reach(i, other, body)
            for other in others
            if not self._is_body(other)
            for keypoint, i in other.members.items()
        )


@lru_cache(maxsize=16)
def _steps(skeleton: Skeleton) -> list[list[float]]:
    """Number of limbs between every two keypoints along the skeleton."""
    count = len(skeleton)
    steps = [[0.0 if i == j else float("inf") for j in range(count)] for i in range(count)]
    for a, b in skeleton.limbs:
        steps[a][b] = steps[b][a] = 1.0
    for through in range(count):
        for row in steps:
            for j, rest in enumerate(steps[through]):
                row[j] = min(row[j], row[through] + rest)
    return steps
