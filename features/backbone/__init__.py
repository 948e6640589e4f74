"""Feature extractors that are neural networks in ONNX, the two-stream I3D among them."""
