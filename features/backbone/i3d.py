"""The two-stream I3D backbone: Inception-v1 inflated to three dimensions.

Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017. Layers and parameters have the
names in the public PyTorch checkpoints `rgb_imagenet.pt` and `flow_imagenet.pt`.

Axes: N clips, C channels, F frames, H rows, W columns, D feature channels, T positions in time.
"""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.errors import ModelError

RGB_CHANNELS, FLOW_CHANNELS = 3, 2
FEATURE_DIM = 1024
"""Channels of the features of one stream."""

Window: TypeAlias = tuple[int, int, int]
"""Size in frames, rows and columns."""

_FIRST_LAYER = "Conv3d_1a_7x7.conv3d.weight"
_LAST_LAYER = "logits.conv3d.weight"


class I3d(nn.Module):
    """One stream of I3D."""

    def __init__(self, channels: int, *, classes: int = 400) -> None:
        """Builds the layers in the order of their execution.

        Args:
            channels: 3 for RGB, 2 for optical flow.
            classes: classes of the checkpoint; the features do not depend on them.
        """
        super().__init__()
        self.Conv3d_1a_7x7 = Convolution(channels, 64, size=7, stride=2)
        self.MaxPool3d_2a_3x3 = MaxPool((1, 3, 3), stride=(1, 2, 2))
        self.Conv3d_2b_1x1 = Convolution(64, 64)
        self.Conv3d_2c_3x3 = Convolution(64, 192, size=3)
        self.MaxPool3d_3a_3x3 = MaxPool((1, 3, 3), stride=(1, 2, 2))
        self.Mixed_3b = Mixed(192, 64, (96, 128), (16, 32), 32)
        self.Mixed_3c = Mixed(256, 128, (128, 192), (32, 96), 64)
        self.MaxPool3d_4a_3x3 = MaxPool((3, 3, 3), stride=(2, 2, 2))
        self.Mixed_4b = Mixed(480, 192, (96, 208), (16, 48), 64)
        self.Mixed_4c = Mixed(512, 160, (112, 224), (24, 64), 64)
        self.Mixed_4d = Mixed(512, 128, (128, 256), (24, 64), 64)
        self.Mixed_4e = Mixed(512, 112, (144, 288), (32, 64), 64)
        self.Mixed_4f = Mixed(528, 256, (160, 320), (32, 128), 128)
        self.MaxPool3d_5a_2x2 = MaxPool((2, 2, 2), stride=(2, 2, 2))
        self.Mixed_5b = Mixed(832, 256, (160, 320), (32, 128), 128)
        self.Mixed_5c = Mixed(832, 384, (192, 384), (48, 128), 128)
        self.logits = Classifier(FEATURE_DIM, classes)

    def forward(self, clips_NCFHW: Tensor) -> Tensor:
        """Returns the features before the classifier, (N, D, T); T is 1 for 16 frames.

        Input values are in [-1, 1]. Average pooling covers the whole image, which is the published
        7 x 7 for 224 x 224 pixels. Clips of other sizes work too, from 9 frames on.
        """
        values_NCFHW = clips_NCFHW
        for name, layer in self.named_children():
            if name != "logits":
                values_NCFHW = layer(values_NCFHW)
        return functional.avg_pool1d(values_NCFHW.mean(dim=(3, 4)), kernel_size=2, stride=1)


class Mixed(nn.Module):
    """An Inception block: four parallel branches whose channels are concatenated."""

    def __init__(
        self, channels: int, b0: int, b1: tuple[int, int], b2: tuple[int, int], b3: int
    ) -> None:
        """Builds branches with the given numbers of channels."""
        super().__init__()
        self.b0 = Convolution(channels, b0)
        self.b1a = Convolution(channels, b1[0])
        self.b1b = Convolution(b1[0], b1[1], size=3)
        self.b2a = Convolution(channels, b2[0])
        self.b2b = Convolution(b2[0], b2[1], size=3)
        self.b3a = MaxPool((3, 3, 3), stride=(1, 1, 1))
        self.b3b = Convolution(channels, b3)

    def forward(self, values_NCFHW: Tensor) -> Tensor:
        """Returns the concatenated outputs of the branches."""
        branches = (
            self.b0(values_NCFHW),
            self.b1b(self.b1a(values_NCFHW)),
            self.b2b(self.b2a(values_NCFHW)),
            self.b3b(self.b3a(values_NCFHW)),
        )
        return torch.cat(branches, dim=1)


