"""Clients of the service, its wire schemas and errors; httpx, numpy and pydantic suffice."""
