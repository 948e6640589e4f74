"""Open Inference Protocol, tested with the stock Triton clients and with raw bytes."""

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException

from model.inference.engine import EngineConfig, OnnxEngine
from model.repository import publish
from service.settings import Settings

Serving = Callable[[Settings], AbstractContextManager[str]]
INFER = "/v2/models/small/infer"
HEADER_LENGTH = "Inference-Header-Content-Length"
DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "inference-protocol.md"


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    """Triton's stock client."""
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def engine(exported: bytes) -> OnnxEngine:
    """The same network without a service."""
    return OnnxEngine(exported, EngineConfig(device="cpu"))


@pytest.fixture
def features_BTD() -> np.ndarray:
    """Three videos of 40 snippets."""
    return np.random.default_rng(2).standard_normal((3, 40, 8), dtype=np.float32)


def tensor(name: str, array: np.ndarray, *, binary: bool = True) -> triton.InferInput:
    datatype = {"float32": "FP32", "float16": "FP16", "int64": "INT64"}[array.dtype.name]
    made = triton.InferInput(name, list(array.shape), datatype)
    return made.set_data_from_numpy(array, binary_data=binary)


def body(*arrays: tuple[str, str, np.ndarray], **fields: object) -> tuple[bytes, int]:
    """Returns a request with binary tensors, and the length of its JSON."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": list(array.shape),
         "parameters": {"binary_data_size": array.nbytes}}
        for name, datatype, array in arrays
    ]  # fmt: skip
    header = json.dumps({"inputs": inputs, **fields}).encode()
    return header + b"".join(array.tobytes() for _, _, array in arrays), len(header)


def post(url: str, content: bytes, length: object = None, **headers: str) -> httpx.Response:
    if length is not None:
        headers[HEADER_LENGTH] = str(length)
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    return httpx.post(f"{url}{INFER}", content=content, headers=encoded)


def assert_error(answer: httpx.Response, status: int, *words: str) -> None:
    """Checks for the protocol's form of error, with some words and no internals."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert "Traceback" not in answer.text
    for word in words:
        assert word in answer.json()["error"]


def test_server_and_models_are_described(client: triton.InferenceServerClient) -> None:
    """Live, ready, metadata, configuration and index, by name and by version."""
    assert client.is_server_live()
    assert client.is_server_ready()
    server = client.get_server_metadata()
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("ecm-localizer", True)
    for version in ("", "1"):
        assert client.is_model_ready("small", version)
        assert client.get_model_metadata("small", version) == {
            "name": "small",
            "versions": ["1"],
            "platform": "onnxruntime_onnx",
            "inputs": [
                {"name": "features", "datatype": "FP32", "shape": [-1, -1, 8]},
                {"name": "lengths", "datatype": "INT64", "shape": [-1]},
            ],
            "outputs": [{"name": "cas", "datatype": "FP32", "shape": [-1, -1, 3]}],
        }
        fields = client.get_model_config("small", version)
        config = json_format.ParseDict(fields, model_config_pb2.ModelConfig())
        assert [list(tensor.dims) for tensor in config.input] == [[-1, -1, 8], [-1]]
    (entry,) = client.get_model_repository_index()
    assert entry == {"name": "small", "version": "1", "state": "READY", "reason": ""}
    for name, version in (("small", "2"), ("other", ""), ("small", "x")):
        assert not client.is_model_ready(name, version)


