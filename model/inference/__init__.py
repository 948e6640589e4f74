"""The network in onnxruntime: sessions, and the cores that they use."""
