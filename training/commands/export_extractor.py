"""write the two-stream I3D to one ONNX file, from its public checkpoints"""

import argparse
from pathlib import Path

from features.backbone.i3d import FLOW_CHANNELS, RGB_CHANNELS, I3d, TwoStreamI3d, i3d_from_state
from features.backbone.spec import i3d_spec
from model.errors import ModelError, ModelNotFoundError
from model.whole_file import sha256_of, whole_path
from training.checkpoint import read_tensors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    where = "docs/extractors.md says where it is found"
    parser.add_argument("--rgb", type=Path, required=True, help=f"rgb_imagenet.pt; {where}")
    parser.add_argument("--flow", type=Path, required=True, help=f"flow_imagenet.pt; {where}")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument(
        "--crop",
        choices=("centre", "ten"),
        default="centre",
        help="the centre of a frame, or the mean of ten crops, ten times as slow",
    )
    parser.add_argument(
        "--flow-method",
        choices=("tvl1", "dis"),
        default="tvl1",
        help="optical flow: TV-L1, on which the public weights were trained, or the fast DIS",
    )


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    network = TwoStreamI3d(
        read_stream(arguments.rgb, channels=RGB_CHANNELS),
        read_stream(arguments.flow, channels=FLOW_CHANNELS),
    )
    spec = i3d_spec(
        crop=arguments.crop,
        flow=arguments.flow_method,
        weights={"rgb": sha256_of(arguments.rgb), "flow": sha256_of(arguments.flow)},
    )
    from features.backbone.export import write_backbone

    out: Path = arguments.out
    with whole_path(out) as partial:
        write_backbone(network, spec, partial)
    print(f"{out} {spec.id} sha256 {sha256_of(out)}")


def read_stream(path: Path, *, channels: int) -> I3d:
    """Returns one stream of I3D with the weights of a checkpoint.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelError: it is no file of plain tensors, or not of this stream of I3D.
    """
    if not path.is_file():
        raise ModelNotFoundError(
            f"no checkpoint {path}; expected rgb_imagenet.pt and flow_imagenet.pt of the public "
            "PyTorch I3D: docs/extractors.md says where they are found"
        )
    try:
        return i3d_from_state(read_tensors(path), channels=channels)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
