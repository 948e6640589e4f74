"""Segments in the formats of other programs; `table` lists them."""
