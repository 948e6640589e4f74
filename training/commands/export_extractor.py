"""`ecm export-extractor`."""

from pathlib import Path
from typing import Literal

from features.backbone.export import write_backbone
from features.backbone.i3d import FLOW_CHANNELS, RGB_CHANNELS, I3d, TwoStreamI3d, i3d_from_state
from features.backbone.spec import i3d_spec
from model.errors import ModelError, ModelNotFoundError
from model.whole_file import sha256_of, whole_path
from training.checkpoint import read_tensors


def export_extractor(
    *,
    rgb: Path,
    flow: Path,
    out: Path,
    crop: Literal["centre", "ten"] = "centre",
    flow_method: Literal["tvl1", "dis"] = "tvl1",
) -> None:
    """Writes the two-stream I3D to one ONNX file.

    Args:
        rgb: Checkpoint rgb_imagenet.pt; docs/howto/extractors.md says where to find it.
        flow: Checkpoint flow_imagenet.pt; docs/howto/extractors.md says where to find it.
        out: ONNX file to write.
        crop: Part of a frame: its centre, or the mean of ten crops, which takes ten times as long.
        flow_method: Optical flow: TV-L1, on which the public weights were trained, or the fast DIS.
    """
    network = TwoStreamI3d(
        read_stream(rgb, channels=RGB_CHANNELS), read_stream(flow, channels=FLOW_CHANNELS)
    )
    spec = i3d_spec(
        crop=crop, flow=flow_method, weights={"rgb": sha256_of(rgb), "flow": sha256_of(flow)}
    )
    with whole_path(out) as partial:
        write_backbone(network, spec, partial)
    print(f"{out} {spec.id} sha256 {sha256_of(out)}")
    print(f"next: ecm extract VIDEOS --extractor {out} --out my_features/")


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
