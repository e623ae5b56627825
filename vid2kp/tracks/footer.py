"""The footer of every Parquet file: one key, ``vid2kp``, holding JSON from an allow-list.

The reader is as strict as the writer: an unknown key, a value of another type or any text that
is not a short token is an error. A path, a name with a space or a date with colons is no token.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vid2kp.errors import TracksError
from vid2kp.pose.skeleton import SIGMAS, SKELETONS, Skeleton

FOOTER_KEY: Final = "vid2kp"
SCHEMA_VERSION: Final = 1

POSITION_UNITS: Final = ("px", "torso")
"""Source display pixels, or multiples of the torso length (``--normalise``)."""

POINTS_OF_REFERENCE: Final = ("top_left", "median_mid_hip", "mid_hip")
"""Where (0, 0) is: the centre of the top-left pixel; the median of the infant's mid hip in the
whole video (``--normalise``); its mid hip in the same frame (``--relative-only``)."""

TIME_SOURCES: Final = ("pts", "rebuilt")
PRODUCTS: Final = ("raw", "clean")

TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
_KEYPOINT = re.compile(r"[a-z][a-z0-9_]{0,39}")

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Step:
    """One processing step: its name and its parameters (numbers, flags and tokens only)."""

    name: str
    parameters: Mapping[str, Scalar]


@dataclass(frozen=True)
class Footer:
    """What a reader must know beside the columns.

    Attributes:
        skeleton: the keypoint set: order of the keypoints, limbs, mirror pairs.
        width: display width of the video in pixels (of the first frame).
        height: display height of the video in pixels (of the first frame).
        fps: median frames per second; 0 when there are fewer than two frames.
        vfr: whether the time between frames varies.
        rotation_applied: counter-clockwise degrees by which the coded picture was turned.
        mirrored: whether the coded picture was mirrored back.
        time_source: ``pts``, or ``rebuilt`` where the file's own times could not be used.
        model_name: name of the model, "none" for tracks that no model made.
        model_sha256: of its weights, "" where there are none.
        tool_version: version of vid2kp.
        privacy_profile: (name, version) of the rules the file was made under.
        position_unit: one of `POSITION_UNITS`.
        point_of_reference: one of `POINTS_OF_REFERENCE`.
        product: ``raw`` or ``clean``.
        processing: what was done to the coordinates, in order.
    """

    skeleton: Skeleton
    width: int
    height: int
    fps: float
    vfr: bool
    rotation_applied: int
    mirrored: bool
    time_source: str
    model_name: str
    model_sha256: str
    tool_version: str
    privacy_profile: tuple[str, str] = ("pseudonymised", "1")
    position_unit: str = "px"
    point_of_reference: str = "top_left"
    product: str = "raw"
    processing: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self._checks().items():
            if not value:
                raise TracksError(f"The footer's {name} is not allowed.")

    def _checks(self) -> dict[str, bool]:
        return {
            "skeleton": _skeleton_allowed(self.skeleton),
            "width": _is_int(self.width) and self.width > 0,
            "height": _is_int(self.height) and self.height > 0,
            "fps": _is_number(self.fps) and self.fps >= 0,
            "vfr": isinstance(self.vfr, bool),
            "rotation_applied": _is_int(self.rotation_applied)
            and self.rotation_applied in (0, 90, 180, 270),
            "mirrored": isinstance(self.mirrored, bool),
            "time_source": self.time_source in TIME_SOURCES,
            "model name": is_token(self.model_name),
            "model sha256": self.model_sha256 == "" or _matches(SHA256, self.model_sha256),
            "tool version": is_token(self.tool_version),
            "privacy_profile": all(is_token(part) for part in self.privacy_profile),
            "units": self.position_unit in POSITION_UNITS,
            "point_of_reference": self.point_of_reference in POINTS_OF_REFERENCE,
            "product": self.product in PRODUCTS,
            "processing": all(_step_allowed(step) for step in self.processing),
        }

    def to_json(self) -> str:
        """The footer as JSON, always the same text for the same footer."""
        skeleton = self.skeleton
        return json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "skeleton": {
                    "name": skeleton.name,
                    "keypoints": skeleton.keypoints,
                    "limbs": skeleton.limbs,
                    "mirror": skeleton.mirror,
                },
                "units": {"position": self.position_unit, "time": "s"},
                "point_of_reference": self.point_of_reference,
                "fps": float(self.fps),
                "vfr": self.vfr,
                "width": self.width,
                "height": self.height,
                "rotation_applied": self.rotation_applied,
                "mirrored": self.mirrored,
                "time_source": self.time_source,
                "model": {"name": self.model_name, "sha256": self.model_sha256},
                "tool": {"name": "vid2kp", "version": self.tool_version},
                "privacy_profile": dict(
                    zip(("name", "version"), self.privacy_profile, strict=True)
                ),
                "product": self.product,
                "processing": [
                    {"name": step.name, "parameters": dict(step.parameters)}
                    for step in self.processing
                ],
            },
            separators=(",", ":"),
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Footer:
        """The footer that stands in a file.

        Raises:
            TracksError: it is of another version, lacks something, or holds anything beyond the
                allow-list; the text must also be exactly what `to_json` writes.
        """
        try:
            content = json.loads(text)
            _check_version(content)
            footer = _from_content(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise TracksError("The footer is not a vid2kp footer.") from None
        # Comparing the text leaves no room for unknown keys, wrong types or hidden spaces.
        if footer.to_json() != text:
            raise TracksError("The footer holds more than its allow-list.")
        return footer


def is_token(text: object) -> bool:
    """Whether it is a short text that cannot be a path, a sentence or a person's full name."""
    return _matches(TOKEN, text)


