"""Table 2: ActivityNet 1.3, compared with published methods."""

from training.experiments.comparison import compare
from training.experiments.finding import Finding
from training.experiments.published import ACTIVITYNET13_TIOU, ACTIVITYNET_TIOU, TABLE_2
from training.experiments.study import Study

PRESET = "activitynet13"


def run(study: Study) -> Finding:
    """Returns the paper's Table 2 with our rows below."""
    return compare(
        study,
        "Table 2: ActivityNet 1.3, compared with published methods",
        TABLE_2,
        ACTIVITYNET13_TIOU,
        averaged=ACTIVITYNET_TIOU,
    )
