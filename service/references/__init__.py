"""Videos that a request names by URI: the rules for which are allowed, and the download."""
