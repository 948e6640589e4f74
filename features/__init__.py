"""Feature extraction: from videos to snippet features."""
