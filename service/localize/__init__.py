"""Localization of a request's features: worker threads, deadlines and the answer."""
