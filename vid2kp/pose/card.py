"""The card of a model: what stands in ``NAME.json`` beside its weights."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from vid2kp.errors import ModelError

CARD_VERSION = 1

GET_ANOTHER = "Take the model from where it came once more, or use another (vid2kp models list)."

_ODD_VALUES = (LookupError, AttributeError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a card may raise."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known about a model.

    Attributes:
        name: the model's name, that of its files.
        architecture: ``lite`` or ``openpose``.
        skeleton: name of the keypoint set.
        keypoints: K keypoint names, in the order of the confidence maps.
        limbs: C pairs of keypoint indices, in the order of the part affinity fields.
        options: the network's constructor arguments besides the keypoint set.
        input_size: longest side of the network's input in pixels for which it was trained.
        stride: input pixels per cell of the maps.
        parameters: number of trained numbers.
        sha256: hexadecimal SHA-256 of the safetensors file.
        licence: SPDX identifier of the weights' licence.
        figures: what was measured, e.g. ``{"pck@0.2": 0.8}`` per data set.
        calibration: what a peak's value is worth (`vid2kp.pose.calibration.Calibration`), if that
            was measured.
        training: how the weights were made.
        card_version: version of this form.
    """

    name: str
    architecture: str
    skeleton: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    options: dict[str, Any]
    input_size: int
    stride: int
    parameters: int
    sha256: str
    licence: str = "MIT"
    figures: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    card_version: int = CARD_VERSION

    def to_json(self) -> str:
        """The card as it stands beside the weights."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @property
    def identity(self) -> str:
        """Hexadecimal SHA-256 of all that decides what the model says: the weights and their use.

        Two cards of the same weights differ in it when one is calibrated or has another input.
        """
        curve = [self.calibration.get(key) for key in ("confidence", "probability", "within")]
        network = [self.architecture, self.options, self.skeleton, self.keypoints, self.limbs]
        facts = json.dumps([self.sha256, *network, self.input_size, curve], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, *, name: str) -> Card:
        """The card that the text holds.

        Args:
            text: JSON.
            name: the model's name, for the error.

        Raises:
            ModelError: the text is no card of a version that this program knows.
        """
        try:
            values = json.loads(text)
            version = values.get("card_version")
            if version != CARD_VERSION:
                raise ModelError(
                    f"The card of model {name} has version {version}, not {CARD_VERSION}.",
                    hint="Update vid2kp, or take a model made for this version.",
                )
            values["keypoints"] = tuple(values["keypoints"])
            values["limbs"] = tuple((int(a), int(b)) for a, b in values["limbs"])
            card = cls(**values)
            _check_types(card)
        except _ODD_VALUES as error:
            raise ModelError(
                f"The card of model {name} cannot be read.", hint=GET_ANOTHER
            ) from error
        return card


def _check_types(card: Card) -> None:
    """Raises TypeError or ValueError where a card holds another kind of value than it should."""
    texts = (card.name, card.architecture, card.skeleton, card.sha256, card.licence)
    objects = (card.options, card.figures, card.calibration, card.training)
    counts = (card.input_size, card.stride, card.parameters)
    for values, kind in ((texts, str), (card.keypoints, str), (objects, dict), (counts, int)):
        if any(type(value) is not kind for value in values):
            raise TypeError(f"A value of the card is no {kind.__name__}.")
    if min(counts) < 1:
        raise ValueError("A size of the card is below 1.")
