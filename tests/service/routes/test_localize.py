"""POST /localize through a real server, with plain requests as curl sends them."""

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter

import httpx
import numpy as np
import pytest

from model.export import write_onnx
from model.inference.engine import OnnxEngine
from model.network import Ecm
from model.predict import predict_video
from model.repository import publish
from model.spec import ModelSpec
from service.settings import Settings
from training.measurement.evaluation import TorchEngine

Serving = Callable[[Settings], AbstractContextManager[str]]
RAW = {"Content-Type": "application/octet-stream", "X-Shape": "40,8", "X-Dtype": "float32"}
NPY = {"Content-Type": "application/x-npy"}


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def assert_problem(response: httpx.Response, status: int, *words: str) -> None:
    """Checks for an RFC 9457 problem whose detail has some words and no internals."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:ecm-localizer:")
    for word in words:
        assert word in problem["detail"]
    assert "Traceback" not in response.text


def test_every_form_gives_the_segments_of_offline_localization(
    url: str, features_TD: np.ndarray, exported: bytes, spec: ModelSpec
) -> None:
    """Lists, base64, .npy, raw bytes and a form get the same answer.

    That of the same file, since the last digit of a score decides which of two equals comes first.
    """
    expected = predict_video(OnnxEngine(exported), features_TD, spec, duration_s=20.0)
    encoded = base64.b64encode(features_TD.tobytes()).decode()
    answers = [
        httpx.post(f"{url}/localize", json={"features": features_TD.tolist()}),
        httpx.post(f"{url}/localize", json={"features_b64": encoded, "shape": [40, 8]}),
        httpx.post(f"{url}/localize", content=npy(features_TD), headers=NPY),
        httpx.post(f"{url}/localize", content=features_TD.tobytes(), headers=RAW),
        httpx.post(f"{url}/localize", files={"file": ("a.npy", npy(features_TD))}),
    ]
    assert expected.segments
    for answer in answers:
        body = answer.json()
        assert answer.status_code == 200
        assert body["model"] == {"name": "small", "version": 1}
        assert (body["duration_s"], body["snippets"]) == (20.0, 40)
        assert [s["label"] for s in body["segments"]] == [s.label for s in expected.segments]
        for key in ("start_s", "end_s", "score"):
            got = [segment[key] for segment in body["segments"]]
            truth = [getattr(segment, key) for segment in expected.segments]
            np.testing.assert_allclose(got, truth, atol=1e-3)
        scores = {entry["label"]: entry["score"] for entry in body["classes"]}
        truth = dict(zip(spec.labels, expected.class_scores_C, strict=True))
        assert scores == pytest.approx(truth, abs=1e-5)
        assert set(body["timing_ms"]) == {"parse", "inference", "localization", "total"}


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP"])
def test_compressed_bodies_give_the_same_answer(
    coding: str, url: str, features_TD: np.ndarray
) -> None:
    """In every form of features; damaged data, a bomb and other codings are refused."""
    pack = zlib.compress if coding == "deflate" else gzip.compress
    expected = httpx.post(f"{url}/localize", content=npy(features_TD), headers=NPY).json()
    lists = json.dumps({"features": features_TD.tolist()}).encode()
    text = {"Content-Type": "application/json"}
    forms = [(npy(features_TD), NPY), (features_TD.tobytes(), RAW), (lists, text)]
    for content, headers in forms:
        headers = headers | {"Content-Encoding": coding}
        answer = httpx.post(f"{url}/localize", content=pack(content), headers=headers)
        assert answer.json()["segments"] == expected["segments"]
        damaged = httpx.post(f"{url}/localize", content=pack(content)[:-1], headers=headers)
        assert_problem(damaged, 400, "one complete stream")
        bomb = httpx.post(f"{url}/localize", content=pack(bytes(5_000_000)), headers=headers)
        assert_problem(bomb, 413, "more than 100000 bytes")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_codings_are_refused_by_name(coding: str, url: str, features_TD: np.ndarray) -> None:
    """With the codings that are accepted (RFC 9110, section 15.5.16)."""
    headers = NPY | {"Content-Encoding": coding}
    answer = httpx.post(f"{url}/localize", content=npy(features_TD), headers=headers)
    assert_problem(answer, 415, "gzip or deflate", coding)
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    form = {"file": ("a.npy", npy(features_TD))}
    answer = httpx.post(f"{url}/localize", files=form, headers={"Content-Encoding": "gzip"})
    assert_problem(answer, 415, "expected no Content-Encoding with multipart/form-data")


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 99_000])
def test_bytes_of_unknown_kind_are_refused_by_their_start(url: str, content: bytes) -> None:
    """Octet-stream without a shape is a video, or the error names the missing header."""
    headers = {"Content-Type": "application/octet-stream"}
    answer = httpx.post(f"{url}/localize", content=content, headers=headers)
    assert_problem(answer, 422, "X-Shape", "or a video", repr(content[:8]))
    answer = httpx.post(f"{url}/localize", content=npy(np.zeros((4, 8))), headers=headers)
    assert_problem(answer, 422, "expected header Content-Type: application/x-npy")


def test_service_gives_the_cas_of_torch(
    url: str, features_TD: np.ndarray, network: Ecm, spec: ModelSpec
) -> None:
    """The logits agree to 1e-4."""
    expected_TC = TorchEngine(network).cas(features_TD)
    answer = httpx.post(f"{url}/localize?include=cas", content=npy(features_TD), headers=NPY)
    cas = answer.json()["cas"]
    assert cas["labels"] == list(spec.labels)
    np.testing.assert_allclose(cas["logits"], expected_TC, atol=1e-4)


def test_float16_and_fortran_order_are_read(url: str, features_TD: np.ndarray) -> None:
    """Half the bytes, the same features to their precision; memory order does not matter."""
    half = features_TD.astype(np.float16)
    headers = RAW | {"X-Dtype": "float16"}
    raw = httpx.post(f"{url}/localize?include=cas", content=half.tobytes(), headers=headers)
    content = npy(np.asfortranarray(half))
    fortran = httpx.post(f"{url}/localize?include=cas", content=content, headers=NPY)
    assert raw.json()["cas"] == fortran.json()["cas"]
    assert np.array(raw.json()["cas"]["logits"]).shape == (40, 3)


def test_options_in_query_body_and_form_do_the_same(url: str, features_TD: np.ndarray) -> None:
    """In the query or the body; an option in the body overrides the query."""
    options = {"min_score": 0.2, "max_segments": 3, "nms_iou": 0.1, "snippet_s": 2.0}
    query = httpx.post(f"{url}/localize", params=options, content=npy(features_TD), headers=NPY)
    lists = {"features": features_TD.tolist()}
    body = httpx.post(f"{url}/localize", params={"max_segments": 1}, json=lists | options)
    form = httpx.post(f"{url}/localize", data=options, files={"file": npy(features_TD)})
    assert query.status_code == body.status_code == form.status_code == 200
    assert query.json()["segments"] == body.json()["segments"] == form.json()["segments"]
    assert 0 < len(query.json()["segments"]) <= 3
    assert query.json()["duration_s"] == 80.0


def test_left_out_segments_are_reported(
    repository: Path, serving: Serving, features_TD: np.ndarray
) -> None:
    """The limit of the service also holds for a request that asks for more."""
    with serving(Settings(repository=repository, max_segments=3)) as url:

        def ask(**options: object) -> dict:
            body = {"features": features_TD.tolist(), "class_threshold": 0} | options
            return httpx.post(f"{url}/localize", json=body).json()

        for options, count in (({}, 3), ({"max_segments": 2}, 2), ({"max_segments": 900}, 3)):
            answer = ask(**options)
            assert (len(answer["segments"]), answer["truncated"]) == (count, True)
        assert ask(min_score=2)["truncated"] is False
        result = ask(format="activitynet")
        assert len(result["results"]["video"]) == 3
        assert result["external_data"] == {"truncated": True}


def test_activitynet_format(url: str, features_TD: np.ndarray) -> None:
    """The answer is a result file that evaluators read."""
    params = {"format": "activitynet", "video_id": "v_1"}
    answer = httpx.post(f"{url}/localize", params=params, content=npy(features_TD), headers=NPY)
    body = answer.json()
    assert set(body) == {"version", "results", "external_data"}
    assert set(body["results"]["v_1"][0]) == {"label", "score", "segment"}


def test_video_without_any_class_is_an_empty_list(url: str, features_TD: np.ndarray) -> None:
    """No class above tau is an answer, not an error."""
    answer = httpx.post(f"{url}/localize?class_threshold=1", content=npy(features_TD), headers=NPY)
    assert answer.status_code == 200
    assert answer.json()["segments"] == []


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((40, 7), dtype=np.float32), ["expected 8 channels", "got 7"]),
        (np.zeros(40, dtype=np.float32), ["(snippets, channels)", "(40,)"]),
        (np.zeros((2, 40, 8), dtype=np.float32), ["(2, 40, 8)"]),
        (np.zeros((0, 8), dtype=np.float32), ["T = 0"]),
        (np.zeros((501, 8), dtype=np.float32), ["at most 500", "501"]),
        (np.full((40, 8), np.nan, dtype=np.float32), ["NaN", "snippet 0"]),
        (np.full((40, 8), np.inf, dtype=np.float16), ["Inf"]),
        (np.full((40, 8), 3e38, dtype=np.float32), ["output is not finite", "3e+38"]),
        (np.zeros((40, 8), dtype=np.int32), ["int32"]),
        (np.zeros((40, 8), dtype="S4"), ["S4"]),
    ],
)
def test_unusable_arrays_are_refused(url: str, array: np.ndarray, words: list[str]) -> None:
    """Shape, D, T, values and dtype: 422 with the expected and the received value."""
    answer = httpx.post(f"{url}/localize", content=npy(array), headers=NPY)
    assert_problem(answer, 422, *words)


@pytest.mark.parametrize(
    ("headers", "content", "words"),
    [
        ({"X-Shape": "40,8"}, b"\0" * 1279, ["1280 bytes", "got 1279"]),
        ({"X-Shape": "40,8", "X-Dtype": "float16"}, b"\0" * 1280, ["640 bytes"]),
        ({"X-Shape": "-1,8"}, b"", ["(-1, 8)"]),
        ({"X-Shape": "many"}, b"\0" * 4, ["X-Shape", "many"]),
        ({"X-Shape": "1,2,3"}, b"\0" * 24, ["X-Shape"]),
        ({}, b"\0" * 4, ["X-Shape"]),
        ({"X-Shape": "1,8", "X-Dtype": "int8"}, b"\0" * 8, ["X-Dtype", "int8"]),
        ({"X-Shape": "99999999999,99999999999"}, b"\0", ["bytes"]),
    ],
)
def test_unusable_raw_bytes_are_refused(
    url: str, headers: dict[str, str], content: bytes, words: list[str]
) -> None:
    """The number of bytes must match shape and dtype."""
    headers = {"Content-Type": "application/octet-stream"} | headers
    assert_problem(httpx.post(f"{url}/localize", content=content, headers=headers), 422, *words)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x93NUMPY", b"\x93NUMPY\x09\x00\x10\x00", npy(np.zeros((40, 8)))[:200]],
)
def test_malformed_npy_is_refused(url: str, content: bytes) -> None:
    """Empty, text, truncated in the header or the data, an unknown version."""
    assert_problem(httpx.post(f"{url}/localize", content=content, headers=NPY), 422)


def test_pickled_npy_is_refused(url: str) -> None:
    """Nothing is ever unpickled."""
    content = npy(np.array([print], dtype=object), allow_pickle=True)
    answer = httpx.post(f"{url}/localize", content=content, headers=NPY)
    assert_problem(answer, 422, "pickled")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, ["not JSON"]),
        (b"\xff\xfe", 400, ["not JSON"]),
        (b"[]", 422, ["JSON object"]),
        (b"{}", 422, ["features, features_b64"]),
        (b'{"features": [[1, 2], [3]]}', 422, ["equally many"]),
        (b'{"features": [["a"]]}', 422, ["lists of numbers"]),
        (b'{"features": {"a": 1}}', 422, ["lists of numbers"]),
        (b'{"features": [[true]]}', 422, ["lists of numbers"]),
        (b'{"features": [[null]]}', 422, ["lists of numbers"]),
        (b'{"features": []}', 422, ["shape"]),
        (b'{"features": [[1e39, 0, 0, 0, 0, 0, 0, 0]]}', 422, ["Inf"]),
        (b'{"features": [[NaN]]}', 400, ["not JSON"]),
        (b'{"features_b64": "AAAA"}', 422, ["shape"]),
        (b'{"features_b64": "!", "shape": [1, 1]}', 400, ["base64"]),
        (b'{"features_b64": "AAAA", "shape": [1, 8]}', 422, ["32 bytes", "got 3"]),
        (b'{"features_b64": "AAAA", "shape": [1, 8], "dtype": "int8"}', 422, ["dtype"]),
        (b'{"features_b64": "AAAA", "shape": [1, 8], "features": [[1]]}', 422, ["expected one of"]),
    ],
)  # fmt: skip
def test_unusable_json_is_refused(url: str, body: bytes, status: int, words: list[str]) -> None:
    """Malformed is 400; well-formed but unusable is 422."""
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{url}/localize", content=body, headers=headers)
    assert_problem(answer, status, *words)


def test_json_is_bounded_before_it_is_parsed(repository: Path, serving: Serving) -> None:
    """Many fields, objects and texts are refused at once, and an error stays short.

    Before, the first body took 40 s and the second one 27 s, in which no other request was served.
    """
    many = {f"k{number}": 1 for number in range(100_000)}
    bodies = [
        {"features": [[1.0] * 8], **many},
        {"video": many},
        {"video": {"uri": "a", "k" * 500_000: 1}},
        {"features": [[1.0] * 8], "model": "m" * 500_000},
        {"features": [[1.0] * 8], "other": [{}] * 100_000},
        {"features": [["a"] * 100_000]},
        {"features_b64": "A" * 40_000, "shape": [1, 8], "k" * 40_000: 1},
    ]
    with serving(Settings(repository=repository)) as url, httpx.Client(timeout=60) as client:
        for content in map(json.dumps, bodies):
            start_s = perf_counter()
            headers = {"Content-Type": "application/json"}
            answer = client.post(f"{url}/localize", content=content, headers=headers)
            assert perf_counter() - start_s < 10
            assert_problem(answer, 422)
            assert len(answer.content) < 2000


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"model": "other"}, 404, ["'other'", "small/1"]),
        ({"version": 7}, 404, ["version 7"]),
        ({"version": 0}, 422, ["version"]),
        ({"colour": "red"}, 422, ["colour"]),
        ({"nms_iou": 1.5}, 422, ["nms_iou"]),
        ({"class_threshold": "high"}, 422, ["class_threshold"]),
        ({"class_threshold": "nan"}, 422, ["class_threshold"]),
        ({"max_segments": -1}, 422, ["max_segments"]),
        ({"min_score": "inf"}, 422, ["min_score"]),
        ({"min_score": 7}, 422, ["min_score"]),
        ({"min_score": True}, 422, ["min_score"]),
        ({"max_segments": False}, 422, ["max_segments"]),
        ({"version": True}, 422, ["version"]),
        ({"duration_s": 0}, 422, ["duration_s"]),
        ({"duration_s": 1e-300}, 422, ["duration_s"]),
        ({"snippet_s": 1e308}, 422, ["snippet_s"]),
        ({"duration_s": 5, "snippet_s": 1}, 422, ["got both"]),
        ({"include": "everything"}, 422, ["include"]),
        ({"format": "csv"}, 422, ["format"]),
    ],
)
def test_unusable_options_are_refused(
    url: str, features_TD: np.ndarray, options: dict, status: int, words: list[str]
) -> None:
    """In the query and in the body."""
    body = {"features": features_TD.tolist()} | options
    by_query = httpx.post(f"{url}/localize", params=options, content=npy(features_TD), headers=NPY)
    assert_problem(by_query, status, *words)
    assert_problem(httpx.post(f"{url}/localize", json=body), status, *words)


def test_other_content_types_are_refused(url: str) -> None:
    """415 lists the supported types; a form without a file is 400."""
    for headers in ({"Content-Type": "text/csv"}, {"Content-Type": ""}, {}):
        answer = httpx.post(f"{url}/localize", content=b"1,2", headers=headers)
        assert_problem(answer, 415, "application/x-npy")
    assert_problem(httpx.post(f"{url}/localize", files={"other": b"1"}), 400, "'file'")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert_problem(httpx.post(f"{url}/localize", content=b"junk", headers=broken), 400)
    assert_problem(httpx.get(f"{url}/localize"), 405)
    assert_problem(httpx.get(f"{url}/nothing"), 404)


@pytest.mark.parametrize("charset", ["undefined", "nonsense", "utf-16"])
def test_forms_with_an_unusable_charset_are_refused(url: str, charset: str) -> None:
    """The header names a codec that does not exist or does not fit."""
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nsma\r\n--b--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    answer = httpx.post(f"{url}/localize", content=form, headers=headers)
    assert_problem(answer, 400, "form")


def test_trailing_slash_does_not_redirect_to_the_named_host(url: str) -> None:
    """The header Host comes from the client, so a redirect to it could lead anywhere."""
    answer = httpx.post(f"{url}/localize/", content=b"", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
    assert "/localize without the slash" in answer.json()["detail"]


def test_long_bodies_are_refused_before_they_are_read(url: str) -> None:
    """At once by Content-Length; without one, when the body passes the limit."""

    def chunks(seen: list[int]) -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for number in range(1000):
            seen.append(number)
            yield b"\0" * 100_000

    assert_problem(
        httpx.post(f"{url}/localize", content=b"\0" * 100_001, headers=RAW), 413, "100000"
    )
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for headers in (RAW, NPY, {"Content-Type": "application/json"}, form):
        sent: list[int] = []
        answer = httpx.post(f"{url}/localize", content=chunks(sent), headers=headers)
        assert_problem(answer, 413, "100000")
        assert len(sent) < 1000


def test_a_bad_request_disturbs_no_other(url: str, features_TD: np.ndarray) -> None:
    """On one connection, good, bad, good gives the same good answer twice."""
    with httpx.Client(base_url=url) as http:
        first = http.post("/localize", content=npy(features_TD), headers=NPY).json()
        assert http.post("/localize", content=b"bad", headers=NPY).status_code == 422
        second = http.post("/localize", content=npy(features_TD), headers=NPY).json()
    assert first["segments"] == second["segments"]


def test_model_without_a_clock_needs_a_duration(
    serving: Serving, tmp_path: Path, network: Ecm, spec: ModelSpec, features_TD: np.ndarray
) -> None:
    """The training videos' snippets had different durations."""
    clockless = ModelSpec.from_json(spec.to_json().replace('"snippet_s":0.5', '"snippet_s":null'))
    publish(tmp_path, "clockless", lambda path: write_onnx(network, clockless, path))
    with serving(Settings(repository=tmp_path)) as url:
        answer = httpx.post(f"{url}/localize", content=npy(features_TD), headers=NPY)
        assert_problem(answer, 422, "duration_s or snippet_s")
        answer = httpx.post(f"{url}/localize?duration_s=10", content=npy(features_TD), headers=NPY)
        assert answer.json()["duration_s"] == 10


def test_resampled_models_answer_on_their_own_grid(
    serving: Serving, tmp_path: Path, network: Ecm, spec: ModelSpec, features_TD: np.ndarray
) -> None:
    """A model with `resampled` sampling runs at its training length; times stay the video's."""
    resampled = json.loads(spec.to_json()) | {"sampling": "resampled"}
    spec = ModelSpec.from_json(json.dumps(resampled))
    publish(tmp_path, "grid", lambda path: write_onnx(network, spec, path))
    engine = OnnxEngine((tmp_path / "grid" / "1" / "model.onnx").read_bytes())
    expected = predict_video(engine, features_TD, spec, duration_s=20.0)
    with serving(Settings(repository=tmp_path)) as url:
        body = httpx.post(f"{url}/localize", content=npy(features_TD), headers=NPY).json()
    assert (body["snippets"], body["duration_s"]) == (16, 20.0)
    got = [segment["start_s"] for segment in body["segments"]]
    np.testing.assert_allclose(got, [s.start_s for s in expected.segments], atol=1e-3)
