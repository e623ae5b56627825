"""Draws people onto the canvas of the skeleton video: what a clinician looks at.

A keypoint that was not observed is not drawn, nor is any limb that would need it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from vid2kp.pose.skeleton import Skeleton
from vid2kp.render import shapes
from vid2kp.render.pen import BACKGROUND, Colour, Pen, clear, mix, yuv
from vid2kp.render.plan import GROUPS, Plan
from vid2kp.tracks.schema import INFANT
from vid2kp.tracks.store import Pose
from vid2kp.video.write import Canvas

_TRUNK: Final = (30, 37, 50)
_HEAD: Final = (36, 44, 59)
_HEAD_RIM: Final = (100, 112, 134)
_OTHERS: Final = (84, 90, 103)
_OTHERS_FILL: Final = (21, 26, 35)
_OTHERS_RIM: Final = (46, 52, 64)
_SOFT: Final = (236, 240, 246)

_LEVELS: Final = 12
"""Confidence is shown in so many steps: finer ones cost bits and nobody sees them."""


@dataclass(frozen=True)
class Style:
    """How people are drawn.

    Attributes:
        torso: usual torso length of the infant on the canvas, pixels; widths follow it.
        trail: for how many frames the paths of wrists and ankles stay visible, 0 = no paths.
    """

    torso: float
    trail: int = 0


class SkeletonPainter:
    """Draws the poses of one video; a `vid2kp.video.write.Painter`.

    Args:
        skeleton: the keypoint set.
        width: of the canvas, pixels, even.
        height: of the canvas, pixels, even.
        style: how to draw.
    """

    def __init__(self, skeleton: Skeleton, *, width: int, height: int, style: Style) -> None:
        self.width = width
        self.height = height
        self._style = style
        self._plan = Plan.of(skeleton, style.torso)
        self._limb_paint = _palette([mix(c, _SOFT, 0.16) for c in skeleton.limb_colours])
        self._joint_paint = _palette([mix(c, _SOFT, 0.45) for c in skeleton.keypoint_colours])
        self._grey_paint = _palette([_OTHERS])[0]
        self._trail_paint = [
            [
                yuv(mix(BACKGROUND, c, 0.55 * (age + 1) / (style.trail + 1)))
                for c in skeleton.keypoint_colours
            ]
            for age in range(style.trail)
        ]
        self._past: deque[np.ndarray] = deque(maxlen=style.trail + 1)
        self._pen = Pen(width, height)

    def clear(self, canvas: Canvas) -> None:
        """Fills the whole canvas with the background."""
        clear(canvas)

    def paint(self, canvas: Canvas, people: Mapping[str, Pose]) -> None:
        """Replaces the drawing of the frame before by that of these people.

        Args:
            canvas: as the last call (or `clear`) left it.
            people: pose by name of the individual, ``xy`` in canvas pixels; the infant is drawn
                in colour over all others, which are dimmed.
        """
        for name, pose in people.items():
            if name != INFANT:
                self._draw_person(*self._on_canvas(pose), dimmed=True)
        if INFANT in people:
            xy, level = self._on_canvas(people[INFANT])
            self._draw_trails(xy)
            self._draw_person(xy, level, dimmed=False)
        self._pen.draw(canvas)

    def _on_canvas(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """(K, 2) float64 positions, NaN = missing, and (K,) int confidence levels."""
        far = 4 * max(self.width, self.height)
        xy = np.clip(pose.xy.astype(np.float64), -far, far)
        # Of the probabilities that keypoints lie where they should, few are outside 0.2 to 0.9.
        shown = np.clip((np.nan_to_num(pose.confidence) - 0.2) / 0.7, 0, 1)
        return xy, np.round(shown * (_LEVELS - 1)).astype(int)

    def _draw_person(self, xy: np.ndarray, level: np.ndarray, *, dimmed: bool) -> None:
        self._draw_trunk(xy, dimmed=dimmed)
        limbs = self._draw_limbs(xy, level, dimmed=dimmed)
        next(limbs)  # the lines inside the trunk and the neck lie under the head
        self._draw_head(xy, level, dimmed=dimmed)
        for _ in limbs:
            pass

    def _draw_trunk(self, xy: np.ndarray, *, dimmed: bool) -> None:
        corners = xy[self._plan.corners]
        corners = corners[~np.isnan(corners[:, 0])]
        if len(corners) >= 3:
            radius = float(self._plan.radii[self._plan.corners].mean())
            fill = yuv(_OTHERS_FILL if dimmed else _TRUNK)
            self._pen.fill([shapes.trunk(corners, radius)], [fill])

    def _draw_head(self, xy: np.ndarray, level: np.ndarray, *, dimmed: bool) -> None:
        plan = self._plan
        face = {name: xy[i] for name, i in plan.face.items() if not np.isnan(xy[i, 0])}
        neck = xy[plan.neck] if plan.neck is not None else np.full(2, np.nan)
        outline = shapes.head(face, neck, self._style.torso)
        if outline is not None:
            middle = outline.mean(axis=0)
            inside = middle + (outline - middle) * 0.955
            self._pen.fill(
                [outline, inside],
                [yuv(_OTHERS_RIM), yuv(_OTHERS_FILL)] if dimmed else [yuv(_HEAD_RIM), yuv(_HEAD)],
            )
        seen = [plan.face[name] for name in face]
        self._pen.fill(
            shapes.discs(xy[seen], plan.radii[seen]),
            [
                self._grey_paint[level[i]] if dimmed else self._joint_paint[i][level[i]]
                for i in seen
            ],
        )

    def _draw_limbs(self, xy: np.ndarray, level: np.ndarray, *, dimmed: bool) -> Iterator[None]:
        """Draws trunk lines, legs and arms; stops after each of the three."""
        plan = self._plan
        shown = ~np.isnan(xy[:, 0])
        rows = np.flatnonzero(shown[plan.a] & shown[plan.b])
        a, b = plan.a[rows], plan.b[rows]
        # Edges of the background's colour keep limbs apart that cross.
        outlines = shapes.limbs(
            np.concatenate([xy[a], xy[a]]),
            np.concatenate([xy[b], xy[b]]),
            np.concatenate([plan.radius_a[rows] + plan.edge, plan.radius_a[rows]]),
            np.concatenate([plan.radius_b[rows] + plan.edge, plan.radius_b[rows]]),
        )
        edges, limbs = outlines[: len(rows)], outlines[len(rows) :]
        joints = shapes.discs(xy[plan.joints], 0.66 * plan.radii[plan.joints])
        dim = np.minimum(level[a], level[b])
        for group in range(GROUPS):
            here = np.flatnonzero(plan.limb_group[rows] == group)
            self._pen.fill(edges[here], [yuv(BACKGROUND)[0]] * len(here))
            self._pen.fill(
                limbs[here],
                [
                    self._grey_paint[dim[i]]
                    if dimmed
                    else self._limb_paint[plan.limb[rows[i]]][dim[i]]
                    for i in here
                ],
            )
            dots = np.flatnonzero((plan.joint_group == group) & shown[plan.joints])
            if not dimmed:
                colours = [self._joint_paint[j][level[j]] for j in plan.joints[dots]]
                self._pen.fill(joints[dots], colours)
            yield

    def _draw_trails(self, xy: np.ndarray) -> None:
        if not self._style.trail:
            return
        which = self._plan.trailed
        self._past.append(xy[which])
        newest = self._style.trail - 1
        width = np.full(len(which), max(1.0, 0.2 * self._plan.radii.max()))
        steps = list(self._past)
        for age, (before, after) in enumerate(reversed(list(pairwise(steps)))):
            seen = np.flatnonzero(~np.isnan(before[:, 0] + after[:, 0]))
            self._pen.fill(
                shapes.limbs(before[seen], after[seen], width[seen], width[seen]),
                [self._trail_paint[newest - age][which[i]] for i in seen],
            )


def _palette(colours: Sequence[Colour]) -> list[list[Colour]]:
    """Each (R, G, B) in (Y, U, V) at every confidence level, the low ones near the background."""
    return [
        [yuv(mix(BACKGROUND, c, 0.25 + 0.75 * n / (_LEVELS - 1))) for n in range(_LEVELS)]
        for c in colours
    ]