def test_failed_models_are_reported(serving: Serving, repository: Path) -> None:
    """Unavailable in the index with the reason, 503 by name; without models, not ready."""
    publish(repository, "cut", lambda path: path.write_bytes(b"\x08\x0a garbage"))
    with serving(Settings(repository=repository)) as url:
        cut, small = httpx.post(f"{url}/v2/repository/index").json()
        assert (cut["state"], small["state"]) == ("UNAVAILABLE", "READY")
        assert "ONNX" in cut["reason"]
        assert httpx.post(f"{url}/v2/repository/index", json={"ready": True}).json() == [small]
        assert_error(httpx.get(f"{url}/v2/models/cut/ready"), 503, "is not served")
        assert_error(httpx.post(f"{url}/v2/models/cut/infer"), 503, "is not served")
    with serving(Settings(repository=repository / "absent")) as url:
        assert_error(httpx.get(f"{url}/v2/health/ready"), 503, "no model")
        assert httpx.get(f"{url}/v2/health/live").json() == {"live": True}


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False, None])
def test_infer_gives_the_logits_of_the_engine(
    client: triton.InferenceServerClient, engine: OnnxEngine, features_BTD: np.ndarray,
    binary_input: bool, binary_output: bool | None,
) -> None:  # fmt: skip
    """Exact to the last bit, in binary and in JSON, whether the output is requested or not."""
    lengths_B = np.array([40, 1, 17])
    outputs = [triton.InferRequestedOutput("cas", binary_data=bool(binary_output))]
    result = client.infer(
        "small",
        [tensor("lengths", lengths_B, binary=binary_input),
         tensor("features", features_BTD, binary=binary_input)],
        outputs=None if binary_output is None else outputs,
        request_id="näme 7",
        priority=1,
        timeout=1000,
        parameters={"mine": "x"},
    )  # fmt: skip
    np.testing.assert_array_equal(
        result.as_numpy("cas"), engine.cas_batch(features_BTD, lengths_B), strict=True
    )
    response = result.get_response()
    assert (response["model_name"], response["model_version"], response["id"]) == (
        "small",
        "1",
        "näme 7",
    )
    assert ("data" in response["outputs"][0]) == (binary_output is False)


def test_float16_is_computed_as_float32(
    client: triton.InferenceServerClient, engine: OnnxEngine, features_BTD: np.ndarray
) -> None:
    """Half the bytes, the logits of the rounded features."""
    half_BTD = features_BTD.astype(np.float16)
    expected = engine.cas_batch(half_BTD.astype(np.float32), np.full(3, 40))
    for binary in (True, False):
        result = client.infer("small", [tensor("features", half_BTD, binary=binary)], "1")
        np.testing.assert_array_equal(result.as_numpy("cas"), expected, strict=True)


