"""Numbers as people read them, and sentences for errors."""

import pytest
from playwright.sync_api import Page

FORMAT = (
    """async ([name, args]) => (await import("/page/scripts/parts/format.js"))[name](...args)"""
)
SENTENCE = """async (problem) => {
  const { sentenceOf } = await import("/page/scripts/server/problems.js");
  const { ApiError } = await import("/page/scripts/server/api_error.js");
  return sentenceOf(new ApiError(problem));
}"""


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("clock", [89.44], "01:29.4"),
        ("clock", [5527.4], "1:32:07.4"),
        ("clock", [59.96], "01:00.0"),
        ("clock", [3599.99], "1:00:00.0"),
        ("clock", [97.28, {"milliseconds": True}], "01:37.280"),
        ("clock", [70, {"whole": True}], "01:10"),
        ("spokenClock", [97.3], "1 minute 37.3"),
        ("spokenClock", [3727.4], "1 hour 2 minutes 7.4"),
        ("span", [5.1], "5.1 s"),
        ("bytes", [4294967296], "4.3 GB"),
        ("bytes", [212_000_000], "212 MB"),
        ("bytes", [999], "999 bytes"),
        ("bytes", [0], "0 bytes"),
        ("bytesOf", [1.1e9, 3.2e9], "1.1 of 3.2 GB"),
        ("left", [79], "About 1 min 20 s left"),
        ("left", [1], "About 5 s left"),
        ("roughly", [660], "11 min"),
        ("roughly", [5400], "1 h 30 min"),
        ("score", [1.204], "1.20"),
        ("percent", [0.8491], "84.9"),
        ("counted", [1, "segment"], "1 segment"),
        ("counted", [12, "class"], "12 classes"),
        ("ordinal", [2], "2nd"),
        ("ordinal", [11], "11th"),
        ("ordinal", [24], "24th"),
    ],
)
def test_numbers_are_written_as_people_read_them(
    modules: Page, name: str, args: list[object], text: str
) -> None:
    """Values are rounded at the edge only, so that 59.96 s are a minute."""
    assert modules.evaluate(FORMAT, [name, args]) == text


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (
            {"type": "scope-missing", "detail": "expected an API key with the scope 'infer'"},
            'This key may not do that. Use one with the scope "infer".',
        ),
        (
            {"type": "disk-full", "detail": "the service's disk is full"},
            "The service has no room for this video. Ask the operator.",
        ),
        (
            {"type": "queue-full", "detail": "40 videos wait already", "retryAfterS": 20},
            "40 videos wait already. Trying again in 20 s.",
        ),
        (
            {
                "type": "extractor-unavailable",
                "detail": "this model was trained with the extractor i3d, sha256 12ab; no file",
            },
            'This model reads videos with "i3d", which is not here. Ask the operator for it.',
        ),
        (
            {"type": "worker-failed", "detail": "the process died"},
            "This video stopped the reader three times. Convert it to MP4 and bring it in again.",
        ),
        (
            {"type": "activation-gone", "detail": "no activation"},
            'The activation of this video is no longer kept. "Read it again" takes seconds.',
        ),
        (
            {"type": "unusable-input", "detail": "the video cannot be decoded"},
            "The video cannot be decoded.",
        ),
    ],
)
def test_errors_are_sentences_that_say_what_to_do(
    modules: Page, problem: dict[str, object], sentence: str
) -> None:
    """Known problems have words of the page; others have those of the service."""
    problem["type"] = f"urn:ecm-localizer:{problem['type']}"
    assert modules.evaluate(SENTENCE, {"status": 400} | problem) == sentence
