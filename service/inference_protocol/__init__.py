"""Open Inference Protocol v2 below /v2: runs the network without localization."""
