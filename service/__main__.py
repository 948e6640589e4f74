"""Serve, localize, and write the API's description: `python -m service --help`."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from service.client import DEFAULT_URL, Client, LocalizerServiceError
from service.schemas import LocalizeResponse

_EXAMPLES = """
examples:
  python -m service serve --repository models --port 8000
  python -m service localize features/*.npy --url http://127.0.0.1:8000 --min-score 0.2
  python -m service openapi > openapi/openapi.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("serve", help="serve a model repository over HTTP", add_help=False)
    _add_localize(commands.add_parser("localize", help="send feature files to a running service"))
    commands.add_parser("openapi", help="print the OpenAPI description")
    parsed, rest = parser.parse_known_args(arguments)
    if parsed.command == "serve":
        return _serve(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return _openapi() if parsed.command == "openapi" else _localize(parsed)


def _serve(flags: Sequence[str]) -> int:
    # Only this command needs the server; the others work with the client's packages alone.
    import uvicorn
    from pydantic import ValidationError
    from pydantic_settings import CliApp

    from model.errors import LocalizerError
    from service.app import create_app
    from service.settings import Settings

    try:
        settings = CliApp.run(Settings, cli_args=list(flags))
    except ValidationError as error:
        for wrong in error.errors():
            name = ".".join(map(str, wrong["loc"]))
            print(f"error: setting {name}: {wrong['msg']}, got {wrong['input']!r}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        app = create_app(settings)
    except LocalizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None)
    return 0


def _add_localize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("features", nargs="+", type=Path, help=".npy files, (snippets, channels)")
    parser.add_argument("--url", default=DEFAULT_URL, help="where the service listens")
    parser.add_argument("--model", help="name of the model")
    parser.add_argument("--version", type=int, help="its version")
    parser.add_argument("--duration-s", type=float, help="length of the video; with one file only")
    parser.add_argument("--snippet-s", type=float, help="length of a snippet")
    parser.add_argument("--class-threshold", type=float, help="classes below it are absent")
    parser.add_argument("--nms-iou", type=float, help="greedy NMS at this tIoU")
    parser.add_argument("--min-score", type=float, help="leaves out weaker segments")
    parser.add_argument("--max-segments", type=int, help="keeps only so many of the best")
    parser.add_argument("--concurrency", type=int, default=4, help="requests at the same time")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, for programs")


def _localize(parsed: argparse.Namespace) -> int:
    if parsed.duration_s is not None and len(parsed.features) > 1:
        print(
            "error: --duration-s goes with one file; use --snippet-s for several", file=sys.stderr
        )
        return 2
    options = ("model", "version", "duration_s", "snippet_s", "class_threshold", "nms_iou",
               "min_score", "max_segments")  # fmt: skip
    failed = 0
    with Client(parsed.url) as client:
        results = client.localize_many(
            parsed.features,
            concurrency=parsed.concurrency,
            **{name: getattr(parsed, name) for name in options},
        )
        for path, result in zip(parsed.features, results, strict=True):
            if isinstance(result, LocalizerServiceError):
                failed += 1
                print(f"error: {path}: {result}", file=sys.stderr)
            elif parsed.json:
                print(json.dumps({"file": str(path), **result.model_dump(exclude_none=True)}))
            else:
                _print(path, result)
    return 1 if failed else 0


def _print(path: Path, result: LocalizeResponse) -> None:
    print(f"{path}: {len(result.segments)} segments in {result.duration_s:.1f} s")
    for segment in result.segments:
        print(
            f"  {segment.start_s:8.2f} - {segment.end_s:8.2f} s  "
            f"{segment.score:6.3f}  {segment.label}"
        )


def _openapi() -> int:
    from service.app import create_app
    from service.catalog import Catalog
    from service.settings import Settings

    app = create_app(Settings(), Catalog(()))
    print(json.dumps(app.openapi(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
