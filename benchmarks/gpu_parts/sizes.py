"""Sizes of everything that benchmarks/gpu.py runs, for a card and for a test on a CPU."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TrainingSize:
    """One training step."""

    videos: int
    """Videos of the batch."""
    snippets: int
    """Snippets of each video."""
    classes: int
    """Classes."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes and numbers of repetitions; `CARD` and `SMALL` are the two instances."""

    total_s: float
    """Deadline of the whole run."""
    part_s: float
    """Longest time of one part; beyond it the part hangs."""
    least_s: float
    """A part does not start when less time is left."""
    feature_dim: int
    """Channels of the features."""
    hidden_width: int
    """Channels of the network's hidden layers."""
    classes: int
    """Classes of the network."""
    snippets: int
    """Length of an ordinary video."""
    lengths: tuple[int, ...]
    """Lengths at which the GPU's logits are compared with the CPU's."""
    new_lengths: tuple[int, ...]
    """Lengths whose first run is timed; no other step uses them."""
    same_answers: int
    """Runs on one input that must agree to the bit."""
    batches: tuple[int, ...]
    """Videos in a batch."""
    turns: int
    """Timed repetitions; medians count."""
    matrix_side: int
    """Rows and columns of the matrices whose product is timed."""
    copied_bytes: int
    """Bytes whose copy to the device is timed."""
    clients: tuple[int, ...]
    """Clients of the service at the same time."""
    window_s: float
    """Duration of each load on the service."""
    training: dict[str, TrainingSize] = field(hash=False)
    """Training steps by the name of their data set."""
    compiled: tuple[str, ...]
    """Data sets whose step is also compiled."""
    simulated_epochs: int
    """Passes over the simulated set, of five steps each."""
    reference_map: float
    """Mean mAP of five seeds on a CPU after `simulated_epochs`."""
    reference_deviation: float
    """Standard deviation of that mAP over the five seeds."""
    frame_height: int
    """Height of the frames whose flow is computed, in pixels."""
    frame_width: int
    """Width of these frames in pixels."""
    flow_shifts_px: tuple[tuple[float, float], ...]
    """Motions of a drawn texture from frame to frame, along x and y."""
    flow_pairs: tuple[int, ...]
    """Pairs of frames computed at once."""
    crop: int
    """Side of the square input of I3D, in pixels."""
    i3d_batches: tuple[int, ...]
    """Snippets that I3D computes at once."""
    video_snippets: int
    """Length of the video that is turned into features."""
    video_turns: int
    """Timed repetitions of its stages."""
    long_snippets: int
    """Length of a video that does not fit into `spare_bytes`."""
    long_hidden_width: int
    """Channels of the hidden layers of the network that is run on it."""
    spare_bytes: int
    """Memory that is left to the service for that video."""


CARD = Sizes(
    total_s=355,
    part_s=120,
    least_s=15,
    feature_dim=2048,
    hidden_width=2048,
    classes=20,
    snippets=750,
    lengths=(1, 2, 3, 750, 5_000, 20_000),
    new_lengths=(811, 822, 833, 844, 855),
    same_answers=100,
    batches=(1, 2, 4, 8, 16, 32, 64),
    turns=3,
    matrix_side=8192,
    copied_bytes=256 * 2**20,
    clients=(1, 4, 16, 64),
    window_s=4,
    training={
        "THUMOS14": TrainingSize(16, 750, 20),
        "ActivityNet": TrainingSize(128, 100, 200),
    },
    compiled=("THUMOS14", "ActivityNet"),
    simulated_epochs=400,
    reference_map=0.751,
    reference_deviation=0.023,
    frame_height=256,
    frame_width=340,
    flow_shifts_px=((2.0, 1.0), (-1.5, 0.25), (0.1, -0.4), (5.0, -4.0)),
    flow_pairs=(16, 64, 256),
    crop=224,
    i3d_batches=(1, 4, 16),
    video_snippets=12,
    video_turns=1,
    long_snippets=100_000,
    long_hidden_width=2048,
    spare_bytes=256 * 2**20,
)
"""For one GPU of 16 GB or more."""

SMALL = Sizes(
    total_s=380,
    part_s=200,
    least_s=1,
    feature_dim=32,
    hidden_width=48,
    classes=5,
    snippets=40,
    lengths=(1, 2, 3, 40, 300),
    new_lengths=(51, 52, 53),
    same_answers=5,
    batches=(1, 4),
    turns=2,
    matrix_side=256,
    copied_bytes=2**20,
    clients=(1, 4),
    window_s=0.5,
    training={"THUMOS14": TrainingSize(2, 40, 3), "ActivityNet": TrainingSize(4, 12, 9)},
    compiled=(),
    simulated_epochs=12,
    reference_map=0.277,
    reference_deviation=0.107,
    frame_height=32,
    frame_width=40,
    flow_shifts_px=((2.0, 1.0),),
    flow_pairs=(1, 2),
    crop=32,
    i3d_batches=(1, 2),
    video_snippets=1,
    video_turns=0,
    long_snippets=40_000,
    long_hidden_width=768,
    spare_bytes=96 * 2**20,
)
"""For a test of the script itself, without a GPU."""
