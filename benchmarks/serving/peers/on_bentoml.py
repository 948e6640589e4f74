"""BentoML: worker processes that share a socket, with an ASGI application mounted in each.

BentoML's own inputs for bytes write each body to a file. A mounted application (`asgi_app`) reads
the body from the socket. Access log and metrics are off.
"""

import bentoml
from anyio import CapacityLimiter, to_thread
from features_answer import TIMEOUT_S, WORKERS, Answerer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_answerer: list[Answerer] = []


async def localize(request: Request) -> Response:
    body = await request.body()
    is_json = request.headers["content-type"] == "application/json"
    shape = request.headers.get("x-shape")
    answer = await to_thread.run_sync(
        lambda: _answerer[0](body, is_json=is_json, shape=shape), limiter=_one
    )
    return Response(answer, media_type="application/json")


_one = CapacityLimiter(1)


@bentoml.asgi_app(Starlette(routes=[Route("/localize", localize, methods=["POST"])]))
@bentoml.service(
    workers=WORKERS,
    traffic={"timeout": TIMEOUT_S},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
class Localizer:
    """One worker."""

    def __init__(self) -> None:
        _answerer.append(Answerer())
