"""Presets: recipes with a name, for `ecm fit --preset NAME`.

Each benchmark has two presets. `NAME` has the settings that the paper states for all experiments;
`NAME-released` has those of the released code, with its absence term and post-processing. Settings
that the paper omits, such as the post-processing of ActivityNet, are those of the released code.
"""

from dataclasses import replace

from model.errors import OptionError
from model.localization.localize import LocalizationConfig
from training.configuration.objective import Objective
from training.configuration.recipe import Recipe
from training.datasets.video_record import VideoSet

_THUMOS14_LOCALIZATION = LocalizationConfig(
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

_ACTIVITYNET_LOCALIZATION = LocalizationConfig(
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
    """Your own features and labels. The defaults were chosen without annotated times.

    ecm fit --annotations A.json --features my_features --out runs/mine
    """
    return Recipe(hidden_width=512, calibration_folds=5)


def own_videos() -> Recipe:
    """A few dozen of your own videos, some of which may show no class; features of any scale.

    ecm fit --videos my_videos --tags tags.csv --preset own-videos --out runs/mine

    A network overfits so few videos at once. A narrow network with strong weight decay keeps its
    probabilities comparable between videos. L_c2c would cost ten points, and L_a2c gains nothing.
    """
    return Recipe(
        hidden_width=64,
        standardize=True,
        transition_start="identity",
        snippets=None,
        weight_decay=0.05,
        calibration_folds=5,
        objective=Objective(
            activation="sigmoid", topk_ratio=0.25, alpha=0, beta=0, segment_weight=20
        ),
        localization=LocalizationConfig(
            cas_scale="probability", class_threshold=0.5, cas_threshold_min=0.2
        ),
    )


def demo() -> Recipe:
    """The simulated data set of `make demo`; half a minute on two cores."""
    return Recipe(hidden_width=128, snippets=128, epochs=80, learning_rate=1e-3)


def thumos14() -> Recipe:
    """THUMOS14 with the paper's settings.

    The paper reports mAP 62.6 55.1 46.5 38.2 29.1 19.5 10.9 at tIoU 0.1 to 0.7.
    """
    return Recipe(
        snippets=750,
        sampling="resampled",
        epochs=150,
        class_threshold_from="option",
        objective=Objective(absence="paper"),
        localization=_THUMOS14_LOCALIZATION,
    )


def thumos14_released() -> Recipe:
    """THUMOS14 with the released settings; the release chose epoch 139 on the test videos."""
    return thumos14().override({"absence": "released"})


def activitynet12() -> Recipe:
    """ActivityNet 1.2 with the paper's settings; the paper reports mAP 25.5 over 0.50:0.95."""
    return replace(thumos14(), snippets=100, epochs=40, localization=_ACTIVITYNET_LOCALIZATION)


def activitynet12_released() -> Recipe:
    """ActivityNet 1.2 with the released settings, which give mAP 25.45 over 0.50:0.95."""
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
    """ActivityNet 1.3 with the paper's settings; the paper reports mAP 23.5 over 0.50:0.95."""
    return activitynet12()


def activitynet13_released() -> Recipe:
    """ActivityNet 1.3 with the released settings, which give mAP 23.48 over 0.50:0.95."""
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
"""Presets by their names on the command line."""


def preset_for(training: VideoSet) -> str:
    """Returns the name of the preset for videos of no benchmark, by what their tags allow.

    A softmax needs two classes and ignores videos without a tag. `own-videos` has a sigmoid.
    """
    classes = {label for video in training.videos for label in video.labels}
    has_untagged = any(not video.labels for video in training.videos)
    return "own-videos" if has_untagged or len(classes) == 1 else "own-data"


def preset(name: str) -> Recipe:
    """Returns a preset's recipe.

    Raises:
        OptionError: There is no such preset.
    """
    if name not in PRESETS:
        raise OptionError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]()
