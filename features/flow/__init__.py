"""Dense optical flow: OpenCV on the CPU, TV-L1 in torch on a GPU."""
