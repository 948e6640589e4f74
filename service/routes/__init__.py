"""Routes of the REST API, and the reading of their requests."""
