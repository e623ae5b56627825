"""Model files: a safetensors file of weights with a JSON card beside it.

The card says what the network is, which keypoints it finds, how large its input should be and what
the weights' SHA-256 is. All of it is checked before a network is handed out, and an error names
the model, never where it lies. Nothing here unpickles.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from vid2kp.errors import ModelError
from vid2kp.files import output_errors, replacing, write_text
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import SKELETONS, Skeleton

Network = Lite | OpenPose
"""Any network of the family: `forward`, `normalise`, `stride`, `skeleton`, `options`."""

ARCHITECTURES: dict[str, type[Lite] | type[OpenPose]] = {"lite": Lite, "openpose": OpenPose}

CARD_VERSION = 1
DEFAULT_MODEL = "infant-lite"

_GET_ANOTHER = "Take the model from where it came once more, or use another (vid2kp models list)."


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
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(
                f"The card of model {name} cannot be read.", hint=_GET_ANOTHER
            ) from error


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network ready to use, in evaluation mode and float32 on the CPU, with its card."""

    network: Network
    card: Card

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set of the network."""
        return self.network.skeleton


@dataclass(frozen=True)
class ListedModel:
    """A model of a folder: its card, or what is wrong with it."""

    name: str
    card: Card | None
    problem: str = ""


def find_weights() -> Path:
    """The folder of the models that ship with the program.

    Inside the installed package, or ``weights`` at the top of a source checkout.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_weights"
    return installed if installed.is_dir() else package.parent / "weights"


def list_models(folder: Path | None = None) -> list[ListedModel]:
    """The models of a folder (the shipped ones if none is given), by name, cards checked only."""
    listed = []
    for weights in sorted((folder or find_weights()).glob("*.safetensors")):
        try:
            listed.append(ListedModel(weights.stem, _read_card(weights)))
        except ModelError as error:
            listed.append(ListedModel(weights.stem, None, str(error)))
    return listed


def save_model(
    network: Network,
    path: str | Path,
    *,
    name: str | None = None,
    input_size: int,
    half: bool = False,
    licence: str = "MIT",
    figures: dict[str, Any] | None = None,
    calibration: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
) -> Card:
    """Writes a network's weights and its card, each whole or not at all.

    Args:
        network: the network to keep.
        path: ``NAME.safetensors``; the card becomes ``NAME.json`` beside it.
        name: the model's name if not that of the file.
        input_size: longest side of the input for which it was trained, pixels.
        half: keep the weights as float16, at half the size.
        licence: SPDX identifier.
        figures: what was measured.
        calibration: how confidence relates to error.
        training: how the weights were made.

    Returns:
        The card.

    Raises:
        OutputError: the files could not be written.
    """
    path = Path(path).with_suffix(".safetensors")
    data = safetensors.torch.save(_stored_tensors(network, half=half))
    card = Card(
        name=name or path.stem,
        architecture=next(n for n, kind in ARCHITECTURES.items() if type(network) is kind),
        skeleton=network.skeleton.name,
        keypoints=network.skeleton.keypoints,
        limbs=network.skeleton.limbs,
        options=dict(network.options),
        input_size=input_size,
        stride=network.stride,
        parameters=sum(p.numel() for p in network.parameters()),
        sha256=hashlib.sha256(data).hexdigest(),
        licence=licence,
        figures=figures or {},
        calibration=calibration or {},
        training=training or {},
    )
    with replacing(path) as part, output_errors():
        part.write_bytes(data)
    write_text(path.with_suffix(".json"), card.to_json())
    return card


def load_model(name_or_path: str | Path = DEFAULT_MODEL) -> LoadedModel:
    """A model by its name among the shipped ones, or by the path of its file.

    Args:
        name_or_path: e.g. ``infant-lite``, or a ``.safetensors`` file with its card beside it.

    Returns:
        The network in evaluation mode, float32, on the CPU, with its card.

    Raises:
        ModelError: there is no such model, or it is not what its card says.
    """
    path = find_model(name_or_path)
    card = _read_card(path)
    skeleton = _check_skeleton(card)
    tensors = _read_tensors(path, card)
    network = _empty_network(card, skeleton)
    _check_shapes(tensors, network, card)
    network.load_state_dict(tensors, assign=True)
    return LoadedModel(network.requires_grad_(False).eval(), card)


