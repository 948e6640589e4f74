"""Serve, work, localize, and write what others need to know: `python -m service --help`."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from ecm_client.clients import DEFAULT_URL, Client
from ecm_client.errors import LocalizerError
from ecm_client.localization import Localization
from ecm_client.options import Progress, ServiceOptions

if TYPE_CHECKING:
    from service.configuration import Configuration
    from service.settings import Settings

_EXAMPLES = """
examples:
  python -m service serve --repository models --port 8000
  python -m service config --config ecm.toml --json
  python -m service localize features/*.npy --url http://127.0.0.1:8000 --min-score 0.2
  python -m service localize video.mp4 https://videos.example.org/match.mkv
  python -m service work --repository models --database-url postgresql://jobs@db/jobs
  python -m service openapi > openapi/openapi.json
  python -m service export-triton models
  python -m service new-key camera-3 --scopes infer
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
    commands.add_parser("work", help="work on the jobs of services elsewhere", add_help=False)
    config = commands.add_parser("config", help="print the settings in force", add_help=False)
    config.add_argument("--json", action="store_true")
    _add_localize(
        commands.add_parser("localize", help="send features or videos to a running service")
    )
    commands.add_parser("openapi", help="print the OpenAPI description")
    _add_new_key(commands.add_parser("new-key", help="print a fresh API key and its line"))
    _add_export_triton(
        commands.add_parser("export-triton", help="write what Triton needs to serve the models")
    )
    parsed, rest = parser.parse_known_args(arguments)
    if parsed.command in ("serve", "work"):
        return _run(parsed.command, rest)
    if parsed.command == "config":
        return _config(rest, as_json=parsed.json)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if parsed.command == "new-key":
        return _new_key(parsed.name, frozenset(parsed.scopes))
    if parsed.command == "export-triton":
        return _export_triton(parsed.repository, force=parsed.force)
    return _openapi() if parsed.command == "openapi" else _localize(parsed)


def _run(command: str, flags: Sequence[str]) -> int:
    # Only these commands need the server; the others work with the client's packages alone.
    from service.process.ending import leave, status_of
    from service.process.serving import serve
    from service.telemetry.log_format import log_to_stderr

    configuration = _configuration(command, flags)
    if configuration is None:
        return 2
    settings = configuration.settings
    log_to_stderr(settings.log_level, settings.log_format)
    return leave(status_of(partial(serve if command == "serve" else _work, settings)))


def _configuration(command: str, flags: Sequence[str]) -> "Configuration | None":
    """Returns the settings in force; None where they are wrong, which is then told."""
    from model.errors import OptionError
    from service.configuration import read_configuration

    try:
        return read_configuration(flags, command=command)
    except OptionError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return None


def _config(flags: Sequence[str], *, as_json: bool) -> int:
    configuration = _configuration("config", flags)
    if configuration is None:
        return 2
    print(configuration.to_json() if as_json else configuration.lines())
    return 0


def _work(settings: "Settings") -> None:
    from prometheus_client import start_http_server

    from service.app import open_models
    from service.models.catalog import Catalog
    from service.models.keeper import kept
    from service.process.heaps import share_heaps, tended_heaps
    from service.telemetry.metrics import Metrics
    from service.videos.intake import work

    share_heaps()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    catalog = Catalog(default_model=settings.default_model)
    metrics = Metrics(catalog)
    models = open_models(settings, catalog, metrics)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, settings.host, metrics.registry)
    with kept(models, settings.reload_s), work(settings, catalog, metrics), tended_heaps():
        stop.wait()


def _add_localize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "videos", nargs="+", help=".npy files of features, (snippets, channels); video files; URIs"
    )
    parser.add_argument("--url", default=DEFAULT_URL, help="where the service listens")
    parser.add_argument(
        "--api-key",
        help="where the service has keys; better in ECM_API_KEY, which others cannot see",
    )
    parser.add_argument("--model", help="name of the model")
    parser.add_argument("--version", type=int, help="its version")
    parser.add_argument("--duration-s", type=float, help="how long the features of one file last")
    parser.add_argument("--snippet-s", type=float, help="length of a snippet of features")
    parser.add_argument("--class-threshold", type=float, help="classes below it are absent")
    parser.add_argument("--nms-iou", type=float, help="greedy NMS at this tIoU")
    parser.add_argument("--min-score", type=float, help="leaves out weaker segments")
    parser.add_argument("--max-segments", type=int, help="keeps only so many of the best")
    parser.add_argument("--concurrency", type=int, default=4, help="requests at the same time")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, for programs")


def _localize(parsed: argparse.Namespace) -> int:
    if parsed.duration_s is not None and len(parsed.videos) > 1:
        print(
            "error: --duration-s goes with one file; use --snippet-s for several", file=sys.stderr
        )
        return 2
    failed = 0
    with (
        Client(parsed.url, api_key=parsed.api_key or os.environ.get("ECM_API_KEY")) as client,
        tqdm(total=len(parsed.videos), unit="video", disable=None, leave=False) as bar,
        ThreadPoolExecutor(parsed.concurrency) as pool,
    ):
        ask = partial(_ask, client, parsed, bar)
        for name, result in zip(parsed.videos, pool.map(ask, parsed.videos), strict=True):
            bar.update()
            bar.clear()
            if isinstance(result, LocalizerError):
                failed += 1
                print(f"error: {name}: {result}", file=sys.stderr)
            elif parsed.json:
                print(json.dumps({"file": name, **json.loads(result.to_json())}))
            else:
                _print(name, result)
    return 1 if failed else 0


def _ask(
    client: Client, parsed: argparse.Namespace, bar: "tqdm[NoReturn]", name: str
) -> Localization | LocalizerError:
    options = ("model", "version", "duration_s", "snippet_s", "class_threshold", "nms_iou",
               "min_score", "max_segments")  # fmt: skip
    given: ServiceOptions = {option: getattr(parsed, option) for option in options}  # type: ignore[assignment]

    def show(progress: Progress) -> None:
        bar.set_postfix_str(f"{Path(name).name}: {progress}")

    try:
        return client.localize(name, on_progress=show, **given)
    except LocalizerError as error:
        return error


def _print(path: str, result: Localization) -> None:
    print(f"{path}: {len(result.segments)} segments in {result.duration_s:.1f} s")
    for segment in result.segments:
        print(
            f"  {segment.start_s:8.2f} - {segment.end_s:8.2f} s  "
            f"{segment.score:6.3f}  {segment.label}"
        )


def _openapi() -> int:
    from service.app import create_app
    from service.models.catalog import Catalog
    from service.settings import Settings

    app = create_app(Settings(), Catalog())
    print(json.dumps(app.openapi(), indent=2))
    return 0


def _add_new_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="whose it is")
    parser.add_argument("--scopes", nargs="+", choices=("infer", "admin"), default=["infer"])


def _new_key(name: str, scopes: frozenset[str]) -> int:
    from model.errors import OptionError
    from service.http.api_keys import new_key

    try:
        key, kept = new_key(name, scopes)
    except OptionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("the key, shown only now:", file=sys.stderr)
    print(key)
    print("its line for api_keys_file or ECM_API_KEYS:", file=sys.stderr)
    print(kept.line())
    return 0


def _add_export_triton(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repository", type=Path, help="folder with NAME/VERSION/model.onnx")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")


def _export_triton(repository: Path, *, force: bool) -> int:
    from service.inference_protocol.triton_config import write_configs

    failed = 0
    for written in write_configs(repository, force=force):
        if isinstance(written, Path):
            print(written)
        else:
            failed += 1
            print(f"error: {written}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
