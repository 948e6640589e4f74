"""Tables 1 to 3: mAP of ECM compared with the published mAP of other methods."""

from collections.abc import Sequence

from training.experiments.finding import Finding, published_cell, spread, table
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
    """Returns a table with the published rows and, below them, our mAP.

    Args:
        study: trains and measures our networks.
        title: title of the finding.
        published: rows of other methods, with one value for each column.
        tious: tIoU thresholds, one for each column.
        averaged: tIoU thresholds of one more column, their average; empty for no such column.
    """
    study.train("full")
    rows = [
        [_KINDS[row.kind], row.method, row.venue, row.features, *map(published_cell, row.values)]
        for row in published
    ]
    ours = {}
    for choice, name in study.choices.items():
        runs = study.figures("full", choice)
        ours[choice] = [_values(figures, tious, averaged) for figures in runs]
        cells = [spread(column) for column in zip(*ours[choice], strict=True)]
        rows.append(["ECM", f"**ours, {name}**", "", "", *cells])
    columns = [f"{tiou:g}" for tiou in tious] + (["average"] if averaged else [])
    return Finding(
        title,
        f"mAP in percent at each tIoU. {study.description()}\n\n"
        + table(["supervision", "method", "venue", "features", *columns], rows),
        {"tiou": tious, "ours": ours, "study": study.to_json()},
    )


def _values(figures: Figures, tious: tuple[float, ...], averaged: tuple[float, ...]) -> list[float]:
    values = [mean_ap(figures, (tiou,)) for tiou in tious]
    return [*values, mean_ap(figures, averaged)] if averaged else values
