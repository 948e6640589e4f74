"""write a run's network to a model repository as ONNX with its spec"""

import argparse
from dataclasses import replace
from pathlib import Path

from model.repository import publish
from model.spec import Precision
from training.checkpoint import load_checkpoint
from training.commands.arguments import add_checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_checkpoint(parser)
    parser.add_argument("--repository", type=Path, default=Path("models"), help="its folder")
    parser.add_argument("--name", required=True, help="name of the model")
    parser.add_argument("--version", type=int, help="the next free one if not given")
    parser.add_argument(
        "--half", action="store_true", help="in float16: half as large, for a GPU; slower on a CPU"
    )


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    from model.export import write_onnx

    checkpoint = load_checkpoint(arguments.checkpoint)
    network = checkpoint.network()
    precision: Precision = "float16" if arguments.half else "float32"
    spec = replace(checkpoint.spec, precision=precision)
    published = publish(
        arguments.repository,
        arguments.name,
        lambda path: write_onnx(network, spec, path),
        version=arguments.version,
    )
    print(published.path)