def test_a_batch_equals_single_requests(
    client: triton.InferenceServerClient, features_BTD: np.ndarray
) -> None:
    """`lengths` excludes padding of any content; its logits are 0."""
    lengths_B = np.array([40, 5, 23])
    batch = client.infer("small", [tensor("features", features_BTD), tensor("lengths", lengths_B)])
    for cas_TC, video_TD, length in zip(
        batch.as_numpy("cas"), features_BTD, lengths_B, strict=True
    ):
        single = client.infer("small", [tensor("features", video_TD[None, :length])])
        np.testing.assert_allclose(cas_TC[:length], single.as_numpy("cas")[0], atol=1e-4)
        assert not cas_TC[length:].any()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_bodies_are_compressed_both_ways(
    client: triton.InferenceServerClient, engine: OnnxEngine, features_BTD: np.ndarray,
    algorithm: str,
) -> None:  # fmt: skip
    """With the encoding that the client requests."""
    result = client.infer(
        "small",
        [tensor("features", features_BTD)],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    expected = engine.cas_batch(features_BTD, np.full(3, 40))
    np.testing.assert_array_equal(result.as_numpy("cas"), expected)


def test_only_one_encoding_by_itself_is_a_wish(url: str, features_BTD: np.ndarray) -> None:
    """Default headers of HTTP libraries do not compress the response."""
    content, length = body(("features", "FP32", features_BTD))
    for accepted, encoding in (
        ("gzip", "gzip"), ("Deflate", "deflate"), ("gzip, deflate, br", None), ("gzip;q=0", None),
        ("br", None), ("*", None), ("", None),
    ):  # fmt: skip
        answer = post(url, content, length, **{"Accept-Encoding": accepted})
        assert (answer.status_code, answer.headers.get("content-encoding")) == (200, encoding)
        assert len(answer.json()["outputs"][0]["data"]) == 360


def test_async_infer(
    client: triton.InferenceServerClient, engine: OnnxEngine, features_BTD: np.ndarray
) -> None:
    """Several requests in flight."""
    pending = [client.async_infer("small", [tensor("features", v[None])]) for v in features_BTD]
    for video_TD, request in zip(features_BTD, pending, strict=True):
        got_TC = request.get_result().as_numpy("cas")[0]
        np.testing.assert_array_equal(got_TC, engine.cas(video_TD))


def test_asyncio_client(url: str, engine: OnnxEngine, features_BTD: np.ndarray) -> None:
    """The same calls, and errors with their text."""

    async def ask() -> None:
        async with triton_aio.InferenceServerClient(url.removeprefix("http://")) as client:
            assert await client.is_server_live()
            assert await client.is_model_ready("small", "1")
            assert (await client.get_model_metadata("small"))["versions"] == ["1"]
            assert len(await client.get_model_repository_index()) == 1
            for algorithm in (None, "gzip", "deflate"):
                results = await asyncio.gather(*(
                    client.infer(
                        "small",
                        [tensor("features", video_TD[None])],
                        request_compression_algorithm=algorithm,
                        response_compression_algorithm=algorithm,
                    )
                    for video_TD in features_BTD
                ))  # fmt: skip
                for video_TD, result in zip(features_BTD, results, strict=True):
                    np.testing.assert_array_equal(result.as_numpy("cas")[0], engine.cas(video_TD))
            with pytest.raises(InferenceServerException, match="no model 'other'") as refused:
                await client.infer("other", [tensor("features", features_BTD)])
            assert refused.value.status() == "404"

    asyncio.run(ask())


def test_the_document_s_example_runs(
    url: str, features_TD: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example runs against a real service, with the model of the tests."""
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    (tmp_path / "my_features").mkdir()
    np.save(tmp_path / "my_features" / "video_1.npy", features_TD)
    monkeypatch.chdir(tmp_path)
    names: dict[str, np.ndarray] = {}
    address = url.removeprefix("http://")
    exec(example.replace("127.0.0.1:8000", address).replace("mine", "small"), names)
    assert names["cas_BTC"].shape == (1, 40, 3)


def test_a_body_without_json_is_one_video(
    url: str, engine: OnnxEngine, features_TD: np.ndarray
) -> None:
    """Its length gives the number of snippets; the output is binary as well."""
    answer = post(url, features_TD.tobytes(), 0)
    length = int(answer.headers[HEADER_LENGTH])
    response = json.loads(answer.content[:length])
    assert response["outputs"][0]["shape"] == [1, 40, 3]
    assert "id" not in response
    got_TC = np.frombuffer(answer.content[length:], np.float32).reshape(40, 3)
    np.testing.assert_array_equal(got_TC, engine.cas(features_TD))
    assert_error(post(url, features_TD.tobytes()[:-1], 0), 400, "multiple of 32", "1279")
    assert_error(post(url, b"", 0), 400, "at least one")
    assert_error(post(url, b""), 400, "not JSON")


def test_where_the_json_ends_does_not_matter(
    url: str, engine: OnnxEngine, features_TD: np.ndarray
) -> None:
    """Tensors at any offset of the body, and JSON nested according to the shape."""
    expected = engine.cas(features_TD)
    for spaces in range(4):
        content, length = body(("features", "FP32", features_TD[None]), id=" " * spaces)
        outputs = post(url, content, length).json()["outputs"]
        np.testing.assert_array_equal(np.float32(outputs[0]["data"]).reshape(40, 3), expected)
    nested = {"name": "features", "datatype": "FP32", "shape": [1, 40, 8],
              "data": [features_TD.tolist()]}  # fmt: skip
    outputs = post(url, json.dumps({"inputs": [nested]}).encode()).json()["outputs"]
    np.testing.assert_array_equal(np.float32(outputs[0]["data"]).reshape(40, 3), expected)


def test_which_outputs_come_in_binary(url: str, features_TD: np.ndarray) -> None:
    """The output's parameter overrides the request's; the default is JSON."""
    for of_request, of_output, binary in (
        (None, None, False), (True, None, True), (True, False, False), (False, True, True),
        (None, "none listed", False), (True, "none listed", True),
    ):  # fmt: skip
        parameters = {} if of_request is None else {"binary_data_output": of_request}
        output = {"name": "cas"}
        if isinstance(of_output, bool):
            output["parameters"] = {"binary_data": of_output}
        outputs = [] if of_output == "none listed" else [output]
        content, length = body(
            ("features", "FP32", features_TD[None]), parameters=parameters, outputs=outputs
        )
        answer = post(url, content, length)
        assert (HEADER_LENGTH.lower() in answer.headers) == binary


GOOD = np.zeros((2, 3, 8), np.float32)
HOLED = np.where(np.arange(48).reshape(2, 3, 8) == 30, np.nan, GOOD).astype(np.float32)
FEATURES = {"name": "features", "datatype": "FP32", "shape": [1, 2, 8]}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([("features", "FP32", GOOD[0])], ["shape [videos, snippets, 8]", "[3, 8]"]),
        ([("features", "FP32", GOOD[..., :7])], ["[2, 3, 7]"]),
        ([("features", "FP32", GOOD[:, :0])], ["at least one"]),
        ([("features", "FP32", GOOD[:0])], ["at least one"]),
        ([("features", "FP32", np.zeros((2, 251, 8), np.float32))], ["at most 500", "502"]),
        ([("features", "FP32", HOLED)], ["NaN or Inf in snippet 0 of video 1"]),
        ([("features", "FP16", np.full((1, 1, 8), np.inf, np.float16))], ["NaN or Inf"]),
        ([("features", "FP32", np.full((1, 9, 8), 3e38, np.float32))], ["not finite"]),
        ([("features", "FP64", GOOD.astype(np.float64))], ["FP32 or FP16", "'FP64'"]),
        ([("features", "INT64", GOOD.astype(np.int64))], ["FP32 or FP16"]),
        ([("features", "FP16", GOOD)], ["needs 96 bytes, got 192"]),
        ([("lengths", "INT64", np.array([1, 1]))], ["expected the input", "['lengths']"]),
        ([("features", "FP32", GOOD), ("other", "FP32", GOOD)], ["other"]),
        ([("features", "FP32", GOOD), ("features", "FP32", GOOD)], ["expected the input"]),
        ([("features", "FP32", GOOD), ("lengths", "INT64", np.array([3]))], ["shape [2]", "[1]"]),
        ([("features", "FP32", GOOD), ("lengths", "INT64", np.array([3, 4]))], ["from 1 to 3"]),
        ([("features", "FP32", GOOD), ("lengths", "INT64", np.array([0, 3]))], ["from 0 to 3"]),
        ([("features", "FP32", GOOD), ("lengths", "INT32", np.array([3, 3]))], ["INT64"]),
        ([], ["expected the input"]),
    ],
)
def test_unusable_tensors_are_refused(
    url: str, arrays: list[tuple[str, str, np.ndarray]], words: list[str]
) -> None:
    """Shape, type, values, names."""
    assert_error(post(url, *body(*arrays)), 400, *words)


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ([], 400, ["valid dictionary"]),
        ({}, 400, ["inputs"]),
        ({"inputs": {}}, 400, ["inputs"]),
        ({"inputs": [{"name": "features"}]}, 400, ["datatype"]),
        ({"inputs": [FEATURES | {"shape": [1, -2, 8]}]}, 400, ["shape.1"]),
        ({"inputs": [FEATURES | {"shape": [1, 2.0, 8]}]}, 400, ["shape.1"]),
        ({"inputs": [FEATURES | {"shape": [2**62, 2**62, 8], "data": [1]}]}, 400, ["at most"]),
        ({"inputs": [FEATURES | {"shape": [1] * 100_00, "data": [1]}]}, 400, ["at most 8"]),
        ({"inputs": [FEATURES]}, 400, ["either data or"]),
        ({"inputs": [FEATURES | {"data": 1}]}, 400, ["one list of 16"]),
        ({"inputs": [FEATURES | {"data": "x" * 16}]}, 400, ["one list of 16"]),
        ({"inputs": [FEATURES | {"data": [1] * 15}]}, 400, ["one list of 16"]),
        ({"inputs": [FEATURES | {"data": [[1] * 8] * 2}]}, 400,
         ["nested according to its shape [1, 2, 8]"]),
        ({"inputs": [FEATURES | {"data": [[[1] * 8, [1] * 7]]}]}, 400, ["nested"]),
        ({"inputs": [FEATURES | {"data": ["1"] * 16}]}, 400, ["numbers of type FP32"]),
        ({"inputs": [FEATURES | {"data": [True] * 16}]}, 400, ["numbers of type FP32"]),
        ({"inputs": [FEATURES | {"data": [None] * 16}]}, 400, ["numbers of type FP32"]),
        ({"inputs": [FEATURES | {"data": [1e300] * 16}]}, 400, ["NaN or Inf"]),
        ({"inputs": [FEATURES | {"data": [1] * 16}], "outputs": [{"name": "scores"}]}, 400,
         ["'cas'", "scores"]),
        ({"inputs": [FEATURES | {"data": [1] * 16}], "outputs": [{"name": "cas"}] * 2}, 400,
         ["expected the output"]),
        ({"inputs": [FEATURES | {"data": [1] * 16}], "id": 5}, 400, ["id"]),
        ({"inputs": [FEATURES | {"data": [1] * 16}], "parameters": []}, 400, ["parameters"]),
        ({"inputs": [FEATURES | {"data": [1] * 16, "parameters": {"binary_data_size": 64}}]}, 400,
         ["either data or"]),
        ({"inputs": [FEATURES | {"parameters": {"binary_data_size": 64}}]}, 400, ["64", "are 0"]),
        ({"inputs": [FEATURES | {"parameters": {"binary_data_size": -1}}]}, 400, ["binary_data"]),
        ({"inputs": [FEATURES | {"parameters": {"binary_data_size": True}}]}, 400, ["binary_data"]),
        ({"inputs": [FEATURES | {"parameters": {"shared_memory_region": "r"}}]}, 501,
         ["shared memory"]),
        ({"inputs": [FEATURES | {"data": [1] * 16}],
          "outputs": [{"name": "cas", "parameters": {"classification": 2}}]}, 501,
         ["classification"]),
        ({"inputs": [FEATURES | {"data": [1] * 16},
                     {"name": "lengths", "datatype": "INT64", "shape": [1], "data": [1.5]}]}, 400,
         ["numbers of type INT64"]),
        ({"inputs": [FEATURES | {"data": [1] * 16},
                     {"name": "lengths", "datatype": "INT64", "shape": [1], "data": [2**63]}]}, 400,
         ["out of range of INT64"]),
    ],
)  # fmt: skip
def test_unusable_json_is_refused(
    url: str, request_: object, status: int, words: list[str]
) -> None:
    """Fields that are missing, of a wrong type, contradictory or unsupported."""
    assert_error(post(url, json.dumps(request_).encode()), status, *words)


def test_bytes_that_do_not_fit_are_refused(url: str) -> None:
    """A wrong length of the JSON, too few or too many bytes, undeclared bytes."""
    content, length = body(("features", "FP32", GOOD))
    assert post(url, content, length).status_code == 200
    assert_error(post(url, content), 400, "not JSON")
    assert_error(post(url, content[:-1], length), 400, "192 bytes", "191")
    assert_error(post(url, content + b"x", length), 400, "192 bytes", "193")
    assert_error(post(url, content[:length], length), 400, "are 0")
    assert_error(post(url, content, length - 1), 400, "not JSON")
    assert_error(post(url, content, len(content) + 1), 400, "has only")
    for wrong in ("-1", "x", "1e2", "", "²", "9" * 5000):
        assert_error(post(url, content, wrong), 400, "whole number")
    assert_error(post(url, b"[" * 500), 400, "not JSON")
    assert_error(post(url, b"[" * 5000), 400, "at most 1100 lists")
    assert_error(post(url, b'{"inputs": [' + b"{}," * 5000), 400, "objects")


def test_null_means_that_a_field_is_absent(url: str) -> None:
    """In every part of a request, as clients without optional fields write it."""
    absent = {"parameters": None}
    tensor = {"name": "features", "datatype": "FP32", "shape": list(GOOD.shape), **absent}
    whole = {"id": None, "parameters": {"binary_data_output": None}}
    outputs = [{"name": "cas", "parameters": {"binary_data": None, "classification": None}}]
    answers = [
        httpx.post(f"{url}{INFER}", json={"inputs": [tensor | {"data": GOOD.tolist()}], **rest})
        for rest in ({}, whole | {"outputs": outputs}, absent | {"outputs": None})
    ]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json()["outputs"] == answers[1].json()["outputs"]
    assert httpx.post(f"{url}/v2/repository/index", json={"ready": None}).status_code == 200


def test_compressed_bodies_are_unpacked_within_the_limit(url: str) -> None:
    """A compression bomb, truncated data, trailing data and uncompressed data are refused."""
    content, length = body(("features", "FP32", GOOD))
    for encoding, packed in (("gzip", gzip.compress(content)), ("deflate", zlib.compress(content))):
        headers = {"Content-Encoding": encoding}
        assert post(url, packed, length, **headers).status_code == 200
        assert_error(post(url, packed[:-1], length, **headers), 400, "one complete stream")
        assert_error(post(url, packed + b"x", length, **headers), 400, "one complete stream")
        assert_error(post(url, content, length, **headers), 400, "not in the encoding")
        assert_error(post(url, b"", length, **headers), 400, "one complete stream")
    assert post(url, content, length, **{"Content-Encoding": "identity"}).status_code == 200
    assert_error(post(url, content, length, **{"Content-Encoding": "br"}), 400, "gzip or deflate")
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    assert_error(post(url, bomb, 0, **{"Content-Encoding": "gzip"}), 413, "100000")


def test_long_bodies_are_refused(url: str) -> None:
    """Before reading if the length is declared, else while reading; video types change nothing."""
    assert_error(post(url, b"\0" * 100_001), 413, "100000")
    assert_error(post(url, b"\0" * 100_001, **{"Content-Type": "video/mp4"}), 413, "100000")
    chunks = (b"\0" * 50_000 for _ in range(1000))
    assert_error(httpx.post(f"{url}{INFER}", content=chunks), 413, "100000")


def test_unsupported_calls_are_refused(url: str, client: triton.InferenceServerClient) -> None:
    """Unknown paths, methods and models; extensions of the protocol."""
    for method, path, status in (
        ("GET", "/v2/nothing", 404), ("GET", INFER, 405), ("POST", "/v2", 405),
        ("GET", "/v2/models/other", 404), ("GET", "/v2/models/small/versions/2", 404),
        ("GET", "/v2/models/small/versions/x", 400), ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v2/models/small/versions/2/infer", 404), ("GET", "/v2/repository/index", 405),
    ):  # fmt: skip
        assert_error(httpx.request(method, f"{url}{path}"), status)
    assert_error(httpx.post(f"{url}/v2/repository/index", content=b"[]"), 400)
    assert_error(httpx.post(f"{url}/v2/repository/index", json={"ready": "x"}), 400, "ready")
    for call in (
        client.get_inference_statistics,
        lambda: client.get_inference_statistics("small"),
        lambda: client.get_inference_statistics("small", "1"),
        client.get_trace_settings,
        lambda: client.get_trace_settings("small"),
        lambda: client.update_log_settings({}),
        client.get_system_shared_memory_status,
        client.unregister_cuda_shared_memory,
        lambda: client.register_system_shared_memory("r", "/r", 8),
    ):
        with pytest.raises(InferenceServerException) as refused:
            call()
        assert refused.value.status() == "501"
    assert httpx.get(f"{url}/v2nothing").headers["content-type"] == "application/problem+json"


def test_an_unexpected_failure_reveals_no_internals(
    url: str, monkeypatch: pytest.MonkeyPatch, features_BTD: np.ndarray
) -> None:
    """500 in the protocol's form."""

    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(OnnxEngine, "cas_batch", fail)
    answer = post(url, *body(("features", "FP32", features_BTD)))
    assert_error(answer, 500, "its log contains the reason")
    assert "secret" not in answer.text


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutated_requests_never_fail_the_service(url: str, data: st.DataObject) -> None:
    """Bytes changed, truncated, doubled or omitted, and any length of the JSON: 200 or 400."""
    content, length = body(
        ("features", "FP32", GOOD), ("lengths", "INT64", np.array([3, 1])), id="a",
        outputs=[{"name": "cas", "parameters": {"binary_data": True}}],
    )  # fmt: skip
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 9, len(content))))
    changed = content[:start] + data.draw(st.binary(max_size=9)) + content[end:]
    header_length = data.draw(
        st.one_of(st.just(length), st.integers(-2, len(content) + 2), st.none())
    )
    encoding = data.draw(st.sampled_from(["", "gzip"]))
    packed = gzip.compress(changed) if encoding else changed
    answer = post(url, packed, header_length, **{"Content-Encoding": encoding})
    assert answer.status_code in (200, 400, 501)
    if answer.status_code != 200:
        assert_error(answer, answer.status_code)
