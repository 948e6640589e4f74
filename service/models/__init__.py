"""Served models: loading, reloading, batching."""
