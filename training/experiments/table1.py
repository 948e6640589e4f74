"""Table 1: ActivityNet 1.2, compared with published methods."""

from training.experiments.comparison import compare
from training.experiments.finding import Finding
from training.experiments.published import ACTIVITYNET_TIOU, TABLE_1
from training.experiments.study import Study

PRESET = "activitynet12"


def run(study: Study) -> Finding:
    """Returns the paper's Table 1 with our rows below."""
    return compare(
        study,
        "Table 1: ActivityNet 1.2, compared with published methods",
        TABLE_1,
        ACTIVITYNET_TIOU,
        averaged=ACTIVITYNET_TIOU,
    )
