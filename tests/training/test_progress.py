from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.checkpoint import load_checkpoint
from training.progress import CURVES


def test_every_curve_has_a_description_and_a_value_for_each_epoch(run: Path) -> None:
    """The learning rate is a curve beside the losses and the validation score."""
    events = EventAccumulator(str(run), size_guidance={"tensors": 0})
    events.Reload()
    curves = events.Tags()["tensors"]
    assert set(curves) == {
        "total", "cls_pre", "cls_post", "c2c", "a2c", "tagging_mAP", "learning_rate"
    }  # fmt: skip
    recipe = load_checkpoint(run).recipe
    for name in curves:
        assert [event.step for event in events.Tensors(name)] == list(range(1, 26))
        assert events.SummaryMetadata(name).summary_description == CURVES[name]
    rates = [event.tensor_proto.float_val[0] for event in events.Tensors("learning_rate")]
    expected = [recipe.learning_rate_at(epoch) for epoch in range(25)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
