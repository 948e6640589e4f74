"""Choices of a training run: of the experiment, by name, and of the machine."""
