"""Numbers printed in the paper, in percent: Tables 1 to 6.

None marks a number that the paper does not give. Two numbers are doubtful in the paper and are kept
as printed. The average of DGAM in Table 1 would be 24.4 by its own row. The alignment of W-TALC's
14.6 in Table 1 does not show clearly to which tIoU it belongs.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["full", "pre", "post", "equivalent"]

ACTIVITYNET_TIOU = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
ACTIVITYNET13_TIOU = (0.5, 0.75, 0.95)
THUMOS14_TIOU = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of a table."""

    method: str
    """Name of the method."""
    venue: str
    """Conference and year of publication."""
    kind: Kind
    """Supervision and pipeline: full supervision, pre- or post-classification, or both of these."""
    features: str
    """Features that the method uses; empty if the table does not name them."""
    values: tuple[float | None, ...]
    """mAP at the table's tIoU thresholds; Tables 1 and 2 end with the average over 0.50:0.95."""


def _sparse(size: int, values: dict[int, float]) -> tuple[float | None, ...]:
    return tuple(values.get(place) for place in range(size))


TABLE_1 = (
    PublishedRow("SSN", "ICCV 17", "full", "TS", _sparse(11, {0: 41.3, 5: 27.0, 9: 6.1, 10: 26.6})),
    PublishedRow("AutoLoc", "ECCV 18", "pre", "UNT",
                 (27.3, 24.9, 22.5, 19.9, 17.5, 15.1, 13.0, 10.0, 6.8, 3.3, 16.0)),
    PublishedRow("TSM", "ICCV 19", "pre", "I3D",
                 (28.3, 26.0, 23.6, 21.2, 18.9, 17.0, 14.0, 11.1, 7.5, 3.5, 17.1)),
    PublishedRow("W-TALC", "ECCV 18", "pre", "I3D", _sparse(11, {0: 37.0, 4: 14.6, 10: 18.0})),
    PublishedRow("EM-MIL", "ECCV 20", "pre", "I3D",
                 _sparse(11, {0: 37.4, 4: 23.1, 8: 2.0, 10: 20.3})),
    PublishedRow("CleanNet", "ICCV 19", "pre", "I3D",
                 (37.1, 33.4, 29.9, 26.7, 23.4, 20.3, 17.2, 13.9, 9.2, 5.0, 21.6)),
    PublishedRow("3C-Net", "ICCV 19", "pre", "I3D",
                 _sparse(11, {0: 37.2, 4: 23.7, 8: 9.2, 10: 21.7})),
    PublishedRow("CMCS", "CVPR 19", "pre", "I3D",
                 _sparse(11, {0: 36.8, 5: 22.0, 9: 5.6, 10: 22.4})),
    PublishedRow("BaSNet", "AAAI 20", "pre", "I3D",
                 _sparse(11, {0: 38.5, 5: 24.2, 9: 5.6, 10: 24.3})),
    PublishedRow("ACL", "CVPR 20", "pre", "I3D",
                 _sparse(11, {0: 40.0, 5: 25.0, 9: 4.6, 10: 24.6})),
    PublishedRow("DGAM", "CVPR 20", "post", "I3D",
                 (41.0, 37.5, 33.5, 30.1, 26.9, 23.5, 19.8, 15.5, 10.8, 5.3, 22.4)),
    PublishedRow("TSCN", "ECCV 20", "post", "I3D",
                 _sparse(11, {0: 37.6, 5: 23.7, 9: 5.7, 10: 23.6})),
    PublishedRow("ECM (paper)", "", "equivalent", "I3D",
                 (41.0, 37.7, 34.2, 31.5, 28.5, 24.9, 21.2, 17.0, 12.1, 6.5, 25.5)),
)  # fmt: skip
"""ActivityNet 1.2: mAP at 0.50:0.05:0.95, then the average."""

TABLE_2 = (
    PublishedRow("TCN", "ICCV 17", "full", "", (36.4, 21.2, 3.9, None)),
    PublishedRow("TAL", "CVPR 18", "full", "", (38.2, 18.3, 1.3, 20.2)),
    PublishedRow("CDC", "CVPR 17", "full", "", (45.3, 26.0, 0.2, 23.8)),
    PublishedRow("TSA-Net", "ECCV 20", "full", "", (43.5, 33.9, 9.2, 30.1)),
    PublishedRow("PGCN", "ICCV 19", "full", "I3D", (48.3, 33.2, 3.3, 31.1)),
    PublishedRow("BMN", "ICCV 19", "full", "TS", (50.1, 34.8, 8.3, 33.9)),
    PublishedRow("G-TAD", "CVPR 20", "full", "I3D", (50.4, 34.6, 9.0, 34.1)),
    PublishedRow("GTAN", "CVPR 19", "full", "P3D", (52.6, 34.1, 8.9, 34.3)),
    PublishedRow("TSM", "ICCV 19", "pre", "I3D", (30.0, 19.0, 4.5, None)),
    PublishedRow("CMCS", "CVPR 19", "pre", "I3D", (34.0, 20.9, 5.7, 21.2)),
    PublishedRow("BaSNet", "AAAI 20", "pre", "I3D", (34.5, 22.5, 4.9, 22.2)),
    PublishedRow("ACL", "ECCV 20", "pre", "I3D", (36.8, 22.0, 5.2, 22.5)),
    PublishedRow("STPN", "CVPR 18", "post", "I3D", (29.3, 16.9, 2.6, None)),
    PublishedRow("LTSR", "AAAI 19", "post", "Res", (33.1, 18.7, 3.3, 21.8)),
    PublishedRow("MAAN", "ICLR 19", "post", "I3D", (33.7, 21.9, 5.5, None)),
    PublishedRow("TSCN", "ECCV 20", "post", "I3D", (35.3, 21.4, 5.3, 21.7)),
    PublishedRow("WSBM", "ICCV 19", "post", "I3D", (36.4, 19.2, 2.9, None)),
    PublishedRow("ECM (paper)", "", "equivalent", "I3D", (36.7, 23.6, 5.9, 23.5)),
)
"""ActivityNet 1.3: mAP at 0.5, 0.75 and 0.95, then the average over 0.50:0.05:0.95."""

