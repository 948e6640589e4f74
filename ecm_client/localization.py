"""The result of localizing one video: from a `Localizer` and from a client alike.

Axes: T snippets, C classes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from ecm_client.drawing.lanes import DISPLAY_MIN_SCORE, Lane, lanes_of
from ecm_client.drawing.notebook import html_view
from ecm_client.drawing.plotting import draw_lanes
from ecm_client.errors import InputError
from ecm_client.formats.json_documents import segment_objects
from ecm_client.formats.table import export
from ecm_client.formats.video_segments import SCORE_DIGITS, TIME_DIGITS, VideoSegments, clock
from ecm_client.segments import Segment

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_HTML_LANES = 8


@dataclass(frozen=True, slots=True, repr=False)
class Localization(Sequence[Segment]):
    """The action segments of one video, and the scores behind them.

    A sequence of its segments, best first:

        for segment in localization.by_time():
            print(segment.label, segment.start_s, segment.end_s, segment.score)

    Two localizations are equal if they have the same segments, scores, length and model.
    """

    segments: tuple[Segment, ...]
    """Action segments, best first unless `by_time` sorted them."""
    classes: dict[str, float]
    """Probability that the video shows each class, most probable class first."""
    duration_s: float
    """Length of the video, or of the features, in seconds."""
    snippets: int
    """Number of snippets (T)."""
    model: str
    """Name of the model."""
    version: int | None = None
    """Version of the model; None for a file outside a model repository."""
    truncated: bool = field(default=False, compare=False)
    """Whether `max_segments`, of the call or of the service, left out segments."""
    timing_ms: dict[str, float] = field(default_factory=dict, compare=False)
    """Milliseconds spent in each stage and in `total`."""
    cas_TC: NDArray[np.float32] | None = field(default=None, compare=False)
    """Class activation sequence, logits (T, C); only with the option `include="cas"`."""
    cas_labels: tuple[str, ...] = field(default=(), compare=False)
    """Class of each column of `cas_TC`; empty without it."""
    familiarity: float | None = None
    """Share of the training videos that are as far from the others as this video; 0 if all are
    nearer, None if the model has no statistics of them."""
    notes: tuple[str, ...] = ()
    """Sentences about the result, such as the reason why there is no segment."""

    def __len__(self) -> int:
        return len(self.segments)

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Segment, ...]: ...
    def __getitem__(self, index: int | slice) -> Segment | tuple[Segment, ...]:
        return self.segments[index]

    def by_time(self) -> "Localization":
        """Returns the same localization with its segments in order of their start."""
        return replace(self, segments=tuple(sorted(self.segments)))

    def by_score(self) -> "Localization":
        """Returns the same localization with its segments best first."""
        best_first = sorted(self.segments, key=lambda segment: -segment.score)
        return replace(self, segments=tuple(best_first))

    def to_json(self) -> str:
        """Returns the JSON that POST /localize answers with, on one line.

        Times are rounded to the millisecond, scores and logits to four digits.
        """
        return json.dumps(self._content())

    def _content(self) -> dict[str, object]:
        content: dict[str, object] = {
            "model": {"name": self.model, "version": self.version},
            "duration_s": round(self.duration_s, TIME_DIGITS),
            "snippets": self.snippets,
            "classes": [
                {"label": label, "score": round(score, SCORE_DIGITS)}
                for label, score in self.classes.items()
            ],
            "segments": segment_objects(self.segments),
            "truncated": self.truncated,
            "familiarity": self.familiarity and round(self.familiarity, SCORE_DIGITS),
            "notes": self.notes,
            "timing_ms": {stage: round(ms, 3) for stage, ms in self.timing_ms.items()},
        }
        if self.cas_TC is not None:
            logits_TC = self.cas_TC.astype(np.float64).round(SCORE_DIGITS)
            content["cas"] = {"labels": self.cas_labels, "logits": logits_TC.tolist()}
        return content

    def to(
        self, name: str, *, video_id: str = "", file: str = "", frame_rate: float | None = None
    ) -> str:
        """Returns the segments in a format of `ecm_client.formats.table.FORMATS`.

            Path("match.edl").write_text(result.to("edl", file="match.mp4", frame_rate=25))

        Args:
            name: csv, json, jsonl, activitynet, vtt, edl, elan, boris or labelstudio.
            video_id: name of the video in the text.
            file: path or address of the video, for programs that open it.
            frame_rate: frames a second, for edl and labelstudio.

        Raises:
            FormatError: the format is unknown, or needs a frame rate.
        """
        video = self.video_segments(video_id, file=file, frame_rate=frame_rate)
        return export(name, [video]).decode()

    def to_csv(self) -> str:
        """Returns a CSV table with the columns label, start_s, end_s and score."""
        return self.to("csv")

    def to_vtt(self) -> str:
        """Returns WebVTT captions that a player shows over the video, one cue for each segment."""
        return self.to("vtt")

    def to_activitynet(self, video_id: str) -> str:
        """Returns an ActivityNet result file, JSON, that holds this video alone."""
        return self.to("activitynet", video_id=video_id)

    def to_pandas(self) -> "pandas.DataFrame":
        """Returns a data frame with the columns label, start_s, end_s and score.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise InputError("a data frame needs the package pandas: pip install pandas") from None
        columns = ["start_s", "end_s", "label", "score"]
        table = pandas.DataFrame(list(self.segments), columns=columns)
        return table[["label", "start_s", "end_s", "score"]]

    def plot(
        self, *, title: str = "", max_lanes: int = 12, min_score: float = DISPLAY_MIN_SCORE
    ) -> "Figure":
        """Returns a matplotlib figure with a lane for each class, shaded by score.

        With `include="cas"`, the class activation is below the segments, as in localization.

            result.plot().savefig("match.png", dpi=150)

        Args:
            title: text above the plot.
            max_lanes: largest number of classes.
            min_score: lowest score of a segment. If none has it, all segments are drawn.

        Raises:
            InputError: matplotlib is not installed.
        """
        lanes = self._lanes(max_lanes, min_score)
        return draw_lanes(lanes, self.duration_s, title=title, curves=self._curves())

    def video_segments(
        self, video_id: str = "", *, file: str = "", frame_rate: float | None = None
    ) -> VideoSegments:
        """Returns the segments with the name of their video, as all formats take them."""
        facts = {k: v for k, v in self._content().items() if k not in ("duration_s", "segments")}
        return VideoSegments(video_id, self.segments, self.duration_s, frame_rate, file, facts)

    def __repr__(self) -> str:
        count = f"{len(self)} segment{'' if len(self) == 1 else 's'}"
        text = f"Localization of {self.duration_s:.1f} s: {count}"
        if not self.segments:
            return text
        best = max(self.segments, key=lambda segment: segment.score)
        return f"{text}, best {best.label} {best.score:.2f} at {clock(best.start_s)}"

    def _repr_html_(self) -> str:
        """Returns a time line and a table of the first segments, for notebooks."""
        lanes = self._lanes(_HTML_LANES, DISPLAY_MIN_SCORE)
        return html_view(repr(self), lanes, self.segments, self.duration_s)

    def _lanes(self, max_lanes: int, min_score: float) -> list[Lane]:
        return lanes_of(
            self.segments,
            self.classes,
            labels=self.cas_labels,
            max_lanes=max_lanes,
            min_score=min_score,
        )

    def _curves(self) -> dict[str, NDArray[np.float32]]:
        """Returns the activation (T,) of each class, its largest value scaled to 1."""
        if self.cas_TC is None:
            return {}
        low_C = np.maximum(self.cas_TC.min(axis=0), 0)
        extent_C = np.maximum(self.cas_TC.max(axis=0), 0) - low_C
        scaled_TC = (self.cas_TC - low_C) / np.where(extent_C > 0, extent_C, np.float32(1))
        return dict(zip(self.cas_labels, scaled_TC.T, strict=True))
