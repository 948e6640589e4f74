"""Learning from video-level labels, and measuring what was learned."""

import os

# Threads of torch that wait for each other shall leave the core to whoever has work: on a machine
# with other work on it training is several times faster so. OpenMP reads this when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
