"""Foreign checkpoints → models of this project.

The network of Cao et al. has many PyTorch ports. Their files differ in how the layers are named,
in the order of colours and in what is subtracted from them, and in the order of the maps; the
numbers are the same. All of that is turned into this project's conventions once, here, so that an
imported model is like any other. Of a checkpoint only tensors are read (``weights_only``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from vid2kp.errors import ModelError
from vid2kp.pose.lite import Lite
from vid2kp.pose.map_order import ORDERS, Order, adapted, reordered
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import COCO18, SKELETONS, Skeleton
from vid2kp.pose.weights import Network

Tensors = dict[str, Tensor]
Colours = Literal["bgr", "rgb", "imagenet"]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_REPORT_LINES = 3


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a checkpoint does not say of itself; this project's own files need none of it.

    Attributes:
        colours: what the network was trained on: ``bgr``, values / 256 − 0.5 (the authors and
            conversions of their model); ``rgb``, the same; or ``imagenet``, RGB with ImageNet's
            mean and deviation.
        order: the order of the maps.
        skeleton: the keypoint set wanted, to train on; what the checkpoint lacks starts as a copy
            of the nearest that it has. That of the checkpoint if None.
    """

    colours: Colours = "bgr"
    order: Order = "cmu"
    skeleton: Skeleton | None = None


@dataclass(frozen=True, eq=False)
class Imported:
    """A network from a checkpoint.

    Attributes:
        network: in evaluation mode.
        layout: how the checkpoint names its layers.
        sha256: of the checkpoint.
        untrained: keypoints that the checkpoint did not have.
        size: side of the input that `vid2kp train` trained it on, pixels; None if another did.
    """

    network: Network
    layout: str
    sha256: str
    untrained: tuple[str, ...] = ()
    size: int | None = None


class CheckpointMismatch(ModelError):
    """A checkpoint does not have the layers that it should.

    Attributes:
        rows: (layer, what the checkpoint has, what the network has) for each that differs.
    """

    def __init__(self, rows: Sequence[tuple[str, str, str]]) -> None:
        self.rows = tuple(rows)
        shown = "; ".join(
            f"{name} is {given}, expected {want}" for name, given, want in rows[:_REPORT_LINES]
        )
        more = f"; and {len(rows) - _REPORT_LINES} more" if len(rows) > _REPORT_LINES else ""
        super().__init__(
            f"The checkpoint does not fit the network: {shown}{more}.",
            hint="Only the network of Cao et al. 2017 (VGG-19, two branches) can be imported, "
            "with the keypoints of a known set.",
        )


def import_checkpoint(path: Path, *, options: ImportOptions | None = None) -> Imported:
    """A network from a foreign checkpoint, or from one of this project's training runs.

    Args:
        path: a ``.pth``, ``.pth.tar``, ``.pt`` or ``.safetensors`` file: a state dict, or a dict
            that holds one. Layers may have the authors' names (``conv1_1``, with any prefix), those
            of the ports that number them (``model0.0``, ``model2_1.4``), or this project's.
        options: the port's conventions.

    Returns:
        The network, which takes RGB as `OpenPose.normalise` makes it and has this project's maps.

    Raises:
        ModelError: the file cannot be read without unpickling objects, or holds no such network.
        CheckpointMismatch: layers are missing, too many, or of other shapes.
    """
    options = options or ImportOptions()
    tensors, sha256, size = read_checkpoint(path)
    tensors = _without_prefix(tensors)
    if "fine.0.0.weight" in tensors:
        lite = _own_lite(tensors)
        if options.skeleton not in (None, lite.skeleton):
            raise ModelError(
                "The keypoint set of a lite network cannot be changed.",
                hint="Import it as it is.",
            )
        return Imported(lite.eval(), "vid2kp", sha256, size=size)
    own = "front.conv1_1.weight" in tensors
    layers, layout = _caffe_layers(tensors)
    skeleton = _skeleton_of(layers)
    _check(layers, _expected(skeleton, layers))
    if not own:
        layers = reordered(layers, skeleton, ORDERS[options.order])
        _change_stem(layers, options.colours)
    wanted = options.skeleton or skeleton
    layers, untrained = adapted(layers, skeleton, wanted)
    network = _empty(wanted, layers)
    paths = network.caffe_names()
    state = {f"{paths[name]}.{kind}": tensor for (name, kind), tensor in _parts(layers).items()}
    network.load_state_dict(state, assign=True)
    return Imported(network.eval(), "vid2kp" if own else layout, sha256, untrained, size)


