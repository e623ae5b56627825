"""The network of Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields".

Ten convolutions of VGG-19 and two of the authors' own make the features F; six stages of two
branches each refine part affinity fields L and confidence maps S, every stage but the first
reading [L, S, F] of the one before. 52.3 M parameters with the coco18 keypoint set.

Every convolution carries its name in the authors' Caffe model (``conv4_3_CPM``,
``Mconv1_stage2_L1``, ...), and each name occurs once: `caffe_names` maps them to the keys of the
state dict. PyTorch ports keep either these names or their order, so both can be imported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vid2kp.pose.skeleton import COCO18, Skeleton

_VGG = {"1": (64, 2), "2": (128, 2), "3": (256, 4), "4": (512, 2)}
_FEATURES = 128


class OpenPose(nn.Module):
    """Confidence maps and part affinity fields in several stages, at an eighth of the input.

    Args:
        skeleton: the keypoint set: K keypoints, C limbs.
        stages: T, six in the paper.
    """

    def __init__(self, skeleton: Skeleton = COCO18, *, stages: int = 6) -> None:
        super().__init__()
        if stages < 1:
            raise ValueError(f"stages must be at least 1, not {stages}")
        self.skeleton = skeleton
        self.options = {"stages": stages}
        self.strides = (8,) * stages
        self.stride = 8
        maps = (2 * len(skeleton.limbs), len(skeleton) + 1)
        self.front = _front()
        self.stages = nn.ModuleList(_stage(t, *maps) for t in range(1, stages + 1))

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The maps of every stage, first to last.

        Args:
            x: (B, 3, H, W) float images as `normalise` makes them; H and W multiples of 8.

        Returns:
            T pairs (S, L): S (B, K+1, H/8, W/8) confidence maps with the background last;
            L (B, 2C, H/8, W/8) part affinity fields, limb c in channels 2c (x) and 2c+1 (y),
            unit vectors in the axes of the input (x right, y down).
        """
        features = self.front(x)
        maps: list[tuple[Tensor, Tensor]] = []
        stage_input = features
        for stage in self.stages:
            paf = stage["paf"](stage_input)  # type: ignore[index]
            confidence = stage["confidence"](stage_input)  # type: ignore[index]
            maps.append((confidence, paf))
            stage_input = torch.cat((paf, confidence, features), dim=1)
        return maps

    def normalise(self, images: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB images as (B, 3, H, W) floats in [-0.5, 0.5)."""
        return images.permute(0, 3, 1, 2).float() / 256 - 0.5

    def caffe_names(self) -> dict[str, str]:
        """Names of the authors' layers, in their order, with the prefix of each in the state dict.

        ``{"conv1_1": "front.conv1_1", ...}``: the layer has ``.weight`` and ``.bias``.
        """
        return {
            path.rpartition(".")[2]: path
            for path, module in self.named_modules()
            if isinstance(module, nn.Conv2d)
        }


def _front() -> nn.Sequential:
    """VGG-19 up to conv4_2, then the two convolutions that shrink its features to 128 channels."""
    layers: dict[str, nn.Module] = {}
    channels = 3
    for block, (width, depth) in _VGG.items():
        if block != "1":
            layers[f"pool{int(block) - 1}"] = nn.MaxPool2d(2)
        for i in range(1, depth + 1):
            _add(layers, f"conv{block}_{i}", channels, width, 3)
            channels = width
    _add(layers, "conv4_3_CPM", channels, 256, 3)
    _add(layers, "conv4_4_CPM", 256, _FEATURES, 3)
    return _chain(layers)


def _stage(t: int, paf_channels: int, confidence_channels: int) -> nn.ModuleDict:
    def branch(suffix: str, out: int) -> nn.Sequential:
        if t == 1:
            return _first_stage(suffix, out)
        return _later_stage(t, suffix, out, paf_channels + confidence_channels)

    return nn.ModuleDict(
        {"paf": branch("L1", paf_channels), "confidence": branch("L2", confidence_channels)}
    )


def _first_stage(suffix: str, out: int) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for i in (1, 2, 3):
        _add(layers, f"conv5_{i}_CPM_{suffix}", 128, 128, 3)
    _add(layers, f"conv5_4_CPM_{suffix}", 128, 512, 1)
    _add(layers, f"conv5_5_CPM_{suffix}", 512, out, 1, rectify=False)
    return _chain(layers)


def _later_stage(t: int, suffix: str, out: int, maps: int) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for i in range(1, 6):
        _add(layers, f"Mconv{i}_stage{t}_{suffix}", _FEATURES + maps if i == 1 else 128, 128, 7)
    _add(layers, f"Mconv6_stage{t}_{suffix}", 128, 128, 1)
    _add(layers, f"Mconv7_stage{t}_{suffix}", 128, out, 1, rectify=False)
    return _chain(layers)


def _add(
    layers: dict[str, nn.Module],
    name: str,
    into: int,
    out: int,
    kernel: int,
    *,
    rectify: bool = True,
) -> None:
    """Adds a convolution, by He initialisation if a rectifier follows, else starting near zero."""
    conv = nn.Conv2d(into, out, kernel, padding=kernel // 2)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    if rectify:
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    else:
        nn.init.normal_(conv.weight, std=0.01)
    layers[name] = conv
    if rectify:
        layers[f"{name}_relu"] = nn.ReLU(inplace=True)


def _chain(layers: dict[str, nn.Module]) -> nn.Sequential:
    chain = nn.Sequential()
    for name, layer in layers.items():
        chain.add_module(name, layer)
    return chain
