"""Backbones of other libraries by name, with the preprocessing and licence that those state."""
