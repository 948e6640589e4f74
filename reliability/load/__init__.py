"""Clients that load the service: a mix of all requests, or requests at a fixed rate."""
