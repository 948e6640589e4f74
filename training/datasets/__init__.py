"""Data sets: every layout that the community uses, read into the same records."""
