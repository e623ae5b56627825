"""What is said of a converted video: its footer, its status with the reason, its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

import vid2kp
from vid2kp.privacy.manifest import LIBRARIES, Manifest
from vid2kp.privacy.profile import Profile
from vid2kp.tracks.footer import Footer, Scalar, Step
from vid2kp.tracks.store import Pose
from vid2kp.video.read import ReadSummary, VideoReader

if TYPE_CHECKING:
    from vid2kp.pose.choose import Choice
    from vid2kp.pose.company import Sightings
    from vid2kp.pose.estimate import Estimator

Status = Literal["done", "truncated", "damaged", "no_infant", "ambiguous", "unreadable", "failed"]

_SEEN: Final = 0.05  # of the frames with the infant, at least: else the video shows none
_UNSURE: Final = 0.2  # of the frames with a rival: ambiguous


@dataclass(frozen=True)
class FirstPass:
    """What reading the video once has shown.

    Attributes:
        reader: of the video.
        summary: what became of its frames.
        choice: who is the infant.
        company: who else was there, out of the view.
        size: (width, height) of the first frame, display pixels.
        crops: how often the crop changed.
        turns: how often the turn of the picture changed.
        rotation: the last one, counter-clockwise degrees.
    """

    reader: VideoReader
    summary: ReadSummary
    choice: Choice
    company: Sightings
    size: tuple[int, int]
    crops: int
    turns: int
    rotation: int


@dataclass
class Counts:
    """Sums over the second pass.

    Attributes:
        frames: rows of the frame table.
        last_time: seconds.
        infant: frames in which the infant is seen.
        ambiguous: frames in which somebody else might be the infant as well.
        swapped: frames in which sides of the infant look exchanged.
        keypoints: sum over the frames with the infant of the share of its keypoints found.
    """

    frames: int = 0
    last_time: float = 0.0
    infant: int = 0
    ambiguous: int = 0
    swapped: int = 0
    keypoints: float = 0.0

    def add(self, time: float, *, infant: Pose | None, ambiguous: bool, swapped: bool) -> None:
        """Takes one more frame in."""
        self.frames += 1
        self.last_time = time
        self.ambiguous += ambiguous
        self.swapped += swapped
        if infant is not None:
            self.infant += 1
            self.keypoints += float(np.isfinite(infant.confidence).mean())

    @property
    def found(self) -> float:
        """Share of the frames in which the infant is seen."""
        return self.infant / max(self.frames, 1)

    @property
    def completeness(self) -> float:
        """Share of the infant's keypoints found in those frames."""
        return self.keypoints / max(self.infant, 1)


def footer_of(first: FirstPass, estimator: Estimator, profile: Profile) -> Footer:
    """What the tables say of themselves."""
    info, summary = first.reader.info, first.summary
    estimate = {"precision": estimator.precision, "model_identity": estimator.card.identity}
    return Footer(
        skeleton=estimator.skeleton,
        width=first.size[0],
        height=first.size[1],
        fps=summary.fps,
        vfr=summary.vfr,
        rotation_applied=info.rotation,
        mirrored=info.mirrored,
        time_source=summary.time_source,
        model_name=estimator.card.name,
        model_sha256=estimator.card.sha256,
        tool_version=vid2kp.__version__,
        privacy_profile=profile.name,
        position_unit=profile.position_unit,
        point_of_reference=profile.point_of_reference,
        processing=(Step("estimate", estimate), *profile.steps),
    )


def judge(summary: ReadSummary, counts: Counts) -> tuple[Status, str]:
    """Status and reason, the gravest finding first; the reason of ``done`` is empty."""
    if counts.found < _SEEN:
        return "no_infant", f"The infant is seen in {counts.found:.0%} of the frames."
    if summary.status == "truncated":
        return "truncated", "The file is cut; the tracks end where it ends."
    if summary.status == "damaged":
        marked = f"{summary.suspect_frames} of {summary.frames} frames are marked suspect."
        return "damaged", f"The file holds damaged data: {marked}"
    unsure = counts.ambiguous / max(counts.frames, 1)
    if unsure > _UNSURE:
        reason = f"In {unsure:.0%} of the frames somebody else might be the infant as well."
        return "ambiguous", reason
    return "done", ""


def manifest_of(
    pseudonym: str,
    status: Status,
    reason: str,
    *,
    first: FirstPass,
    counts: Counts,
    estimator: Estimator,
    profile: Profile,
    options: Mapping[str, Scalar],
    render: Mapping[str, Scalar],
    key_id: str | None,
) -> Manifest:
    """What was made of the video, and how.

    Args:
        pseudonym: the video's name.
        status: from `judge`.
        reason: from `judge`; that of the choice of the infant is added.
        first: of the first pass.
        counts: of the second.
        estimator: the network.
        profile: what is held back.
        options: those in effect.
        render: those of the skeleton video; empty if there is none.
        key_id: of the key that the pseudonym was derived from.
    """
    return Manifest(
        pseudonym=pseudonym,
        status=status,
        reason=f"{reason} {first.choice.reason}".strip(),
        model_name=estimator.card.name,
        model_sha256=estimator.card.sha256,
        tool_version=vid2kp.__version__,
        counts={
            "frames": counts.frames,
            "frames_with_infant": counts.infant,
            "frames_ambiguous": counts.ambiguous,
            "frames_swapped": counts.swapped,
            "frames_suspect": first.summary.suspect_frames,
            "frames_lost": first.summary.lost_frames,
            "people": len(first.choice.people),
            "crop_changes": first.crops,
            "turn_changes": first.turns,
            "rotation": first.rotation,
        },
        options=dict(options),
        render=dict(render),
        libraries={name: version(name) for name in LIBRARIES},
        privacy_profile=profile.name,
        key_id=key_id,
    )
