"""Ray Serve: HAProxy in front of replicas, with its settings for throughput.

The process that starts this one sets `RAY_SERVE_ENABLE_HA_PROXY` and
`RAY_SERVE_THROUGHPUT_OPTIMIZED`. The raw Starlette request is passed to the replica, which computes
one request at a time.
"""

import signal
import threading

import ray
from features_answer import PORT, WORKERS, Answerer
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=100)
class Localizer:
    """One replica."""

    def __init__(self) -> None:
        self._answer = Answerer()

    async def __call__(self, request: Request) -> Response:
        """Answers a request."""
        is_json = request.headers["content-type"] == "application/json"
        answer = self._answer(
            await request.body(), is_json=is_json, shape=request.headers.get("x-shape")
        )
        return Response(answer, media_type="application/json")


def main() -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    ray.init(num_cpus=2 * WORKERS + 2, include_dashboard=False, object_store_memory=256 * 1024**2)
    serve.start(
        http_options={"host": "127.0.0.1", "port": PORT},
        logging_config={"enable_access_log": False},
    )
    serve.run(Localizer.bind(), route_prefix="/localize")
    over.wait()
    ray.shutdown()


if __name__ == "__main__":
    main()
