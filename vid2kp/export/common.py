"""What the exporters share: what to export, as arrays, and how to say that it cannot be done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import numpy as np

from vid2kp.errors import TracksError, UsageError
from vid2kp.files import output_errors, replacing_folder
from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.footer import Footer
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.places import check_ending
from vid2kp.tracks.schema import INFANT

SOFTWARE: Final = "vid2kp"

FILLED_CONFIDENCE: Final = 0.05
"""Stands for the confidence of interpolated positions where a format takes 0 as "not found"."""

_MADE_OF: Final = {"mid_hip": ("right_hip", "left_hip")}

UNIT_NAMES: Final = {"px": "pixels", "torso": "torso lengths"}
ORIGINS: Final = {
    "top_left": "centre of the top left pixel of the picture, x to the right, y down",
    "median_mid_hip": "median of the middle between the hips over the video, x to the right, "
    "y down",
    "mid_hip": "middle between the hips in the same frame, x to the right, y down",
}


@dataclass(frozen=True)
class Label:
    """What a recording is to a classifier.

    Attributes:
        label: class number.
        split: name of the part of the data that it belongs to.
    """

    label: int = 0
    split: str = "all"


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Attributes:
        individuals: names of those to export; empty for all, or for the infant alone in formats
            that hold one individual a file.
        layout: keypoints of OpenPose files: ``body25`` is what its clients take for granted.
        task: name of the task in BIDS files, letters and digits.
        labels: by name of the recording, for the skeleton formats of classifiers.
    """

    individuals: tuple[str, ...] = ()
    layout: Literal["body25", "coco18"] = "body25"
    task: str = "spontaneous"
    labels: Mapping[str, Label] = field(default_factory=dict)

    def label_of(self, name: str) -> Label:
        """The label of the recording of that name; class 0 of ``all`` where there are none at all.

        Raises:
            UsageError: others have one, and this one has not.
        """
        if self.labels and name not in self.labels:
            raise UsageError(
                "The recording has no label.",
                hint=f"Give it one: a row with the name {name} in the file of labels.",
            )
        return self.labels.get(name, Label())


