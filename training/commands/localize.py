"""write the segments of a whole folder of features to an ActivityNet result file"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from features.extraction import known_origin
from model.arrays import check_features, read_features
from model.errors import DataError, LocalizerError
from model.predict import predict_video
from model.segments import Segment
from model.spec import ModelSpec
from training.checkpoint import load_checkpoint
from training.commands.arguments import (
    add_checkpoint,
    add_device,
    add_reading,
    chosen_spec,
    software,
    torch_engine,
)
from training.datasets.annotations import read_annotations
from training.datasets.result_file import write_detections


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_checkpoint(parser)
    parser.add_argument("--features", type=Path, required=True, help="folder of ID.npy files")
    parser.add_argument("--annotations", type=Path, help="tells durations, where snippets vary")
    parser.add_argument("--out", type=Path, required=True, help="result file, JSON")
    add_device(parser)
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command; files that cannot be read are left out and named."""
    checkpoint = load_checkpoint(arguments.checkpoint)
    spec = chosen_spec(checkpoint, arguments)
    engine = torch_engine(checkpoint, arguments.device)
    named = read_annotations(arguments.annotations) if arguments.annotations else []
    durations_s = {video.id: video.duration_s for video in named if video.duration_s}
    files = sorted(arguments.features.rglob("*.npy"))
    if not files:
        raise DataError(f"{arguments.features} holds no .npy file")
    results: dict[str, list[Segment]] = {}
    for path in tqdm(files, unit="video", disable=None):
        id_ = path.relative_to(arguments.features).with_suffix("").as_posix()
        try:
            features_TD = check_features(read_features(path), feature_dim=spec.feature_dim)
            origin = known_origin(arguments.features, id_)
            known_s = origin.snippet_s * len(features_TD) if origin else durations_s.get(id_)
            duration_s = known_s or _duration_s(id_, len(features_TD), spec)
        except LocalizerError as error:
            tqdm.write(f"left out {path.name}: {error}", file=sys.stderr)
            continue
        found = predict_video(engine, features_TD, spec, duration_s=duration_s)
        results[id_] = found.segments
    write_detections(arguments.out, results, version=software())
    print(f"{arguments.out}: {len(results)} videos, {sum(map(len, results.values()))} segments")
    if len(results) < len(files):
        raise DataError(f"{len(files) - len(results)} of {len(files)} files were left out")


def _duration_s(id_: str, snippets: int, spec: ModelSpec) -> float:
    if spec.snippet_s is None:
        raise DataError(
            f"the duration of {id_} is not known: name it in --annotations, since the snippets "
            "that this model was trained on had no one length"
        )
    return snippets * spec.snippet_s
