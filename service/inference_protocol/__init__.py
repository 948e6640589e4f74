"""The Open Inference Protocol v2 below /v2: the network without localization."""
