"""Computes requests for features: worker threads, deadlines and the answer."""
