"""Sends ten times more requests than the service can compute, and measures what it still does.

    python -m reliability.overload
    python -m reliability.overload --hidden-width 512 --sending expect

A first server gets requests from one client, which measures the time of a request. The next server
refuses every request that would wait for more than twice that time, unless the option
`--flag max_wait_s=SECONDS` is given. One client alone, and then a few in turn, measure latency and
peak rate. Then requests are sent at fixed times, whatever the responses: at half the peak, at
`--times` the peak, and again at half the peak.

The server has half of the cores, and the generators have the others. The latency of a request
counts from its scheduled time. Every request has its own connection and a body of 0.8 to 3 MB:
features of 200 to 750 snippets and 2048 channels in float16.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from reliability.load.generator import NO_PATIENCE, NO_RESPONSE, NOT_SENT, Sending
from reliability.load.rates import Bench, Phase, Step
from reliability.server import ServerDiedError, on_cores, server

MODEL, CHANNELS, HIDDEN_WIDTH, CLASSES = "loaded", 2048, 2048, 20
SNIPPETS = tuple(range(200, 751, 50))
"""Lengths of the videos."""
LEAST_GOODPUT = 0.7
"""Smallest share of the peak rate that must be completed under overload."""
MOST_TIMES = 3.0
"""Largest ratio of the 99th percentile of admitted requests to that of one client alone."""
RECOVERY_S = 10.0
"""Longest time until latency is normal again."""
_WAITS = 2.0
"""Limit for the wait of a request, as a multiple of its computing time."""
_CLIENTS = (1, 2, 4)
"""Numbers of clients, in turn; the best rate is the peak."""
_NORMAL = 2.0
"""Latency is normal up to this multiple of the 99th percentile at half the peak."""
_LAST = {NO_RESPONSE: "no response", NO_PATIENCE: "client left", NOT_SENT: "not sent"}


def recovery_s(after: Phase, normal_s: float) -> float:
    """Returns the time after the overload at which the last slow or refused request was sent."""
    rows = zip(after.account.at_s, after.account.latency_s, after.account.status, strict=True)
    late = [at_s for at_s, latency_s, status in rows if status != 200 or latency_s > normal_s]
    return max(late, default=0.0)


def main() -> int:
    """Runs the program and returns its exit status."""
    arguments = _arguments()
    from reliability.random_model import publish_random  # torch takes seconds to import

    sendings: tuple[Sending, ...] = (
        ("expect", "at-once") if arguments.sending == "both" else (arguments.sending,)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_random(
            folder / "models",
            MODEL,
            feature_dim=CHANNELS,
            classes=CLASSES,
            hidden_width=arguments.hidden_width,
        )
        _write_bodies(folder / "bodies")
        flags = dict(flag.split("=", 1) for flag in arguments.flag)
        try:
            if "max_wait_s" not in flags:
                flags["max_wait_s"] = f"{_WAITS * _alone_s(folder, arguments, flags):.3f}"
            with _served(folder, arguments, flags) as bench:
                phases = _phases(bench, arguments.seconds, arguments.times, sendings)
                cpu_s = bench.target.state().cpu_s
        except ServerDiedError as error:
            print(f"BREACH {error}; see its log:")
            print((folder / "serve.log").read_text(errors="replace")[-2000:])
            return 1
    print(f"max_wait_s is {flags['max_wait_s']}")
    _print(phases, bench, cpu_s)
    breaches = list(_breaches(phases))
    for breach in breaches:
        print(f"BREACH {breach}")
    return 1 if breaches else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="duration of the overload")
    parser.add_argument(
        "--times", type=float, default=10, help="overload as a multiple of the peak"
    )
    parser.add_argument(
        "--sending",
        choices=("expect", "at-once", "both"),
        default="both",
        help="when to send bodies",
    )
    parser.add_argument(
        "--patience", type=float, default=30, help="seconds until a client disconnects"
    )
    parser.add_argument("--most-open", type=int, default=800, help="most open connections")
    parser.add_argument(
        "--hidden-width", type=int, default=HIDDEN_WIDTH, help="width of the network"
    )
    parser.add_argument(
        "--flag", action="append", default=[], help="setting of the server, NAME=VALUE"
    )
    return parser.parse_args()


@contextmanager
def _served(
    folder: Path, arguments: argparse.Namespace, flags: Mapping[str, str]
) -> Iterator[Bench]:
    """Runs a server on its cores during a `with`, and everything else on the others."""
    server_cores, generator_cores = _cores_apart()
    with ExitStack() as stack:
        with on_cores(server_cores):
            target = stack.enter_context(server(folder / "models", folder, jobs=0, **flags))
        stack.enter_context(on_cores(generator_cores))
        yield Bench(target, folder / "bodies", arguments.patience, arguments.most_open)


def _alone_s(folder: Path, arguments: argparse.Namespace, flags: Mapping[str, str]) -> float:
    """Returns the time of a request without other load."""
    with _served(folder, arguments, flags) as bench:
        _warm_up(bench)
        return bench.clients("alone", 5, 1).percentile_s(0.5)


def _cores_apart() -> tuple[list[int], list[int]]:
    """Returns the cores of the server and of the generators; a single core is shared."""
    cores = sorted(os.sched_getaffinity(0))
    half = (len(cores) + 1) // 2
    return cores[:half], cores[half:] or cores


def _write_bodies(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for snippets in SNIPPETS:
        features_TD = rng.standard_normal((snippets, CHANNELS), dtype=np.float32).astype("<f2")
        (folder / f"{snippets},{CHANNELS}").write_bytes(features_TD.tobytes())


def _warm_up(bench: Bench) -> None:
    bench.clients("warming up", 3, max(_CLIENTS))


def _phases(
    bench: Bench, seconds: float, times: float, sendings: tuple[Sending, ...]
) -> list[Phase]:
    _warm_up(bench)
    in_turn = [bench.clients(f"clients: {clients}", 12, clients) for clients in _CLIENTS]
    peak = _peak(in_turn)
    if not peak:
        raise ServerDiedError("no request was completed")
    steps = [
        Step("half the peak", 15, peak / 2),
        Step("overload", seconds, peak * times),
        Step("half, afterwards", 30, peak / 2),
    ]
    return [*in_turn, *bench.in_a_row(steps, sendings)]


def _peak(in_turn: list[Phase]) -> float:
    return max(phase.goodput() for phase in in_turn)


def _breaches(phases: list[Phase]) -> Iterator[str]:
    *in_turn, half, over, after = phases
    peak = _peak(in_turn)
    for phase in phases:
        rows = zip(phase.account.status, phase.account.has_retry_after, strict=True)
        for (status, retry), number in Counter(rows).items():
            if status == 503 and not retry:
                yield f"{phase.name}: {number} responses 503 without Retry-After"
            if status not in (200, 503, 408, *_LAST):
                yield f"{phase.name}: {number} responses {status}"
    if over.goodput() < LEAST_GOODPUT * peak:
        yield f"goodput fell to {over.goodput() / peak:.0%} of the peak"
    if over.percentile_s(0.99) > MOST_TIMES * in_turn[0].percentile_s(0.99):
        yield f"admitted requests took more than {MOST_TIMES:g} times as long as for one client"
    if recovery_s(after, _NORMAL * half.percentile_s(0.99)) > RECOVERY_S:
        yield f"latency was not normal {RECOVERY_S:.0f} s after the overload"


def _print(phases: list[Phase], bench: Bench, server_cpu_s: float) -> None:
    print(f"{'load':18} {'sent':8} {'offered/s':>9} {'done/s':>7} {'p50 ms':>8} {'p99 ms':>8}  "
          "responses")  # fmt: skip
    for phase in phases:
        for sending in sorted(set(phase.account.sending)):
            offered = phase.account.sending.count(sending) / phase.seconds
            p50, p99 = (1e3 * phase.percentile_s(share, sending) for share in (0.5, 0.99))
            print(f"{phase.name:18} {sending:8} {offered:9.1f} {phase.goodput(sending):7.1f} "
                  f"{p50:8.1f} {p99:8.1f}  {_answers(phase, sending)}")  # fmt: skip
    *in_turn, half, over, after = phases
    peak, normal_s = _peak(in_turn), _NORMAL * half.percentile_s(0.99)
    times = over.percentile_s(0.99) / in_turn[0].percentile_s(0.99)
    print(f"completed under overload: {over.goodput() / peak:.0%} of the peak of {peak:.1f} a "
          f"second; p99 {times:.1f} times that of one client")  # fmt: skip
    for sending in sorted(set(over.account.sending)):
        p50, p99 = (1e3 * over.percentile_s(share, sending, 503) for share in (0.5, 0.99))
        print(f"refused, {sending}: after {p50:.1f} ms (p50), {p99:.1f} ms (p99)")
    print(f"largest resident memory {bench.peak_bytes / 2**20:.0f} MiB; the server used "
          f"{server_cpu_s:.0f} s of CPU")  # fmt: skip
    print(f"latency was normal again (at most {1e3 * normal_s:.0f} ms) "
          f"{recovery_s(after, normal_s):.1f} s after the overload")  # fmt: skip
    cores = over.account.cpu_s / over.seconds
    print(f"the generators used {cores:.2f} of {os.cpu_count()} cores under overload and were late "
          f"by {1e3 * over.account.late_s:.0f} ms at most")  # fmt: skip


def _answers(phase: Phase, sending: Sending) -> str:
    rows = zip(phase.account.status, phase.account.sending, strict=True)
    counts = Counter(status for status, how in rows if how == sending)
    return ", ".join(
        f"{_LAST.get(status, status)} {number}" for status, number in counts.most_common()
    )


if __name__ == "__main__":
    sys.exit(main())
