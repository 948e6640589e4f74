"""Evaluation of a trained network: metrics, and the summary of its tags."""
