"""Videos as durable jobs: intake, work in chunks, features kept."""
