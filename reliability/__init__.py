"""Programs that attack a running service with bad requests, bad clients and too much load."""
