"""Tables 1 to 3: ECM beside the published rows of other methods."""

from collections.abc import Sequence

from training.experiments.finding import Finding, printed, spread, table
from training.experiments.published import PublishedRow
from training.experiments.study import Figures, Study, mean_ap

_KINDS = {
    "full": "fully supervised",
    "pre": "pre-classification",
    "post": "post-classification",
    "equivalent": "ECM",
}


def compare(
    study: Study,
    title: str,
    published: Sequence[PublishedRow],
    tious: tuple[float, ...],
    *,
    averaged: tuple[float, ...],
) -> Finding:
    """Returns our mAP at some thresholds below the published rows.

    Args:
        study: gives our networks.
        title: of the finding.
        published: rows of other methods; their last value is the average, if there is one more
            value than thresholds.
        tious: the columns.
        averaged: the thresholds of a further column, the average; empty for none.
    """
    study.train("full")
    rows = [
        [_KINDS[row.kind], row.method, row.venue, row.features, *map(printed, row.values)]
        for row in published
    ]
    ours = {}
    for choice, called in study.choices.items():
        runs = study.figures("full", choice)
        ours[choice] = [_values(figures, tious, averaged) for figures in runs]
        cells = [spread(column) for column in zip(*ours[choice], strict=True)]
        rows.append(["ECM", f"**ours, {called}**", "", "", *cells])
    columns = [f"{tiou:g}" for tiou in tious] + (["average"] if averaged else [])
    return Finding(
        title,
        f"mAP in percent at each tIoU. {study.circumstances()}\n\n"
        + table(["supervision", "method", "venue", "features", *columns], rows),
        {"tiou": tious, "ours": ours, "study": study.described()},
    )


def _values(figures: Figures, tious: tuple[float, ...], averaged: tuple[float, ...]) -> list[float]:
    values = [mean_ap(figures, (tiou,)) for tiou in tious]
    return [*values, mean_ap(figures, averaged)] if averaged else values
