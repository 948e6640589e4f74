"""From a video to its snippet features: extractors, and what runs them."""
