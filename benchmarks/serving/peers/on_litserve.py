"""LitServe: HTTP processes that pass bodies to worker processes through a queue.

LitServe's own `Request` handling parses every body as JSON or as a form, so a dependency reads the
bytes. Responses use ZeroMQ (`fast_queue`), which LitServe recommends under load.
"""

from dataclasses import dataclass
from typing import Annotated

import litserve
from fastapi import Depends, Request, Response
from features_answer import PORT, WORKERS, Answerer


@dataclass(frozen=True, slots=True)
class Body:
    """Body of a request, as passed to a worker."""

    content: bytes
    """Bytes of the body."""
    is_json: bool
    """Whether the content type is JSON."""
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
        """Returns the body unchanged."""
        return request

    def predict(self, body: Body) -> bytes:
        """Returns the JSON of the response."""
        return self._answer(body.content, is_json=body.is_json, shape=body.shape)

    def encode_response(self, output: bytes) -> Response:
        """Returns the response, already encoded."""
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
