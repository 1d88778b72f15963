"""Inception-V3 (Szegedy et al. 2016) with a width multiplier; names follow torchvision's state dicts."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kernel = int | tuple[int, int]

# Children of torchvision's network in order, for state dicts that number them (RadImageNet style).
CHILDREN = (
    "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3",
    "maxpool2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d",
    "Mixed_6e", "AuxLogits",
    "Mixed_7a", "Mixed_7b", "Mixed_7c", "avgpool", "dropout", "fc",
)  # fmt: skip


class BasicConv2d(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _pooled(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1)


class InceptionA(nn.Module):
    def __init__(self, inputs: int, pool: int, w: Width) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(inputs, w(64), 1)
        self.branch5x5_1 = BasicConv2d(inputs, w(48), 1)
        self.branch5x5_2 = BasicConv2d(w(48), w(64), 5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(inputs, w(64), 1)
        self.branch3x3dbl_2 = BasicConv2d(w(64), w(96), 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(w(96), w(96), 3, padding=1)
        self.branch_pool = BasicConv2d(inputs, w(pool), 1)
        self.width = 2 * w(64) + w(96) + w(pool)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        five = self.branch5x5_2(self.branch5x5_1(x))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(_pooled(x))], 1)


class InceptionB(nn.Module):
    def __init__(self, inputs: int, w: Width) -> None:
        super().__init__()
        self.branch3x3 = BasicConv2d(inputs, w(384), 3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(inputs, w(64), 1)
        self.branch3x3dbl_2 = BasicConv2d(w(64), w(96), 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(w(96), w(96), 3, stride=2)
        self.width = w(384) + w(96) + inputs

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)], 1)


class InceptionC(nn.Module):
    def __init__(self, inputs: int, channels: int, w: Width) -> None:
        super().__init__()
        c, across, along = w(channels), (1, 7), (7, 1)
        self.branch1x1 = BasicConv2d(inputs, w(192), 1)
        self.branch7x7_1 = BasicConv2d(inputs, c, 1)
        self.branch7x7_2 = BasicConv2d(c, c, across, padding=(0, 3))
        self.branch7x7_3 = BasicConv2d(c, w(192), along, padding=(3, 0))
        self.branch7x7dbl_1 = BasicConv2d(inputs, c, 1)
        self.branch7x7dbl_2 = BasicConv2d(c, c, along, padding=(3, 0))
        self.branch7x7dbl_3 = BasicConv2d(c, c, across, padding=(0, 3))
        self.branch7x7dbl_4 = BasicConv2d(c, c, along, padding=(3, 0))
        self.branch7x7dbl_5 = BasicConv2d(c, w(192), across, padding=(0, 3))
        self.branch_pool = BasicConv2d(inputs, w(192), 1)
        self.width = 4 * w(192)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_pooled(x))], 1)


class InceptionD(nn.Module):
    def __init__(self, inputs: int, w: Width) -> None:
        super().__init__()
        self.branch3x3_1 = BasicConv2d(inputs, w(192), 1)
        self.branch3x3_2 = BasicConv2d(w(192), w(320), 3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(inputs, w(192), 1)
        self.branch7x7x3_2 = BasicConv2d(w(192), w(192), (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(w(192), w(192), (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(w(192), w(192), 3, stride=2)
        self.width = w(320) + w(192) + inputs

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        three = self.branch3x3_2(self.branch3x3_1(x))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, stride=2)], 1)


class InceptionE(nn.Module):
    def __init__(self, inputs: int, w: Width) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(inputs, w(320), 1)
        self.branch3x3_1 = BasicConv2d(inputs, w(384), 1)
        self.branch3x3_2a = BasicConv2d(w(384), w(384), (1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(w(384), w(384), (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(inputs, w(448), 1)
        self.branch3x3dbl_2 = BasicConv2d(w(448), w(384), 3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(w(384), w(384), (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(w(384), w(384), (3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(inputs, w(192), 1)
        self.width = w(320) + 4 * w(384) + w(192)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(_pooled(x))]
        return torch.cat(parts, 1)


class Width:
    """Scales a layer's width, rounded to multiples of 4 (exact at 1.0)."""

    def __init__(self, multiplier: float) -> None:
        self.multiplier = multiplier

    def __call__(self, channels: int) -> int:
        return max(4, 4 * round(channels * self.multiplier / 4))


class InceptionV3(nn.Module):
    """(B, in, rows, cols), at least 75 px a side, to (B, width) features; 2048 wide at multiplier 1."""

    def __init__(self, in_channels: int = 1, multiplier: float = 0.25) -> None:
        super().__init__()
        w = Width(multiplier)
        self.in_channels = in_channels
        self.Conv2d_1a_3x3 = BasicConv2d(in_channels, w(32), 3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(w(32), w(32), 3)
        self.Conv2d_2b_3x3 = BasicConv2d(w(32), w(64), 3, padding=1)
        self.Conv2d_3b_1x1 = BasicConv2d(w(64), w(80), 1)
        self.Conv2d_4a_3x3 = BasicConv2d(w(80), w(192), 3)
        self.Mixed_5b = InceptionA(w(192), 32, w)
        self.Mixed_5c = InceptionA(self.Mixed_5b.width, 64, w)
        self.Mixed_5d = InceptionA(self.Mixed_5c.width, 64, w)
        self.Mixed_6a = InceptionB(self.Mixed_5d.width, w)
        self.Mixed_6b = InceptionC(self.Mixed_6a.width, 128, w)
        self.Mixed_6c = InceptionC(self.Mixed_6b.width, 160, w)
        self.Mixed_6d = InceptionC(self.Mixed_6c.width, 160, w)
        self.Mixed_6e = InceptionC(self.Mixed_6d.width, 192, w)
        self.Mixed_7a = InceptionD(self.Mixed_6e.width, w)
        self.Mixed_7b = InceptionE(self.Mixed_7a.width, w)
        self.Mixed_7c = InceptionE(self.Mixed_7b.width, w)
        self.width = self.Mixed_7c.width

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = F.max_pool2d(x, 3, stride=2)
        for name in CHILDREN:
            if name.startswith("Mixed"):
                x = getattr(self, name)(x)
        return x.mean(dim=(2, 3))


def inception_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A torchvision-style or numbered (RadImageNet-style) state dict in this network's names, trunk only."""
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        name = re.sub(r"^(module\.|model\.|backbone\.)+", "", key)
        head, _, rest = name.partition(".")
        if head.isdigit():
            if int(head) >= len(CHILDREN):
                raise ValueError(f"The state dict numbers a layer {head} that Inception-V3 lacks: check its source.")
            head = CHILDREN[int(head)]
        if head.startswith(("Conv2d", "Mixed")):
            result[f"{head}.{rest}"] = value
    if not result:
        raise ValueError("The state dict holds no Inception-V3 layers: pass one in torchvision's naming.")
    return result