@dataclass(frozen=True)
class Arrays:
    """What is exported of one recording. F frames, I individuals, K keypoints.

    Attributes:
        name: of the recording: its pseudonym, never a name of the source.
        footer: of its tracks.
        individuals: I names.
        frame: (F,) int32 decoder ordinals.
        time: (F,) float64 seconds since the first frame.
        positions: (F, I, K, 2) float32 in the footer's unit and frame, NaN = missing.
        confidence: (F, I, K) float32 in [0, 1], NaN = missing or interpolated.
        states: (F, I, K) int8 indices into `schema.STATES`.
    """

    name: str
    footer: Footer
    individuals: tuple[str, ...]
    frame: np.ndarray
    time: np.ndarray
    positions: np.ndarray
    confidence: np.ndarray
    states: np.ndarray

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set."""
        return self.footer.skeleton

    @property
    def found(self) -> np.ndarray:
        """(F, I, K) bool: whether there is a position."""
        return np.asarray(np.isfinite(self.positions).all(axis=-1))

    def laid_out(self, keypoints: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Positions and confidence of the keypoints of another set, found by name, as by `zeroed`.

        ``mid_hip`` is made of both hips where the tracks have none: their mean, with the lower of
        the two confidences. Unknown ones are missing.

        Raises:
            TracksError: the tracks have none of them.
        """
        have = self.skeleton.keypoints
        if not set(have) & set(keypoints):
            raise TracksError("The tracks have none of the keypoints of this format.")
        shape = (*self.confidence.shape[:2], len(keypoints))
        positions = np.full((*shape, 2), np.nan, np.float32)
        confidence = np.full(shape, np.nan, np.float32)
        for i, name in enumerate(keypoints):
            made_of = [name] if name in have else list(_MADE_OF.get(name, ()))
            if made_of and set(made_of) <= set(have):
                index = [have.index(one) for one in made_of]
                positions[:, :, i] = self.positions[:, :, index].mean(2)
                # min, not nanmin: where one hip is missing so is the middle.
                confidence[:, :, i] = self.confidence[:, :, index].min(2)
        return _zeroed(positions, confidence)

    def zeroed(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and confidence for formats in which a confidence of 0 means "not found".

        Returns:
            positions: (F, I, K, 2) float32, 0 where missing.
            confidence: (F, I, K) float32, 0 where missing and nowhere else: interpolated
                positions have `FILLED_CONFIDENCE`.
        """
        return _zeroed(self.positions, self.confidence)


def arrays_of(tracks: Tracks, options: ExportOptions, *, name: str, one: bool = False) -> Arrays:
    """What is to be exported of tracks.

    Args:
        tracks: the recording.
        options: whom to export.
        name: of the recording.
        one: the format holds one individual a file.

    Raises:
        UsageError: an individual was asked for that is not there, or several where only one fits.
        TracksError: there is no frame.
    """
    if not len(tracks.frame):
        raise TracksError("The tracks hold no frame, so there is nothing to export.")
    asked = tuple(dict.fromkeys(options.individuals))
    wanted = asked or ((INFANT,) if one else tracks.individuals)
    for individual in wanted:
        if individual not in tracks.individuals:
            raise UsageError(
                f"The tracks hold nobody called {individual!r}.",
                hint=f"They hold {', '.join(tracks.individuals)}.",
            )
    if one and len(wanted) > 1:
        raise UsageError(
            "A file of this format holds one individual.", hint="Export them one after the other."
        )
    index = [tracks.individuals.index(individual) for individual in wanted]
    positions, confidence = tracks.to_numpy()
    return Arrays(
        name=name,
        footer=tracks.footer,
        individuals=wanted,
        frame=tracks.frame,
        time=tracks.time,
        positions=positions[:, index],
        confidence=confidence[:, index],
        states=tracks.states()[:, index],
    )


def need_pixels(footer: Footer, format_name: str) -> None:
    """Refuses tracks whose numbers a format would silently take for pixels of the picture.

    Raises:
        UsageError: they are in another unit or count from elsewhere.
    """
    if footer.position_unit != "px" or footer.point_of_reference != "top_left":
        raise UsageError(
            f"{format_name} means pixels of the picture; these tracks are in "
            f"{UNIT_NAMES[footer.position_unit]} from the {footer.point_of_reference}.",
            hint="Use netcdf, nwb, bids or skeleton-npz, which say in which unit they are.",
        )


def need(module: str) -> ModuleType:
    """An optional library, imported when it is used.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"This format needs {module}, which is not installed.",
            hint="Install it with: pip install 'vid2kp[export]'",
        ) from None


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder that becomes ``folder``; one with something in it is never touched.

    Raises:
        UsageError: there is something of that name already.
        OutputError: the folder above is full or read-only.
    """
    folder = Path(folder)
    with output_errors():
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise UsageError(
            "The output folder is not empty.", hint="Give a new one: nothing is overwritten."
        )
    make_parent(folder)
    with replacing_folder(folder) as part, output_errors():
        yield part


def make_parent(path: Path) -> None:
    """Makes the folder that a result goes into.

    Raises:
        OutputError: it cannot be made.
    """
    with output_errors():
        Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)


def json_text(content: Any) -> str:
    """JSON for people and machines, always the same text for the same content."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def number(value: float | np.floating[Any]) -> float:
    """A float32 as the shortest decimal that stands for it."""
    return float(str(np.float32(value)))


def new_file(path: str | os.PathLike[str], suffix: str) -> Path:
    """The path of a result, whose folder is made; its ending must be that of the format.

    Raises:
        UsageError: it has another ending, by which clients would not know the format, or it is
            a folder.
        OutputError: the folder cannot be made.
    """
    path = Path(path)
    check_ending(path, suffix)
    if path.is_dir():
        raise UsageError("The output is a folder.", hint="Give the name of a file.")
    make_parent(path)
    return path


def _zeroed(positions: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = np.isfinite(positions).all(axis=-1)
    known = np.maximum(np.nan_to_num(confidence, nan=FILLED_CONFIDENCE), 1e-6)
    return (
        np.where(found[..., None], positions, 0).astype(np.float32),
        np.where(found, known, 0).astype(np.float32),
    )
