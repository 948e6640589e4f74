"""Runs minutes of mixed load, checks every response, and checks that the server does not grow.

    python -m reliability.soak                  (ten minutes)
    python -m reliability.soak --minutes 2

Clients use the whole API: features in every form, inference, models, metrics, errors, and videos
as jobs. Some clients disconnect early. Every few seconds, a new version of the model is published
and loaded, and an old one is removed. No request may fail, and no response may change.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from reliability.load.mixed import CHANNELS, MAX_BODY_BYTES, MODEL, VIDEO_MODEL, Load
from reliability.server import ProcessState, Target, server, wait_until

FLAGS: dict[str, object] = {
    "default_model": MODEL,
    "max_snippets": 2000,
    "max_body_bytes": MAX_BODY_BYTES,
    "reload_s": 1,
    "feature_cache_bytes": 1_000_000,
}
"""Settings of the server."""
GROWTH = 0.05
"""Largest relative growth of the process from the first minute to the end."""
_SETTLE_S = 60.0


def main() -> int:
    """Runs the program and returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="duration (default: 10)")
    arguments = parser.parse_args()
    from reliability.random_model import (  # torch takes seconds to import
        publish_random,
        publish_random_of_videos,
    )

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        publish_random(folder / "models", MODEL, feature_dim=CHANNELS)
        publish_random_of_videos(folder / "models", VIDEO_MODEL)
        target = stack.enter_context(server(folder / "models", folder, **FLAGS))
        load = Load(target, folder / "models")
        load.start()
        states = _watch(target, 60 * arguments.minutes)
        load.stop()
        rest = _at_rest(target, states)
        log = (folder / "serve.log").read_text(errors="replace")
    breaches = [*load.failures(), *_breaches(states, rest)]
    if "Traceback" in log:
        breaches.append(
            f"the log contains {log.count('Traceback')} tracebacks: {_first_trace(log)}"
        )
    _print(load, states, rest)
    for breach in breaches[:40]:
        print(f"BREACH {breach}")
    return 1 if breaches else 0


def _watch(target: Target, seconds: float) -> list[ProcessState]:
    """Returns the state of the server's process at every second."""
    states, end_s = [], time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(1)
        states.append(target.state())
    return states


def _at_rest(target: Target, states: list[ProcessState]) -> ProcessState:
    """Returns the state of the process after the load, when idle connections have closed."""
    least = min(state.files for state in states)
    wait_until(lambda: target.state().files <= least, timeout_s=_SETTLE_S)
    return target.state()


def _sizes(states: list[ProcessState]) -> tuple[float, float]:
    """Returns the size in MiB after the first minute (or fifth) and at the end."""
    start = min(60, len(states) // 5)
    part = max(len(states) // 10, 1)
    first, last = states[start : start + part], states[-part:]
    return (
        statistics.median(state.rss_bytes for state in first) / 2**20,
        statistics.median(state.rss_bytes for state in last) / 2**20,
    )


def _breaches(states: list[ProcessState], rest: ProcessState) -> Iterator[str]:
    first_mib, last_mib = _sizes(states)
    if last_mib > first_mib * (1 + GROWTH):
        yield f"the process grew from {first_mib:.0f} to {last_mib:.0f} MiB"
    half = len(states) // 2
    for name in ("files", "threads"):
        first = max(getattr(state, name) for state in states[:half])
        if max(getattr(state, name) for state in states[half:]) > 1.2 * first:
            yield f"{name} grew: at most {first} in the first half, more in the second"
        if getattr(rest, name) > first:
            yield f"{getattr(rest, name)} {name} are left after the load"


def _first_trace(log: str) -> str:
    return log[log.index("Traceback") :].partition("\n\n")[0][-600:]


def _print(load: Load, states: list[ProcessState], rest: ProcessState) -> None:
    print(f"{'kind':28} {'right':>7} {'waited':>6} {'failed':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for kind, tally in sorted(load.tallies.items()):
        times = sorted(tally.elapsed_s) or [0.0]
        p50, p99 = (1e3 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99))
        print(f"{kind:28} {len(tally.elapsed_s):7} {tally.waits:6} {len(tally.failures):6} "
              f"{p50:8.1f} {p99:8.1f}")  # fmt: skip
    first_mib, last_mib = _sizes(states)
    print(f"{sum(len(tally.elapsed_s) for tally in load.tallies.values())} in {len(states)} s; "
          f"resident memory {first_mib:.0f} MiB after the first minute, {last_mib:.0f} at the end "
          f"({last_mib / first_mib - 1:+.1%})")  # fmt: skip
    minutes = [f"{state.rss_bytes / 2**20:.0f}" for state in states[::60]]
    print(f"minute by minute: {' '.join(minutes)} MiB")
    for name in ("files", "threads"):
        every = [getattr(state, name) for state in states]
        print(f"{name}: {min(every)} to {max(every)} under load, {getattr(rest, name)} at rest")


if __name__ == "__main__":
    sys.exit(main())