def read_checkpoint(path: Path) -> tuple[Tensors, str, int | None]:
    """The state dict of a checkpoint as float32, the file's SHA-256, and `Imported.size`.

    Raises:
        ModelError: the file is not there, or cannot be read without unpickling objects.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError("The checkpoint cannot be read.", hint="Check the path.") from error
    except SafetensorError as error:
        raise ModelError("The checkpoint is damaged.", hint="Get it once more.") from error
    except Exception as error:  # torch raises what the file's bytes lead it to
        raise ModelError(
            "The checkpoint is no file of tensors, or holds more than tensors.",
            hint="Where you trust it, save its state dict alone: "
            "torch.save(checkpoint['state_dict'], 'tensors.pth').",
        ) from error
    tensors = _state_dict(content)
    if not tensors:
        raise ModelError("The checkpoint holds no tensors.", hint="Give a state dict.")
    if not all(map(_holds_numbers, tensors.values())):
        raise ModelError(
            "The checkpoint holds tensors without plain numbers (sparse, quantised, complex or "
            "without data).",
            hint="Save its state dict as dense float tensors.",
        )
    return {key: tensor.float() for key, tensor in tensors.items()}, digest, _trained_at(content)


def _trained_at(content: Any) -> int | None:
    facts = content.get("facts") if isinstance(content, Mapping) else None
    size = facts.get("size") if isinstance(facts, Mapping) else None
    return size if isinstance(size, int) else None


def _holds_numbers(tensor: Tensor) -> bool:
    is_plain = tensor.layout is torch.strided and not tensor.is_quantized
    return is_plain and not tensor.is_meta and not tensor.is_complex()


def _state_dict(content: Any) -> Tensors:
    """The largest dict of tensors in a checkpoint, at its top or one below, without counters.

    Of two that are as large, the one of averaged weights: it is what a training hands out.
    """
    if not isinstance(content, Mapping):
        return {}
    places = [content, *(value for value in content.values() if isinstance(value, Mapping))]
    found = [{str(k): v for k, v in place.items() if isinstance(v, Tensor)} for place in places]
    found.sort(key=lambda tensors: not tensors.get("n_averaged", torch.zeros(1)).any())
    layers = [{k: t for k, t in tensors.items() if _in_a_layer(k, t)} for tensors in found]
    return max(layers, key=len)


def _in_a_layer(name: str, tensor: Tensor) -> bool:
    """Whether a tensor is part of a layer, not a counter beside them (``epoch``)."""
    return tensor.ndim > 0 or name.endswith("num_batches_tracked")


def _without_prefix(tensors: Tensors) -> Tensors:
    """Names without what wrappers put before all of them (``module.``, ``model.``)."""
    while tensors:
        heads = {key.partition(".")[0] for key in tensors}
        if len(heads) > 1 or not all("." in key for key in tensors):
            break
        tensors = {key.partition(".")[2]: tensor for key, tensor in tensors.items()}
    return tensors


# ---------------------------------------------------------------- names


def _caffe_layers(tensors: Tensors) -> tuple[Tensors, str]:
    """The tensors under the authors' names, ``conv1_1.weight``, and how they were named before.

    Tensors whose names say nothing keep them, to be reported.
    """
    numbered = _numbered_layers(tensors)
    if numbered:
        return {numbered.get(key, key): tensor for key, tensor in tensors.items()}, "numbered"
    stages = [int(m[1]) for key in tensors if (m := re.search(r"_stage(\d+)_L[12]", key, re.I))]
    # No file makes the program build more stages than any port has.
    known = _empty(COCO18, stages=min(max(stages, default=1), 12)).caffe_names()
    spelling = {name.lower(): name for name in known}
    renamed: Tensors = {}
    for key, tensor in tensors.items():
        *path, kind = key.split(".")
        name = spelling.get(path[-1].lower()) if path else None
        renamed[f"{name}.{kind}" if name else key] = tensor
    return renamed, "named"


def _numbered_layers(tensors: Tensors) -> dict[str, str]:
    """The authors' names of layers that are numbered within blocks.

    Blocks are ``model0`` and ``model<stage>_<branch>``; within one the convolutions keep the
    authors' order, with gaps for rectifiers and pools.
    """
    blocks: dict[tuple[int, int], set[int]] = {}
    for key in tensors:
        if match := re.fullmatch(r"model(\d+)(?:_(\d))?\.(\d+)\.(?:weight|bias)", key):
            block = (int(match[1]), int(match[2] or 0))
            blocks.setdefault(block, set()).add(int(match[3]))
    names: dict[str, str] = {}
    for (stage, branch), numbers in blocks.items():
        head = f"model{stage}_{branch}" if branch else f"model{stage}"
        for number, layer in zip(sorted(numbers), _block_layers(stage, branch), strict=False):
            for kind in ("weight", "bias"):
                names[f"{head}.{number}.{kind}"] = f"{layer}.{kind}"
    return names


def _block_layers(stage: int, branch: int) -> list[str]:
    if stage == 0:
        return list(_empty(COCO18, stages=1).caffe_names())[:12]
    if stage == 1:
        return [f"conv5_{i}_CPM_L{branch}" for i in range(1, 6)]
    return [f"Mconv{i}_stage{stage}_L{branch}" for i in range(1, 8)]


def _parts(layers: Tensors) -> dict[tuple[str, str], Tensor]:
    """The tensors by layer and kind (weight, bias)."""
    return {(key.rpartition(".")[0], key.rpartition(".")[2]): t for key, t in layers.items()}


# ---------------------------------------------------------------- shapes


def _stage_count(layers: Tensors) -> int:
    found = [int(m[1]) for key in layers if (m := re.match(r"Mconv\d_stage(\d+)_L", key))]
    return max(found, default=1)


def _empty(skeleton: Skeleton, layers: Tensors | None = None, *, stages: int = 0) -> OpenPose:
    """The network, without memory for its weights."""
    with torch.device("meta"):
        return OpenPose(skeleton, stages=stages or _stage_count(layers or {}))


def _expected(skeleton: Skeleton, layers: Tensors) -> dict[str, tuple[int, ...]]:
    network = _empty(skeleton, layers)
    state = network.state_dict()
    return {
        f"{name}.{kind}": tuple(state[f"{path}.{kind}"].shape)
        for name, path in network.caffe_names().items()
        for kind in ("weight", "bias")
    }


def _skeleton_of(layers: Tensors) -> Skeleton:
    """The keypoint set that a network's last layers have the maps of; coco18 if they have none."""
    maps = tuple(
        len(layers[key]) if key in layers else None
        for key in ("conv5_5_CPM_L1.bias", "conv5_5_CPM_L2.bias")
    )
    for skeleton in SKELETONS.values():
        if maps == (2 * len(skeleton.limbs), len(skeleton) + 1):
            return skeleton
    return COCO18


