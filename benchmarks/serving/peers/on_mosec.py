"""mosec: a front end in Rust, and worker processes that get bodies through a socket.

Batching is off. A worker gets no headers, so the first bytes of a body decide whether it is JSON.
Port, timeout and largest body are set by MOSEC_... variables.
"""

from features_answer import WORKERS, Answerer
from mosec import Server, Worker


class Localizer(Worker):
    """Worker with bytes as input and output; mosec's own JSON is not used."""

    def __init__(self) -> None:
        super().__init__()
        self._answer = Answerer()

    def deserialize(self, data: bytes) -> bytes:
        """Returns the body unchanged."""
        return data

    def forward(self, data: bytes) -> bytes:
        """Returns the JSON of the response."""
        return self._answer(data, is_json=data.startswith(b'{"features"'))

    def serialize(self, data: bytes) -> bytes:
        """Returns the response, already encoded."""
        return data


if __name__ == "__main__":
    server = Server()
    server.append_worker(Localizer, num=WORKERS, route="/localize")
    server.run()
