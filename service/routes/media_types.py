"""Content types of request bodies."""

from typing import Final

JSON: Final = "application/json"
NPY: Final = "application/x-npy"
RAW: Final = "application/octet-stream"
FORM: Final = "multipart/form-data"
VIDEO: Final = "video/"
"""Prefix of the content types of videos."""
