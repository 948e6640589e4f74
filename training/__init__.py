"""Training from video-level labels, and evaluation of the result."""

import os

# Idle threads of torch should yield their core to other work. On a machine that does other work,
# training is several times faster this way. OpenMP reads the variable when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
