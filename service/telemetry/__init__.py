"""Metrics for Prometheus, log lines, and OpenTelemetry spans."""
