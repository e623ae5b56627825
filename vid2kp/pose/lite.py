"""The compact network of the OpenPose family that ships as default.

Two branches and T = 2 stages as in Cao et al., on a small residual front: stage 1 predicts at
stride 8, stage 2 sees the features and stage 1's maps and predicts at stride 4, where it also
sees the early features, for precision.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vid2kp.pose.skeleton import Skeleton


def conv_bn(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    padding = (kernel // 2) * dilation
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv_bn(channels, channels, dilation=dilation)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        return F.relu_(x + self.second(self.first(x)))


class Branches(nn.Module):
    """The two branches of a stage: confidence maps S and part affinity fields L."""

    def __init__(self, channels: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.confidence = nn.Sequential(
            conv_bn(channels, channels), nn.Conv2d(channels, len(skeleton) + 1, 1)
        )
        self.affinity = nn.Sequential(
            conv_bn(channels, channels), nn.Conv2d(channels, 2 * len(skeleton.limbs), 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) → (B, K + 1, h, w), (B, 2 · limbs, h, w)."""
        return self.confidence(x), self.affinity(x)


class Lite(nn.Module):
    """Compact two-stage network.

    Args:
        skeleton: keypoint set; gives the number of channels.
        width: channels at stride 4, doubled at stride 8.

    Attributes:
        strides: input pixels per cell of each stage's maps.
    """

    strides = (8, 4)

    def __init__(self, skeleton: Skeleton, *, width: int = 64) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.width = width
        deep = 2 * width
        head = 3 * width // 4
        maps = len(skeleton) + 1 + 2 * len(skeleton.limbs)
        self.fine = nn.Sequential(
            conv_bn(3, width // 2, stride=2), conv_bn(width // 2, width, stride=2), Residual(width)
        )
        self.coarse = nn.Sequential(
            conv_bn(width, deep, stride=2),
            Residual(deep),
            Residual(deep, dilation=2),
            Residual(deep, dilation=2),
            Residual(deep, dilation=4),
        )
        self.stage1 = nn.Sequential(conv_bn(deep, width), Branches(width, skeleton))
        self.refine = nn.Sequential(
            conv_bn(deep + maps, deep), Residual(deep, dilation=2), Residual(deep, dilation=2)
        )
        self.shrink = conv_bn(deep, width, kernel=1)
        self.stage2 = nn.Sequential(conv_bn(2 * width, head), Branches(head, skeleton))

    @property
    def stride(self) -> int:
        """Input pixels per cell of the last stage's maps."""
        return self.strides[-1]

    @property
    def options(self) -> dict[str, int]:
        """What the constructor needs besides the keypoint set."""
        return {"width": self.width}

    @staticmethod
    def normalise(images: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB → (B, 3, H, W) float32 in [-1, 1], channels last in memory."""
        return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Belief maps of every stage.

        Args:
            x: (B, 3, H, W) as `normalise` gives it; H and W multiples of 8.

        Returns:
            Per stage S (B, K + 1, H/stride, W/stride), background last, and L (B, 2 · limbs, …),
            x and y of limb c in channels 2c and 2c + 1.
        """
        fine = self.fine(x)
        coarse = self.coarse(fine)
        first = self.stage1(coarse)
        deep = self.refine(torch.cat([coarse, *first], 1))
        up = F.interpolate(
            self.shrink(deep), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return [first, self.stage2(torch.cat([up, fine], 1))]
