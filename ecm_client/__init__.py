"""Clients of the service, its wire schemas and its errors; needs httpx, numpy and pydantic only."""