def check_model(name_or_path: str | Path) -> Card:
    """Loads a model, runs it once on a grey picture and returns its card.

    Raises:
        ModelError: there is no such model, it is not what its card says, or its maps are not
            numbers of the right shape.
    """
    model = load_model(name_or_path)
    card = model.card
    confidence, paf = run_once(model.network, card.name)
    cells = (64 // card.stride, 96 // card.stride)
    shapes = (1, len(card.keypoints) + 1, *cells), (1, 2 * len(card.limbs), *cells)
    if (tuple(confidence.shape), tuple(paf.shape)) != shapes:
        raise ModelError(f"The maps of model {card.name} do not fit its card.", hint=_GET_ANOTHER)
    return card


def run_once(network: Network, name: str) -> tuple[Tensor, Tensor]:
    """The maps of a grey picture of 96 × 64 pixels.

    Args:
        network: in evaluation mode.
        name: the model's name, for the error.

    Raises:
        ModelError: the maps are not finite numbers.
    """
    with torch.inference_mode():
        grey = torch.full((1, 64, 96, 3), 128, dtype=torch.uint8)
        confidence, paf = network(network.normalise(grey))[-1]
    if not (confidence.isfinite().all() and paf.isfinite().all()):
        raise ModelError(f"The maps of model {name} are not finite.", hint=_GET_ANOTHER)
    return confidence, paf


def find_model(name_or_path: str | Path) -> Path:
    """The weights file that a name or path means.

    Raises:
        ModelError: there is none.
    """
    path = Path(name_or_path)
    shipped = find_weights() / f"{name_or_path}.safetensors"
    if path.parent == Path() and path.suffix == "" and shipped.is_file():
        return shipped
    if path.with_suffix(".safetensors").is_file():
        return path.with_suffix(".safetensors")
    names = ", ".join(model.name for model in list_models()) or "none"
    raise ModelError(
        "There is no such model.",
        hint=f"Shipped models: {names}. Others are given as the path of a .safetensors file.",
    )


def _read_card(weights: Path) -> Card:
    """The card beside a weights file."""
    try:
        text = weights.with_suffix(".json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"Model {weights.stem} has no card that can be read.",
            hint=f"{weights.stem}.json must lie beside the weights.",
        ) from error
    return Card.from_json(text, name=weights.stem)


def _check_skeleton(card: Card) -> Skeleton:
    """The keypoint set that the card names, if it is still the one the model was trained for."""
    skeleton = SKELETONS.get(card.skeleton)
    if skeleton is None:
        raise ModelError(
            f"Model {card.name} finds the keypoint set {card.skeleton}, which is not known.",
            hint=f"Known sets: {', '.join(SKELETONS)}.",
        )
    if (skeleton.keypoints, skeleton.limbs) != (card.keypoints, card.limbs):
        raise ModelError(
            f"Model {card.name} and this program disagree about the keypoint set {card.skeleton}.",
            hint="Use the version of vid2kp that the model was made with, or another model.",
        )
    return skeleton


def _read_tensors(path: Path, card: Card) -> dict[str, Tensor]:
    """The weights as float32, after their SHA-256 was found to be that of the card."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Model {card.name} cannot be read.", hint="May you read it?") from error
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ModelError(
            f"The weights of model {card.name} are not those of its card (SHA-256 differs).",
            hint=_GET_ANOTHER,
        )
    try:
        tensors = safetensors.torch.load(data)
    except SafetensorError as error:
        raise ModelError(
            f"The weights of model {card.name} are damaged.", hint=_GET_ANOTHER
        ) from error
    return {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}


def _empty_network(card: Card, skeleton: Skeleton) -> Network:
    """The network of a card, without memory for its weights."""
    if card.architecture not in ARCHITECTURES:
        raise ModelError(
            f"Model {card.name} has the architecture {card.architecture}, which is not known.",
            hint=f"Known architectures: {', '.join(ARCHITECTURES)}.",
        )
    try:
        with torch.device("meta"):
            return ARCHITECTURES[card.architecture](skeleton, **card.options)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The options of model {card.name} do not fit its architecture.", hint=_GET_ANOTHER
        ) from error


def _check_shapes(tensors: dict[str, Tensor], network: Network, card: Card) -> None:
    """Raises ModelError unless the file holds exactly the network's tensors."""
    wanted = {k: tuple(t.shape) for k, t in network.state_dict().items()}
    given = {k: tuple(t.shape) for k, t in tensors.items()}
    for key in sorted(wanted.keys() | given.keys()):
        if wanted.get(key) != given.get(key):
            raise ModelError(
                f"Model {card.name} does not fit its card: {key} is "
                f"{given.get(key, 'missing')}, expected {wanted.get(key, 'nothing')}.",
                hint=_GET_ANOTHER,
            )


def _stored_tensors(network: Network, *, half: bool) -> dict[str, Tensor]:
    """The network's state, on the CPU, as float32 or float16."""
    kind = torch.float16 if half else torch.float32
    return {
        key: (tensor.to(kind) if tensor.is_floating_point() else tensor).cpu().contiguous()
        for key, tensor in network.state_dict().items()
    }
