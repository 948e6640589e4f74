"""Videos of requests: uploads, chunks of features, and the cache of features."""
