"""Videos as durable jobs: intake, extraction in chunks, cached features."""
