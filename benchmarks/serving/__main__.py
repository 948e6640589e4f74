"""Requests per second, latency and memory of the service, of its peers and of the bare network.

    python benchmarks/serving                                          (half an hour)
    python benchmarks/serving --peers mosec --clients 4 --bodies binary --rounds 1
    python benchmarks/serving --hidden-width 2048 --precision int8 --clients 4 16 --bodies binary

All servers load the same ONNX file and compute on the same cores. A request has the features of one
video: 750 snippets of 2,048 channels. In each round, every server is started, its segments are
compared with the expected ones, it is measured under each load, and it is stopped. So no two
servers compete, and other work on the machine affects all alike. The bare network runs before each
server. Results are medians over the rounds; slow loads are measured in the first round only. Peers
have an environment of their own, which the first run creates below this one. Linux only.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/, where record.py is

from load import Connection, drive, request_bytes
from record import add_json_option
from servers import (
    CORES,
    PEER_NAMES,
    ROOT,
    Form,
    Running,
    Server,
    ServerError,
    ours,
    peers_python,
    running,
)
from table import Cell, Figures, Results

HERE = Path(__file__).parent
BODIES = ("binary", "json")
TRIALS, TRIAL_CLIENTS = 2, 4
"""Number of trials of each form of a peer, and number of clients in a trial."""
SLOW_S = 15.0
"""A load whose window takes longer is measured in the first round only."""
TOLERANCE_S = 1e-3
"""Allowed difference of segment times, because the number of threads affects rounding."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of the measurements."""

    folder: Path
    """Folder that prepare.py wrote."""
    requests: dict[str, bytes]
    """Requests of the clients, by the kind of body."""
    clients: Sequence[int]
    """Numbers of concurrent clients, one for each load."""
    seconds: float
    """Shortest length of a measurement window, in seconds."""
    rounds: int
    """Number of rounds."""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))  # also stops servers
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="serving-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _run_script("prepare.py", folder, arguments.hidden_width, arguments.precision)
        requests = {body: as_request(folder, body) for body in arguments.bodies}
        plan = Plan(folder, requests, sorted(arguments.clients), arguments.seconds,
                    arguments.rounds)  # fmt: skip
        results = Results()
        servers = [ours(folder, arguments.precision), *choose_peers(plan, arguments.peers)]
        for number in range(plan.rounds):
            measure_round(plan, servers, results, first=number == 0)
            _log(f"round {number + 1} of {plan.rounds} is done")
    results.record(arguments.precision).finish(arguments.json)


