"""Cross-validation: networks that learn from some videos and are measured on the others."""
