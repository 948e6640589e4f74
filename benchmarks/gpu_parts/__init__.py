"""The parts of benchmarks/gpu.py, one module each, and the runner that starts them."""
