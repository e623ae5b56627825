"""Frames in which left and right were exchanged, told by continuity.

A keypoint that jumps to where its partner of the other side was about to be, while the partner
jumps to where it was about to be, has not moved: the sides were exchanged. Where a keypoint comes
out exchanged and its neighbour on the limb not, or the reverse, or nothing can be told, the length
of the bone decides.
Continuity says where labels change over, not which of both is right; labels that stay exchanged
for long are therefore taken for right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.oks import Floats, body_size
from vid2kp.pose.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class SwapOptions:
    """How plain an exchange of sides must be.

    Attributes:
        gain: by how much nearer the exchanged keypoints must be to where they were expected, per
            keypoint and in sizes of the body.
        ratio: how many times nearer they must be.
        share: an arm pair, a leg pair, the face or the body is exchanged as a whole when this
            share of its keypoint pairs that can be told apart is.
        bone: by how much better the lengths of both bones must fit, in sizes of the body.
        doubts: frames in a row in which bones must say so against continuity.
        remember: seconds for which an expected place is good.
        hold: seconds of exchanged labels after which they are taken for right.
        fade: seconds over which an expected motion comes to rest.
    """

    gain: float = 0.06
    ratio: float = 2.0
    share: float = 0.7
    bone: float = 0.04
    doubts: int = 3
    remember: float = 0.4
    hold: float = 3.0
    fade: float = 0.1


class SwapDetector:
    """Watches one person, frame by frame in the order of time.

    Args:
        skeleton: the keypoint set.
        options: how plain an exchange must be.
    """

    def __init__(self, skeleton: Skeleton, options: SwapOptions | None = None) -> None:
        self._options = options or SwapOptions()
        self._mirror = np.array(skeleton.mirror)
        pairs = [(i, m) for i, m in enumerate(skeleton.mirror) if i < m]
        self._pairs = np.array(pairs).reshape(-1, 2)
        self._groups = _groups(skeleton, pairs)
        self._bones = _bones(skeleton, pairs)
        self._lengths = np.full(len(self._bones), np.nan)
        self._doubts = np.zeros(len(self._bones), int)
        count = len(skeleton)
        self._place = np.full((count, 2), np.nan)
        self._velocity = np.zeros((count, 2))
        self._seen = np.full(count, -np.inf)
        self._since = np.full(len(pairs), np.nan)

    def update(self, time: float, keypoints: Floats, size: float) -> NDArray[np.bool_]:
        """Which keypoints of a frame carry the name of the other side.

        Args:
            time: seconds.
            keypoints: (K, 2) in any unit, NaN = missing.
            size: of the body, in the same unit (`vid2kp.pose.oks.body_size`, steadied).

        Returns:
            (K,) bool; False for what is missing.
        """
        swapped, told = self._compare(time, keypoints, size)
        self._check_bones(swapped, told, keypoints, self._options.bone * size)
        self._since = np.where(swapped, np.fmin(self._since, time), np.nan)
        if (time - self._since > self._options.hold).any():
            # They stay as they are: from now on this is how they are called.
            swapped[time - self._since > self._options.hold] = False
            self._since[~swapped] = np.nan
        mask = np.zeros(len(self._mirror), bool)
        mask[self._pairs[swapped].ravel()] = True
        corrected = np.where(mask[:, None], keypoints[self._mirror], keypoints)
        self._follow(time, corrected)
        self._measure(corrected)
        return mask & ~np.isnan(keypoints[:, 0])

    def _compare(
        self, time: float, keypoints: Floats, size: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(pairs,) bool twice: which lie where their partners were expected; which can be told."""
        options = self._options
        since = time - self._seen
        motion = self._velocity * (options.fade * (1 - np.exp(-since / options.fade)))[:, None]
        expected = self._place + np.where(np.isfinite(motion), motion, 0.0)
        expected[since > options.remember] = np.nan
        to_own = np.linalg.norm(keypoints - expected, axis=1)
        to_other = np.linalg.norm(keypoints - expected[self._mirror], axis=1)
        known = ~np.isnan(to_own + to_other)[self._pairs]
        own = np.where(known, to_own[self._pairs], 0.0).sum(axis=1)
        other = np.where(known, to_other[self._pairs], 0.0).sum(axis=1)
        number = known.sum(axis=1)
        threshold = options.gain * size * number
        exchanged = (number > 0) & (own - other > threshold) & (own > options.ratio * other)
        kept = (number > 0) & (other - own > threshold)
        return self._as_wholes(exchanged, kept, own, other), exchanged | kept

    def _as_wholes(
        self, exchanged: NDArray[np.bool_], kept: NDArray[np.bool_], own: Floats, other: Floats
    ) -> NDArray[np.bool_]:
        """Pairs too close to tell follow the arms, legs, face or body of which they are part."""
        result = exchanged.copy()
        for group in self._groups:
            told = exchanged[group].sum() + kept[group].sum()
            if told >= 2 and exchanged[group].sum() >= self._options.share * told:
                result[group] |= ~kept[group] & (own[group] >= other[group])
        return result

    def _check_bones(
        self,
        swapped: NDArray[np.bool_],
        told: NDArray[np.bool_],
        keypoints: Floats,
        margin: float,
    ) -> None:
        """Lets the lengths of bones correct the state of their outer ends.

        At once where continuity cannot tell or both ends disagree without need; against
        continuity when several frames in a row say so.
        """
        for bone, (inner, outer) in enumerate(self._bones):
            straight, crossed = self._misfits(bone, keypoints)
            if swapped[inner] != swapped[outer]:
                straight, crossed = crossed, straight
            wrong = straight > crossed + margin and crossed < margin
            self._doubts[bone] = self._doubts[bone] + 1 if wrong else 0
            hesitant = told[outer] and swapped[inner] == swapped[outer]
            if wrong and (not hesitant or self._doubts[bone] >= self._options.doubts):
                swapped[outer] = ~swapped[outer]

    def _misfits(self, bone: int, keypoints: Floats) -> tuple[float, float]:
        """How far the bones of both sides are from their length: as named, with ends crossed."""
        inner, outer = (keypoints[self._pairs[end]] for end in self._bones[bone])
        straight = np.linalg.norm(inner - outer, axis=1)
        crossed = np.linalg.norm(inner - outer[::-1], axis=1)
        length = self._lengths[bone]
        return float(np.abs(straight - length).sum()), float(np.abs(crossed - length).sum())

    def _measure(self, keypoints: Floats) -> None:
        """Takes the bones of a frame, sides put right, into their mean lengths."""
        for bone, (inner, outer) in enumerate(self._bones):
            ends = keypoints[self._pairs[inner]] - keypoints[self._pairs[outer]]
            length = np.linalg.norm(ends, axis=1).mean()
            if not np.isnan(length):
                before = self._lengths[bone]
                self._lengths[bone] = (
                    length if np.isnan(before) else before + 0.1 * (length - before)
                )

    def _follow(self, time: float, keypoints: Floats) -> None:
        found = ~np.isnan(keypoints[:, 0])
        since = time - self._seen
        known = found & (since > 0) & (since <= self._options.remember)
        motion = (keypoints[known] - self._place[known]) / since[known, None]
        self._velocity[found & ~known] = 0.0
        self._velocity[known] += 0.6 * (motion - self._velocity[known])
        self._place[found] = keypoints[found]
        self._seen[found] = time


