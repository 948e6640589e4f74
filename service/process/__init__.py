"""The processes of the service: start, port, shutdown, supervision."""