def _arguments() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(prog="benchmarks/serving", description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=4.0, help="shortest window of a load")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the medians count")
    parser.add_argument("--peers", nargs="*", choices=PEER_NAMES, default=list(PEER_NAMES))
    parser.add_argument("--bodies", nargs="+", choices=BODIES, default=list(BODIES))
    parser.add_argument(
        "--hidden-width",
        type=int,
        default=512,
        help="hidden width of the network; that of fit is 2048",
    )
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32",
                        help="precision of the network, for all servers")  # fmt: skip
    add_json_option(parser)
    return parser.parse_args()


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run_script(name: str, *arguments: object) -> str:
    command = [sys.executable, str(HERE / name), *map(str, arguments)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout


def as_request(folder: Path, body: str) -> bytes:
    """Returns the request for the video; `body` is one of BODIES."""
    features_TD = np.load(folder / "features.npy")
    if body == "json":
        content = orjson.dumps({"features": features_TD}, option=orjson.OPT_SERIALIZE_NUMPY)
        return request_bytes(content, {"Content-Type": "application/json"})
    shape = ",".join(map(str, features_TD.shape))
    headers = {"Content-Type": "application/octet-stream", "X-Shape": shape}
    return request_bytes(features_TD.astype("<f4").tobytes(), headers)


def choose_peers(plan: Plan, names: Sequence[str]) -> list[Server]:
    """Returns the peers that start, each in its faster form."""
    if not names:
        return []
    try:
        python = peers_python()
    except ServerError as error:
        _log(str(error))
        return []
    chosen = []
    for name in names:
        try:
            chosen.append(choose_form(plan, name, python))
        except ServerError as error:
            _log(f"{name} is not measured: {error}")
    return chosen


def choose_form(plan: Plan, name: str, python: Path) -> Server:
    """Returns a peer in its faster form: one process for each core, or one process with all cores.

    Raises:
        ServerError: the peer does not start.
    """
    request = next(iter(plan.requests.values()))
    forms = dict.fromkeys((Form(CORES, 1), Form(1, CORES)))
    rates = {Server(name, form, plan.folder, python): 0.0 for form in forms}
    for server in [*rates] * TRIALS:
        with running(server, request) as started:
            window = drive(started.port, request, TRIAL_CLIENTS, plan.seconds, started.watch)
        rates[server] += window.rate / TRIALS
    by_form = {str(server.form): rate for server, rate in rates.items()}
    _log(f"{name}, processes x threads: {by_form} requests/s")
    return max(rates, key=lambda server: rates[server])


def measure_round(plan: Plan, servers: Sequence[Server], results: Results, *, first: bool) -> None:
    """Adds one round of all servers and all loads to the results."""
    for server in servers:
        ceiling = measure_ceiling(plan, results)
        try:
            measure_server(plan, server, results, ceiling, first=first)
        except (ServerError, OSError) as error:
            _log(f"{server.name} failed: {error}")


def measure_ceiling(plan: Plan, results: Results) -> float:
    """Returns the runs per second of the bare network in its faster form."""
    forms = json.loads(_run_script("ceiling.py", plan.folder, plan.seconds / 2, CORES))
    for name, rate in forms.items():
        results.ceilings.setdefault(name, []).append(rate)
    return float(max(forms.values()))


def measure_server(
    plan: Plan, server: Server, results: Results, ceiling: float, *, first: bool
) -> None:
    """Adds one round of one server to the results.

    Raises:
        ServerError: the server does not start.
        OSError: the server does not answer.
    """
    with running(server, next(iter(plan.requests.values()))) as started:
        check_segments(plan, server, started)
        for body in plan.requests:
            for clients in plan.clients:
                cell = Cell(body, clients, server.name)
                if first or not _is_slow(results, cell):
                    figures = measure(plan, started, cell, ceiling)
                    results.add(cell, figures)
                    rate = figures.window.rate
                    _log(f"{body}, {clients} clients, {server.name}: {rate:.1f} requests/s")


def _is_slow(results: Results, cell: Cell) -> bool:
    rounds = results.rounds.get(cell)
    return rounds is not None and rounds[0].window.seconds > SLOW_S


def measure(plan: Plan, started: Running, cell: Cell, ceiling: float) -> Figures:
    """Returns the figures of a server under one load."""
    started.samples.clear()
    request = plan.requests[cell.body]
    window = drive(started.port, request, cell.clients, plan.seconds, started.watch)
    memory_bytes = int(statistics.median(started.samples))
    return Figures(window, ceiling, memory_bytes, max(started.samples))


def check_segments(plan: Plan, server: Server, started: Running) -> None:
    """Exits with an error if a server's segments differ from those of the bare network."""
    expected = sorted(tuple(row) for row in json.loads((plan.folder / "segments.json").read_text()))
    for body, request in plan.requests.items():
        connection = Connection(started.port)
        response = orjson.loads(connection.send(request).content)
        connection.close()
        segments = sorted((s["label"], s["start_s"], s["end_s"]) for s in response["segments"])
        same = len(segments) == len(expected) and all(
            one[0] == other[0] and np.allclose(one[1:], other[1:], rtol=0, atol=TOLERANCE_S)
            for one, other in zip(segments, expected, strict=True)
        )
        if not same:
            sys.exit(f"{server.name}: segments of {body} features differ from the expected ones "
                     f"({len(segments)} segments, expected {len(expected)})")  # fmt: skip


if __name__ == "__main__":
    main()