class SideWatch:
    """Says frame by frame which mirror pairs of one person look exchanged.

    Args:
        skeleton: the keypoint set.
        options: how plain an exchange must be.
    """

    def __init__(self, skeleton: Skeleton, options: SwapOptions | None = None) -> None:
        self._pairs = skeleton.pairs
        self._detector = SwapDetector(skeleton, options)
        self._size = 0.0

    def update(self, time: float, keypoints: Floats) -> list[str]:
        """The names without a side of the pairs that look exchanged, in the skeleton's order.

        Args:
            time: seconds, not before that of the last call.
            keypoints: (K, 2) display pixels, NaN = missing; at least one found.
        """
        size, whole = float(body_size(keypoints)), float(np.isfinite(keypoints[:, 0]).mean())
        # Parts of a body look small: they change the size less than a whole body does.
        self._size += (0.2 * whole**2 if self._size else 1.0) * (size - self._size)
        flags = self._detector.update(time, keypoints, self._size)
        return [name for name, pair in self._pairs.items() if flags[list(pair)].any()]


def _groups(skeleton: Skeleton, pairs: list[tuple[int, int]]) -> list[NDArray[np.intp]]:
    """Indices of the pairs of the arms, the legs, the face and the body."""
    parts = (
        ("shoulder", "elbow", "wrist", "hand"),
        ("hip", "knee", "ankle", "foot", "toe", "heel"),
        ("eye", "ear"),
        ("",),
    )
    names = [skeleton.keypoints[a] for a, _ in pairs]
    return [
        np.array([i for i, name in enumerate(names) if name.endswith(part)], np.intp)
        for part in parts
    ]


def _bones(skeleton: Skeleton, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs joined by a limb on each side: index of the inner pair, of the outer."""
    pair_of = {keypoint: i for i, pair in enumerate(pairs) for keypoint in pair}
    bones = [(pair_of[a], pair_of[b]) for a, b in skeleton.limbs if a in pair_of and b in pair_of]
    return list(dict.fromkeys(bones))
