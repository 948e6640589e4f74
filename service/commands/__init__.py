"""The commands of the service: serve, work, config, openapi, new-key and export-triton."""
