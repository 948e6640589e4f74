"""Scenarios of slow, rude and vanished clients."""