def _check(layers: Tensors, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raises CheckpointMismatch unless there are exactly the expected shapes."""
    given = {key: tuple(tensor.shape) for key, tensor in layers.items()}
    rows = [
        (key, str(given.get(key, "missing")), str(expected.get(key, "nothing")))
        for key in (*expected, *(key for key in given if key not in expected))
        if given.get(key) != expected.get(key)
    ]
    if rows:
        raise CheckpointMismatch(rows)


def _own_lite(tensors: Tensors) -> Lite:
    """A lite network of this project's training."""
    maps = len(tensors.get("stage2.1.confidence.1.bias", ()))
    skeleton = next((s for s in SKELETONS.values() if len(s) + 1 == maps), COCO18)
    with torch.device("meta"):
        network = Lite(skeleton, width=2 * len(tensors["fine.0.0.weight"]))
    _check(tensors, {key: tuple(t.shape) for key, t in network.state_dict().items()})
    counts = {k: t.long() for k, t in tensors.items() if k.endswith("num_batches_tracked")}
    network.load_state_dict({**tensors, **counts}, assign=True)
    return network


# ---------------------------------------------------------------- colours


def _change_stem(layers: Tensors, colours: Colours) -> None:
    """Makes the first layer take RGB / 256 − 0.5, in place.

    For ``imagenet`` the scale and the mean go into the weights and the bias, which is exact but
    for the picture's outermost pixels, around which the padding is another grey.
    """
    weight = layers["conv1_1.weight"]
    if colours == "bgr":
        layers["conv1_1.weight"] = weight.flip(1).contiguous()
    elif colours == "imagenet":
        mean, deviation = torch.tensor(_IMAGENET_MEAN), torch.tensor(_IMAGENET_DEVIATION)
        # (p / 255 − mean) / deviation with p = 256 (x + 0.5)
        gain, offset = 256 / 255 / deviation, (128 / 255 - mean) / deviation
        shift = (weight * offset[:, None, None]).sum(dim=(1, 2, 3))
        layers["conv1_1.bias"] = layers["conv1_1.bias"] + shift
        layers["conv1_1.weight"] = weight * gain[:, None, None]