class Convolution(nn.Module):
    """Convolution with "same" padding, batch normalization and ReLU."""

    def __init__(self, channels: int, width: int, *, size: int = 1, stride: int = 1) -> None:
        """Builds a convolution with equal size and stride in time and space."""
        super().__init__()
        self.conv3d = nn.Conv3d(channels, width, size, stride=stride, bias=False)
        self.bn = nn.BatchNorm3d(width, eps=1e-3, momentum=0.01)
        self.window: Window = (size, size, size)
        self.stride: Window = (stride, stride, stride)

    def forward(self, values_NCFHW: Tensor) -> Tensor:
        """Returns values of size ceil(input / stride)."""
        padded = pad_same(values_NCFHW, self.window, self.stride)
        return functional.relu(self.bn(self.conv3d(padded)))


class MaxPool(nn.Module):
    """Max pooling with "same" padding by zeros, which is exact because values come from a ReLU."""

    def __init__(self, window: Window, *, stride: Window) -> None:
        """Builds the pooling from window and stride, each in frames, rows and columns."""
        super().__init__()
        self.window, self.stride = window, stride

    def forward(self, values_NCFHW: Tensor) -> Tensor:
        """Returns values of size ceil(input / stride)."""
        padded = pad_same(values_NCFHW, self.window, self.stride)
        return functional.max_pool3d(padded, self.window, self.stride)


class Classifier(nn.Module):
    """The last layer of the checkpoints, for the classes of Kinetics."""

    def __init__(self, channels: int, classes: int) -> None:
        """Builds the layer for a number of feature channels and of classes."""
        super().__init__()
        self.conv3d = nn.Conv3d(channels, classes, 1)

    def forward(self, features_NDT: Tensor) -> Tensor:
        """Returns logits (N, classes, T)."""
        return self.conv3d(features_NDT[..., None, None])[..., 0, 0]


def pad_same(values_NCFHW: Tensor, window: Window, stride: Window) -> Tensor:
    """Returns the values padded with zeros like "SAME" in TensorFlow.

    An axis of `size` gets `max((ceil(size / stride) - 1) * stride + window - size, 0)` zeros, an
    odd one at its end. Size 4 with window 3 and stride 2 gets 1 zero, at its end.
    """
    pads: list[int] = []
    for size, reach, step in zip(values_NCFHW.shape[2:], window, stride, strict=True):
        total = max((-(-size // step) - 1) * step + reach - size, 0)
        pads = [total // 2, total - total // 2, *pads]  # torch expects the last axis first
    return functional.pad(values_NCFHW, pads) if any(pads) else values_NCFHW


class TwoStreamI3d(nn.Module):
    """Both streams in one network, for export."""

    def __init__(self, rgb: I3d, flow: I3d) -> None:
        """Combines both streams."""
        super().__init__()
        self.rgb, self.flow = rgb, flow

    def forward(self, rgb_NFHWC: Tensor, flow_NFHWC: Tensor) -> Tensor:
        """Returns the features of clips, (N, 2 D), RGB first, averaged over time."""
        features = (
            self.rgb(rgb_NFHWC.permute(0, 4, 1, 2, 3)),
            self.flow(flow_NFHWC.permute(0, 4, 1, 2, 3)),
        )
        return torch.cat(features, dim=1).mean(dim=2)


def i3d_from_state(state: Mapping[str, object], *, channels: int) -> I3d:
    """Returns the stream with the weights of a checkpoint, in evaluation mode.

    Args:
        state: tensors by name; the number of classes is free.
        channels: 3 for RGB, 2 for optical flow.

    Raises:
        ModelError: names or shapes differ from the public checkpoints, or a value is NaN or
            infinite.
    """
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    stored = _size(tensors, _FIRST_LAYER, axis=1)
    if stored != channels:
        raise ModelError(
            f"expected {_FIRST_LAYER} for {channels} channels, got {stored}; RGB weights have "
            f"{RGB_CHANNELS}, flow weights {FLOW_CHANNELS}"
        )
    network = I3d(channels, classes=_size(tensors, _LAST_LAYER, axis=0))
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"not the weights of I3D: {_first_lines(error)}") from error
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise ModelError(f"{name} contains NaN or infinity")
    return network.eval()


def _size(tensors: Mapping[str, Tensor], name: str, *, axis: int) -> int:
    """Returns the size of an axis of a five-dimensional weight."""
    if name not in tensors:
        raise ModelError(
            f"no weights {name!r}; expected the names of rgb_imagenet.pt or flow_imagenet.pt, got "
            f"{sorted(tensors)[:3]}"
        )
    if tensors[name].ndim != 5:
        raise ModelError(f"expected {name} with 5 axes, got shape {tuple(tensors[name].shape)}")
    return tensors[name].shape[axis]


def _first_lines(error: RuntimeError) -> str:
    """Returns the message of torch, shortened: a wrong file lacks hundreds of names."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:300] + " ..."
