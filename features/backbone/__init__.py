"""Backbones: image and video networks in ONNX files as extractors."""
