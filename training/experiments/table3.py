"""Table 3: THUMOS14, compared with published methods."""

from training.experiments.comparison import compare
from training.experiments.finding import Finding
from training.experiments.published import TABLE_3, THUMOS14_TIOU
from training.experiments.study import Study

PRESET = "thumos14"


def run(study: Study) -> Finding:
    """Returns the paper's Table 3 with our rows below."""
    return compare(
        study,
        "Table 3: THUMOS14, compared with published methods",
        TABLE_3,
        THUMOS14_TIOU,
        averaged=(),
    )
