"""Optical flow between frames: OpenCV on the CPU, TV-L1 in torch on a GPU."""
