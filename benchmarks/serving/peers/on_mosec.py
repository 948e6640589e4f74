"""mosec: its Rust front takes the requests, worker processes take their bodies from a socket.

Batching is off. A worker sees the body alone, so its beginning says what it is. Port, timeout and
longest body come from MOSEC_... variables.
"""

from features_answer import WORKERS, Answerer
from mosec import Server, Worker


class Localizer(Worker):
    """Bytes in, bytes out; mosec's own JSON is left aside."""

    def __init__(self) -> None:
        super().__init__()
        self._answer = Answerer()

    def deserialize(self, data: bytes) -> bytes:
        """Returns the body as it came."""
        return data

    def forward(self, data: bytes) -> bytes:
        """Returns the answer's JSON."""
        return self._answer(data, is_json=data.startswith(b'{"features"'))

    def serialize(self, data: bytes) -> bytes:
        """Returns the answer as it is."""
        return data


if __name__ == "__main__":
    server = Server()
    server.append_worker(Localizer, num=WORKERS, route="/localize")
    server.run()
