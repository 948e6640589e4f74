"""`ecm localize`, with a model in this process or a running service."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from tqdm import tqdm

from ecm_client.clients import Client
from ecm_client.errors import LocalizerError
from ecm_client.inputs import Source
from ecm_client.localization import Localization
from ecm_client.many import outcomes
from ecm_client.options import OnProgress, Options
from ecm_localizer.command.inputs import Input, find_inputs
from ecm_localizer.command.model_options import MODEL, ModelOptions
from ecm_localizer.command.output_options import OUTPUT, OutputOptions
from ecm_localizer.command.results import Output
from ecm_localizer.command.segment_list import count
from ecm_localizer.command.takeaways import open_output
from model.errors import DataError, OptionError
from model.localization.localize import LocalizationConfig
from model.spec import InferenceSampling
from training.commands.options import RARE_SEGMENTS, with_fields

if TYPE_CHECKING:
    from ecm_localizer.localizer import Localizer

_MODEL, _OUTPUT = ModelOptions(), OutputOptions()


@with_fields(LocalizationConfig, Options, leave_out=("include",))
def localize(
    inputs: list[str],
    /,
    *,
    where: Annotated[ModelOptions, Parameter(name="*", group=MODEL)] = _MODEL,
    output: Annotated[OutputOptions, Parameter(name="*", group=OUTPUT)] = _OUTPUT,
    annotations: Annotated[Path | None, Parameter(group=RARE_SEGMENTS)] = None,
    sampling: Annotated[InferenceSampling | None, Parameter(group=RARE_SEGMENTS)] = None,
    **options: Any,
) -> None:
    """Localizes each input, and lists or writes its segments.

    Args:
        inputs: Features as .npy files (snippets, channels), videos, folders of both, and URIs.
        where: options that name the model.
        output: options for the results.
        annotations: Annotations in ActivityNet's JSON format, for ids and durations of features.
        sampling: Length of features at inference: native, or resampled as in training.
        **options: options of localization.

    Raises:
        OptionError: options contradict each other.
        DataError: some inputs failed. The results of the others are written.
    """
    found = find_inputs(inputs, annotations)
    if "duration_s" in options and len(found) > 1:
        raise OptionError("--duration-s is for one input; use --snippet-s for several")
    output.check(found)
    per_call = {name: options.pop(name) for name in Options.__annotations__ if name in options}
    if output.plot is not None:
        per_call["include"] = "cas"
    changes = options | ({"sampling": sampling} if sampling else {})
    with where.open(changes) as model:
        if isinstance(model, Client):
            per_call |= {"model": where.model, "version": where.version}
        sink = open_output(output, model, per_call)
        concurrency = where.concurrency or (1 if where.is_local else 4)
        failed, segments = _localize_all(model, found, per_call, sink, concurrency)
    sink.close()
    _summarize(output, len(found), failed, segments)


def _localize_all(
    model: "Localizer | Client",
    inputs: list[Input],
    options: Mapping[str, Any],
    sink: Output,
    concurrency: int,
) -> tuple[int, int]:
    """Adds the results in order to the sink; returns the numbers of failures and of segments."""
    by_source: dict[Source, Input] = {item.source: item for item in inputs}
    has_clock = not {"duration_s", "snippet_s"}.isdisjoint(options)

    def call(source: Source, on_progress: OnProgress) -> Localization:
        chosen = options if has_clock else {**options, **by_source[source].clock}
        return model.localize(source, on_progress=on_progress, **chosen)

    failed = segments = 0
    results = outcomes(call, list(by_source), concurrency=concurrency, progress_bar=None)
    for item, outcome in zip(by_source.values(), results, strict=True):
        error = outcome if isinstance(outcome, LocalizerError) else _hand_over(sink, item, outcome)
        if error is not None:
            failed += 1
            tqdm.write(f"error: {item.source}: {error}", file=sys.stderr)
        elif isinstance(outcome, Localization):
            segments += len(outcome)
    return failed, segments


def _hand_over(sink: Output, item: Input, localization: Localization) -> Exception | None:
    """Gives the output one result; returns the error if this result cannot be written."""
    try:
        sink.add(item, localization)
    except BrokenPipeError:
        raise
    except (OSError, LocalizerError) as error:
        return error
    return None


def _summarize(output: OutputOptions, inputs: int, failed: int, segments: int) -> None:
    """Prints the totals that are not on the screen yet; failures become an error."""
    if output.out is not None:
        print(f"{output.out}: {count(inputs - failed, 'video')}, {count(segments, 'segment')}")
    if output.out is not None and output.out.suffix and output.format_name == "activitynet":
        print(f"next: ecm score ANNOTATIONS {output.out}")
    if failed:
        raise DataError(f"{failed} of {count(inputs, 'input')} failed")
