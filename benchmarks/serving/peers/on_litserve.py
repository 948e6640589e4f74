"""LitServe: HTTP processes that hand bodies to worker processes through a queue.

Its own `Request` handling parses every body as JSON or as a form, so a dependency reads the bytes;
answers travel over ZeroMQ (`fast_queue`), as it advises for load.
"""

from dataclasses import dataclass
from typing import Annotated

import litserve
from fastapi import Depends, Request, Response
from features_answer import PORT, WORKERS, Answerer


@dataclass(frozen=True, slots=True)
class Body:
    """What goes to a worker."""

    content: bytes
    """As it came."""
    is_json: bool
    """By its content type."""
    shape: str | None
    """Header X-Shape."""


async def read_body(request: Request) -> Body:
    is_json = request.headers["content-type"] == "application/json"
    return Body(await request.body(), is_json, request.headers.get("x-shape"))


class Localizer(litserve.LitAPI):
    """One worker."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Loads the network."""
        self._answer = Answerer()

    def decode_request(self, request: Annotated[Body, Depends(read_body)]) -> Body:
        """Returns the body as it came."""
        return request

    def predict(self, body: Body) -> bytes:
        """Returns the answer's JSON."""
        return self._answer(body.content, is_json=body.is_json, shape=body.shape)

    def encode_response(self, output: bytes) -> Response:
        """Returns the answer as it is."""
        return Response(output, media_type="application/json")


if __name__ == "__main__":
    server = litserve.LitServer(
        Localizer(api_path="/localize"),
        accelerator="cpu",
        workers_per_device=WORKERS,
        timeout=False,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=PORT,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
