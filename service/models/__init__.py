"""The models that are served: loading, versions, batching."""
