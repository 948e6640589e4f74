"""Named recipes: `python -m training fit --preset NAME`.

Each benchmark has two: `NAME` with the settings that the paper states for all experiments, and
`NAME-released` with those of the released code, absence term and post-processing included.
What the paper leaves open (post-processing of ActivityNet, for one) is taken from the release.
"""

from dataclasses import replace

from model.errors import OptionError
from model.localize import LocalizationConfig
from training.losses import Objective
from training.recipe import Recipe

_THUMOS14_READING = LocalizationConfig(
    protocol="released",
    class_threshold=0.25,
    cas_threshold_min=0.01,
    cas_threshold_max=0.2,
    cas_threshold_step=0.025,
    outer_ratio=0.4,
    class_score_weight=0.15,
    nms="greedy",
    nms_iou=0.6,
)

_ACTIVITYNET_READING = LocalizationConfig(
    protocol="released",
    class_threshold=0.25,
    cas_threshold_min=0.0,
    cas_threshold_max=0.175,
    cas_threshold_step=0.025,
    outer_ratio=0.5,
    class_score_weight=0.45,
    nms="greedy",
    nms_iou=0.7,
)


def own_data() -> Recipe:
    """Your own videos: defaults chosen without looking at any time stamp.

    python -m training fit --annotations A.json --features DIR --out runs/mine
    """
    return Recipe(hidden_width=512)


def own_videos() -> Recipe:
    """A few dozen of your own videos, some of which may show nothing, and features of any sizes.

    python -m training fit --videos DIR --annotations A.json --preset own-videos --out runs/mine

    So few videos are learned by heart at once: a narrow network is kept from large weights, so that
    its probabilities mean the same in every video. L_c2c costs it ten points, L_a2c brings nothing.
    """
    return Recipe(
        hidden_width=64,
        standardize=True,
        transition_start="identity",
        snippets=None,
        weight_decay=0.05,
        objective=Objective(activation="sigmoid", topk_ratio=0.25, alpha=0, beta=0),
        localization=LocalizationConfig(
            cas_scale="probability", class_threshold=0.5, cas_threshold_min=0.2
        ),
    )


def demo() -> Recipe:
    """The simulated set of `make demo`: half a minute on two cores."""
    return Recipe(hidden_width=128, snippets=128, epochs=80, learning_rate=1e-3)


def thumos14() -> Recipe:
    """THUMOS14 as the paper states it: 62.6 55.1 46.5 38.2 29.1 19.5 10.9 at 0.1 to 0.7."""
    return Recipe(
        snippets=750,
        sampling="resampled",
        epochs=150,
        objective=Objective(absence="paper"),
        localization=_THUMOS14_READING,
    )


def thumos14_released() -> Recipe:
    """THUMOS14 as the released code runs it; its best epoch, 139, was picked on the test videos."""
    return thumos14().override({"absence": "released"})


def activitynet12() -> Recipe:
    """ActivityNet 1.2 as the paper states it: 25.5 averaged over 0.50:0.95."""
    return replace(thumos14(), snippets=100, epochs=40, localization=_ACTIVITYNET_READING)


def activitynet12_released() -> Recipe:
    """ActivityNet 1.2 as the released code runs it: 25.45 averaged over 0.50:0.95."""
    return activitynet12().override(
        {
            "absence": "released",
            "batch_size": 128,
            "epochs": 36,
            "topk_ratio": 0.25,
            "beta": 1.0,
            "class_threshold": 0.12,
        }
    )


def activitynet13() -> Recipe:
    """ActivityNet 1.3 as the paper states it: 23.5 averaged over 0.50:0.95."""
    return activitynet12()


def activitynet13_released() -> Recipe:
    """ActivityNet 1.3 as the released code runs it: 23.48 averaged over 0.50:0.95."""
    return activitynet12_released().override(
        {"decay_epoch": 26, "topk_ratio": 0.6, "class_threshold": 0.05}
    )


PRESETS = {
    "own-data": own_data,
    "own-videos": own_videos,
    "demo": demo,
    "thumos14": thumos14,
    "thumos14-released": thumos14_released,
    "activitynet12": activitynet12,
    "activitynet12-released": activitynet12_released,
    "activitynet13": activitynet13,
    "activitynet13-released": activitynet13_released,
}
"""Every preset by the name that the command line takes."""


def preset(name: str) -> Recipe:
    """Returns a preset's recipe.

    Raises:
        OptionError: there is no such preset.
    """
    if name not in PRESETS:
        raise OptionError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]()
