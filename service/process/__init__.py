"""Server processes: start, listen, supervise, and shut down without losing a request."""
