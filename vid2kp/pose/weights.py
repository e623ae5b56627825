"""Model files: a safetensors file of weights with a JSON card beside it.

The card says what the network is, which keypoints it finds, how large its input should be and what
the weights' SHA-256 is. All of it is checked before a network is handed out, and an error names
the model, never where it lies. Nothing here unpickles.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from vid2kp.errors import ModelError
from vid2kp.files import output_errors, replacing, write_text
from vid2kp.pose.calibration import Calibration
from vid2kp.pose.card import GET_ANOTHER, Card
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import SKELETONS, Skeleton

Network = Lite | OpenPose
"""Any network of the family: `forward`, `normalise`, `stride`, `skeleton`, `options`."""

ARCHITECTURES: dict[str, type[Lite] | type[OpenPose]] = {"lite": Lite, "openpose": OpenPose}

DEFAULT_MODEL = "infant-lite"
SUFFIX = ".safetensors"


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
        path: see `model_path`; the card becomes ``NAME.json`` beside ``NAME.safetensors``.
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
    path = model_path(path)
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


def saved_card(network: Network, path: Path) -> Card | None:
    """The card at a path if the model there is whole and has just these weights, else None."""
    try:
        card = load_model(path).card
    except ModelError:
        return None
    data = safetensors.torch.save(_stored_tensors(network, half=False))
    return card if card.sha256 == hashlib.sha256(data).hexdigest() else None


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
    if card.stride != network.stride:
        raise ModelError(f"The stride of model {card.name} is not its card's.", hint=GET_ANOTHER)
    _check_shapes(tensors, network, card)
    network.load_state_dict(tensors, assign=True)
    return LoadedModel(network.requires_grad_(False).eval(), card)


def check_model(name_or_path: str | Path) -> Card:
    """Loads a model, runs it once on a grey picture and returns its card.

    Raises:
        ModelError: there is no such model, it is not what its card says, or its maps are not
            numbers of the right shape, or its calibration is no rising curve.
    """
    model = load_model(name_or_path)
    card = model.card
    if card.calibration:
        Calibration.from_dict(card.calibration)
    confidence, paf = run_once(model.network, card.name)
    cells = (64 // card.stride, 96 // card.stride)
    shapes = (1, len(card.keypoints) + 1, *cells), (1, 2 * len(card.limbs), *cells)
    if (tuple(confidence.shape), tuple(paf.shape)) != shapes:
        raise ModelError(f"The maps of model {card.name} do not fit its card.", hint=GET_ANOTHER)
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
        raise ModelError(f"The maps of model {name} are not finite.", hint=GET_ANOTHER)
    return confidence, paf


def model_path(path: str | Path) -> Path:
    """The file of a model: ``.safetensors`` is added to a name without it, ``coco.v1`` as well."""
    path = Path(path)
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def find_model(name_or_path: str | Path) -> Path:
    """The weights file that a name or path means.

    Raises:
        ModelError: there is none.
    """
    path = Path(name_or_path)
    shipped = find_weights() / f"{name_or_path}.safetensors"
    if path.parent == Path() and path.suffix == "" and shipped.is_file():
        return shipped
    if path.name:
        for place in (model_path(path), path.with_suffix(SUFFIX)):
            if place.is_file():
                return place
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
            hint=GET_ANOTHER,
        )
    try:
        tensors = safetensors.torch.load(data)
    except SafetensorError as error:
        raise ModelError(
            f"The weights of model {card.name} are damaged.", hint=GET_ANOTHER
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
    except Exception as error:  # torch raises what the values lead it to
        raise ModelError(
            f"The options of model {card.name} do not fit its architecture.", hint=GET_ANOTHER
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
                hint=GET_ANOTHER,
            )


def _stored_tensors(network: Network, *, half: bool) -> dict[str, Tensor]:
    """The network's state, on the CPU, as float32 or float16."""
    kind = torch.float16 if half else torch.float32
    return {
        key: (tensor.to(kind) if tensor.is_floating_point() else tensor).cpu().contiguous()
        for key, tensor in network.state_dict().items()
    }
