"""The options of a request: their effect on the duration of features and on localization."""

from dataclasses import replace

from ecm_client.schemas import LocalizeOptions
from model.errors import InputError
from model.localization.localize import LocalizationConfig
from model.snippets import SnippetClock
from model.spec import ModelSpec


def features_duration_s(options: LocalizeOptions, spec: ModelSpec, snippets: int) -> float:
    """Returns the duration of features in seconds.

    The options `duration_s` and `snippet_s` decide, and otherwise the clock of the model.

    Raises:
        InputError: the options give both, or neither and the model has no clock.
    """
    if options.duration_s is not None and options.snippet_s is not None:
        raise InputError("expected duration_s or snippet_s, got both")
    if options.duration_s is not None:
        return options.duration_s
    snippet_s = options.snippet_s or spec.snippet_s
    if snippet_s is None:
        raise InputError("this model has no snippet duration; expected duration_s or snippet_s")
    return SnippetClock(snippet_s).seconds(snippets)


def localization_config(
    options: LocalizeOptions, default: LocalizationConfig, *, most_segments: int | None = None
) -> LocalizationConfig:
    """Returns the localization settings of a model with the changes that the options make.

    Args:
        options: options of a request.
        default: settings of the model.
        most_segments: upper limit for `max_segments`; None for no limit.

    Raises:
        OptionError: an option is out of range.
    """
    config = default
    if options.class_threshold is not None:
        config = replace(config, class_threshold=options.class_threshold)
    if options.nms_iou is not None:
        config = replace(config, nms="greedy", nms_iou=options.nms_iou)
    if options.min_score is not None:
        config = replace(config, min_score=options.min_score)
    if options.max_segments is not None:
        config = replace(config, max_segments=options.max_segments)
    limits = [limit for limit in (config.max_segments, most_segments) if limit is not None]
    return replace(config, max_segments=min(limits, default=None))
