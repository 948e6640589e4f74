"""Train, evaluate and export ECM: `python -m training --help`."""

import argparse
import logging
import sys
from collections.abc import Sequence

import torch

from model.errors import LocalizerError
from training.commands import (
    check,
    convert,
    evaluate,
    export,
    export_extractor,
    extract,
    fit,
    import_released,
    localize,
    plot,
    reproduce,
    score,
    simulate,
)

_COMMANDS = {
    "extract": extract,
    "fit": fit,
    "evaluate": evaluate,
    "export": export,
    "export-extractor": export_extractor,
    "localize": localize,
    "plot": plot,
    "score": score,
    "reproduce": reproduce,
    "check": check,
    "convert": convert,
    "simulate": simulate,
    "import-released": import_released,
}

_EXAMPLES = """
examples:
  python -m training fit --annotations A.json --features DIR --out runs/mine
  python -m training fit --preset thumos14 --annotations A.json --features DIR --out runs/t14
  python -m training evaluate runs/mine --annotations A.json --features DIR --subset validation
  python -m training export runs/mine --repository models --name mine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stderr)
    for package in ("model", "training"):
        logging.getLogger(package).setLevel(logging.INFO)
    try:
        parsed.run(parsed)
    except (LocalizerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; whatever was finished stands", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        summary = (module.__doc__ or "").strip()
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    # Late in training gradients get so small that the CPU is several times slower unless it takes
    # them for 0. It has to be said before torch starts its threads, so here and for all of it.
    torch.set_flush_denormal(True)
    sys.exit(main())
