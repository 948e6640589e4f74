"""Videos that a request names by URI: what is allowed, and the download."""