TABLE_3 = (
    PublishedRow("CDC", "CVPR 17", "full", "", (None, None, 40.1, 29.4, 23.3, 13.1, 7.9)),
    PublishedRow("GTAN", "CVPR 19", "full", "P3D", (69.1, 63.7, 57.8, 47.2, 38.8, None, None)),
    PublishedRow("R-C3D", "ICCV 17", "full", "", (54.5, 51.5, 44.8, 35.6, 28.9, None, None)),
    PublishedRow("TSA-Net", "ECCV 20", "full", "I3D", (None, None, 53.9, 50.7, 45.4, 38.0, 28.5)),
    PublishedRow("TAL", "CVPR 18", "full", "I3D", (59.8, 57.1, 53.2, 48.5, 42.8, 33.8, 20.8)),
    PublishedRow("G-TAD", "CVPR 20", "full", "TS", (None, None, 54.5, 47.6, 40.2, 30.8, 23.4)),
    PublishedRow("PGCN", "ICCV 19", "full", "I3D", (69.5, 67.8, 63.6, 57.8, 49.1, None, None)),
    PublishedRow("UntrimmedNet", "CVPR 17", "pre", "UNT",
                 (44.4, 37.7, 28.2, 21.1, 13.7, None, None)),
    PublishedRow("AutoLoc", "ECCV 18", "pre", "UNT", (None, None, 35.8, 29.0, 21.2, 13.4, 5.8)),
    PublishedRow("W-TALC", "ECCV 18", "pre", "I3D", (55.2, 49.6, 40.1, 31.1, 22.8, None, None)),
    PublishedRow("CMCS", "CVPR 19", "pre", "I3D", (57.4, 50.8, 41.2, 32.1, 23.1, 15.0, 7.0)),
    PublishedRow("CleanNet", "ICCV 19", "pre", "I3D", (None, None, 37.0, 30.9, 23.9, 13.9, 7.1)),
    PublishedRow("TSM", "ICCV 19", "pre", "I3D", (None, None, 39.5, 31.9, 24.5, 13.8, 7.1)),
    PublishedRow("BaSNet", "AAAI 19", "pre", "I3D", (58.2, 52.3, 44.6, 36.0, 27.0, 18.6, 10.4)),
    PublishedRow("STPN", "CVPR 18", "post", "I3D", (52.0, 44.7, 35.5, 25.8, 16.9, 9.9, 4.3)),
    PublishedRow("MAAN", "ICLR 19", "post", "I3D", (59.8, 50.8, 41.1, 30.6, 20.3, 12.0, 6.9)),
    PublishedRow("WSBM", "ICCV 19", "post", "I3D", (64.2, 59.5, 49.1, 38.4, 27.5, 17.3, 8.6)),
    PublishedRow("TSCN", "ECCV 20", "post", "I3D", (63.4, 57.6, 47.8, 37.7, 28.7, 19.4, 10.2)),
    PublishedRow("DGAM", "CVPR 20", "post", "I3D", (60.0, 54.2, 46.8, 38.2, 28.8, 19.8, 11.4)),
    PublishedRow("ECM (paper)", "", "equivalent", "I3D",
                 (62.6, 55.1, 46.5, 38.2, 29.1, 19.5, 10.9)),
)  # fmt: skip
"""THUMOS14: mAP at 0.1:0.1:0.7."""

TABLE_4 = {
    "pre": 19.6,
    "post": 17.1,
    "shared": 22.8,
    "a2c": 24.2,
    "not-shared": 23.4,
    "agnostic": 27.6,
    "full": 29.1,
}
"""THUMOS14: mAP at 0.5 of each variant (training/experiments/variants.py)."""

TABLE_5 = {
    "pre": (46.1, 38.8, 32.1, 25.3, 19.6, 12.7, 7.2),
    "post": (42.3, 35.8, 29.1, 23.1, 17.1, 11.0, 6.2),
    "merge": (45.5, 39.2, 33.0, 26.5, 21.4, 13.8, 7.9),
    "0.2": (43.5, 36.6, 30.7, 24.9, 20.2, 13.4, 8.2),
    "0.4": (44.2, 37.4, 31.2, 25.5, 20.3, 13.9, 8.2),
    "0.6": (44.9, 38.2, 31.9, 26.0, 20.5, 14.3, 8.3),
    "0.8": (45.1, 38.4, 32.1, 26.3, 20.8, 14.4, 8.4),
}
"""THUMOS14: mAP at 0.1:0.1:0.7 of each way to join two networks; a number is lambda."""

TABLE_6 = {"pre": 42.7, "post": 39.0, "full": 54.3}
"""THUMOS14: frame accuracy of each variant."""
