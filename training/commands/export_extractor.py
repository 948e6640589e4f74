"""`ecm export-extractor`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch

from features.backbone.export import write_backbone
from features.backbone.i3d import FLOW_CHANNELS, RGB_CHANNELS, I3d, TwoStreamI3d, i3d_from_state
from features.backbone.libraries.licences import licence_notice
from features.backbone.libraries.named import build_backbone
from features.backbone.libraries.request import SEED, Backbone, ClipRequest, Weights
from features.backbone.spec import i3d_spec
from model.errors import ModelError, ModelNotFoundError, OptionError
from model.whole_file import sha256_of, whole_path
from training.checkpoint import read_tensors

I3D = "i3d"


def export_extractor(
    backbone: str,
    /,
    *,
    out: Path,
    weights: str | None = None,
    rgb: Path | None = None,
    flow: Path | None = None,
    crop: Literal["centre", "ten"] = "centre",
    flow_method: Literal["tvl1", "dis"] = "tvl1",
    rate_fps: float | None = None,
    snippet_frames: int | None = None,
    frames: int | None = None,
    clip_s: float | None = None,
) -> None:
    """Writes a backbone to one ONNX file.

    Args:
        backbone: i3d, torchvision:NAME, timm:NAME or transformers:ORG/NAME.
        out: ONNX file to write.
        weights: File with the weights, instead of the download of the library; `none` for random
            weights, for tests.
        rgb: For i3d: checkpoint rgb_imagenet.pt; docs/howto/extractors.md says where to find it.
        flow: For i3d: checkpoint flow_imagenet.pt.
        crop: Part of a frame: its centre, or the mean of ten crops, which takes ten times as long.
        flow_method: For i3d, optical flow: TV-L1, on which the public weights were trained, or the
            fast DIS.
        rate_fps: Frames a second; 25 if not given.
        snippet_frames: Frames from one snippet to the next; 15 if not given, which is the clock of
            the extractor `motion`.
        frames: Frames that the network sees of a clip; those of its library if not given.
        clip_s: Seconds that these frames cover; those of its library if not given.
    """
    clock = {
        "rate_fps": rate_fps,
        "snippet_frames": snippet_frames,
        "frames": frames,
        "clip_s": clip_s,
    }
    given = {name: value for name, value in clock.items() if value is not None}
    if backbone == I3D:
        _refuse(given, f"{I3D} has a clock of its own")
        built = _i3d(rgb, flow, weights, crop, flow_method)
    else:
        only_i3d = {"rgb": rgb, "flow": flow, "flow-method": flow_method != "tvl1" or None}
        _refuse({k: v for k, v in only_i3d.items() if v}, f"they are for {I3D}; use --weights")
        request = ClipRequest(crop=crop, **given)  # type: ignore[arg-type]  # types by name
        built = build_backbone(backbone, request, _weights(weights))
    with whole_path(out) as partial:
        write_backbone(built.network, built.spec, partial)
    print(f"{out} {built.spec.id} sha256 {sha256_of(out)}")
    print(licence_notice(built.spec.licence))
    print(f"next: ecm extract VIDEOS --extractor {out} --out my_features/")


def _refuse(given: Mapping[str, object], reason: str) -> None:
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise OptionError(f"{flags} cannot be used here: {reason}")


def _weights(text: str | None) -> Weights:
    if text is None:
        return "download"
    return "random" if text == "none" else Path(text)


def _i3d(
    rgb: Path | None,
    flow: Path | None,
    weights: str | None,
    crop: Literal["centre", "ten"],
    flow_method: Literal["tvl1", "dis"],
) -> Backbone:
    """Returns the two-stream I3D with the weights of its checkpoints, or with random ones."""
    if weights == "none":
        torch.manual_seed(SEED)
        streams = I3d(RGB_CHANNELS), I3d(FLOW_CHANNELS)
        return Backbone(TwoStreamI3d(*streams).eval(), i3d_spec(crop=crop, flow=flow_method))
    if rgb is None or flow is None or weights is not None:
        raise OptionError(
            f"{I3D} has no download; expected --rgb rgb_imagenet.pt --flow flow_imagenet.pt "
            "(docs/howto/extractors.md says where they are found), or --weights none"
        )
    network = TwoStreamI3d(
        read_stream(rgb, channels=RGB_CHANNELS), read_stream(flow, channels=FLOW_CHANNELS)
    )
    hashes = {"rgb": sha256_of(rgb), "flow": sha256_of(flow)}
    return Backbone(network, i3d_spec(crop=crop, flow=flow_method, weights=hashes))


def read_stream(path: Path, *, channels: int) -> I3d:
    """Returns one stream of I3D with the weights of a checkpoint.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelError: it is no file of plain tensors, or not of this stream of I3D.
    """
    if not path.is_file():
        raise ModelNotFoundError(
            f"no checkpoint {path}; expected rgb_imagenet.pt and flow_imagenet.pt of the public "
            "PyTorch I3D: docs/howto/extractors.md says where they are found"
        )
    try:
        return i3d_from_state(read_tensors(path), channels=channels)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
