"""The network in onnxruntime, and the processor cores that it may use."""

import os

# onnxruntime reads this when it is imported: from then on, it would collect data for Microsoft in
# the user's home folder, until `disable_telemetry_events` is called.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