def is_scalar(value: object) -> bool:
    """Whether it is a flag, a finite number or a token."""
    return isinstance(value, bool) or _is_number(value) or is_token(value)


def _check_version(content: dict[str, Any]) -> None:
    version = content["schema_version"]
    if version != SCHEMA_VERSION:
        raise TracksError(
            f"The file has schema version {int(version)}; this vid2kp reads {SCHEMA_VERSION}.",
            hint="Install the version of vid2kp that wrote it, or a newer one.",
        )


def _from_content(content: dict[str, Any]) -> Footer:
    profile = content["privacy_profile"]
    return Footer(
        skeleton=_skeleton_from(content["skeleton"]),
        width=content["width"],
        height=content["height"],
        fps=content["fps"],
        vfr=content["vfr"],
        rotation_applied=content["rotation_applied"],
        mirrored=content["mirrored"],
        time_source=content["time_source"],
        model_name=content["model"]["name"],
        model_sha256=content["model"]["sha256"],
        tool_version=content["tool"]["version"],
        privacy_profile=(profile["name"], profile["version"]),
        position_unit=content["units"]["position"],
        point_of_reference=content["point_of_reference"],
        product=content["product"],
        processing=tuple(
            Step(name=step["name"], parameters=step["parameters"]) for step in content["processing"]
        ),
    )


def _skeleton_from(content: dict[str, Any]) -> Skeleton:
    keypoints = tuple(content["keypoints"])
    limbs = tuple((a, b) for a, b in content["limbs"])
    known = SKELETONS.get(content["name"])
    if known is not None and (known.keypoints, known.limbs) == (keypoints, limbs):
        return known
    # A set of somebody's own: its sigmas are not in the file, those of the same parts are used.
    sigmas = tuple(_sigma(name) for name in keypoints)
    return Skeleton(name=content["name"], keypoints=keypoints, limbs=limbs, sigmas=sigmas)


def _sigma(keypoint: str) -> float:
    part = keypoint.removeprefix("right_").removeprefix("left_").removeprefix("mid_")
    return SIGMAS.get(part, max(SIGMAS.values()))


def _skeleton_allowed(skeleton: Skeleton) -> bool:
    names = skeleton.keypoints
    ends = [end for limb in skeleton.limbs for end in limb]
    return (
        is_token(skeleton.name)
        and len(names) > 0
        and len(set(names)) == len(names)
        and all(_matches(_KEYPOINT, name) for name in names)
        and all(_is_int(end) and 0 <= end < len(names) for end in ends)
    )


def _step_allowed(step: Step) -> bool:
    return is_token(step.name) and all(
        is_token(name) and is_scalar(value) for name, value in step.parameters.items()
    )


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
