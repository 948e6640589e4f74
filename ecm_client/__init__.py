"""The service as Python calls it: clients, wire schemas and errors. Needs httpx, numpy and pydantic only."""
