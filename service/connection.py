"""An HTTP connection that ends when a client sends on and on without getting anywhere."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_IDLE_BYTES = 64 * 1024
"""Most bytes of a head, of trailers or between chunks, beyond the part that was read with them."""


class BoundedConnection(HttpToolsProtocol):
    """The server's connection, with a limit on what the parser would collect without end."""

    _idle_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Takes what the client sent."""
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > MAX_IDLE_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        """Begins a request whose head was short enough."""
        self._idle_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body, which has limits of its own."""
        self._idle_bytes = 0
        super().on_body(body)
