"""Valid requests in every form, for a model that takes features."""

import base64
import gzip
import io
import json
import zlib

import numpy as np
from numpy.typing import NDArray

from reliability.messages.wire import Request, make_request

JSON, NPY, RAW = "application/json", "application/x-npy", "application/octet-stream"
HEADER_LENGTH = b"Inference-Header-Content-Length"
BOUNDARY = b"------------------------3c7e1f0a"


def features(snippets: int, channels: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Returns random features of shape (snippets, channels)."""
    return np.random.default_rng(seed).standard_normal((snippets, channels), dtype=np.float32)


def npy(array: NDArray[np.generic]) -> bytes:
    """Returns an array as an .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def localize_requests(features_TD: NDArray[np.float32]) -> dict[str, Request]:
    """Returns POST /localize with the same features in every form."""
    shape = f"{features_TD.shape[0]},{features_TD.shape[1]}"
    values = features_TD.astype("<f4").tobytes()
    half = features_TD.astype("<f2").tobytes()
    encoded = {
        "features_b64": base64.b64encode(values).decode(),
        "shape": list(features_TD.shape),
        "dtype": "float32",
    }
    return {
        "npy": make_request("POST", "/localize", npy(features_TD), Content_Type=NPY),
        "raw": make_request("POST", "/localize", values, Content_Type=RAW, X_Shape=shape),
        "raw float16": make_request(
            "POST", "/localize", half, Content_Type=RAW, X_Shape=shape, X_Dtype="float16"
        ),
        "JSON": _json("/localize", {"features": features_TD.tolist()}),
        "JSON base64": _json("/localize", encoded),
        "form": form("/localize", [("file", "x.npy", npy(features_TD))]),
    }


def inference_requests(features_TD: NDArray[np.float32], model: str) -> dict[str, Request]:
    """Returns the same inference in every form of the Open Inference Protocol."""
    path = f"/v2/models/{model}/infer"
    values = features_TD.astype("<f4").tobytes()
    tensor: dict[str, object] = {
        "name": "features",
        "datatype": "FP32",
        "shape": [1, *features_TD.shape],
    }
    length = {
        "name": "lengths",
        "datatype": "INT64",
        "shape": [1],
        "parameters": {"binary_data_size": 8},
    }
    sized = tensor | {"parameters": {"binary_data_size": len(values)}}
    header = json.dumps(
        {"id": "a", "inputs": [sized, length], "parameters": {"binary_data_output": True}}
    ).encode()
    body = header + values + np.array([len(features_TD)], "<i8").tobytes()
    binary = make_request("POST", path, body, Content_Type=RAW).with_header(
        HEADER_LENGTH, b"%d" % len(header)
    )
    packed = {"gzip": gzip.compress(body, 1, mtime=0), "deflate": zlib.compress(body, 1)}
    return {
        "v2 JSON": _json(path, {"inputs": [tensor | {"data": features_TD.ravel().tolist()}]}),
        "v2 binary": binary,
        "v2 bare": make_request("POST", path, values).with_header(HEADER_LENGTH, b"0"),
        **{
            f"v2 {encoding}": binary.with_body(content).with_header(
                b"Content-Encoding", encoding.encode()
            )
            for encoding, content in packed.items()
        },
    }


def get_requests(model: str) -> dict[str, Request]:
    """Returns requests without a body that change nothing."""
    paths = {
        "health": "/health",
        "models": "/models",
        "model": f"/models/{model}",
        "version": f"/models/{model}/versions/1",
        "job": "/jobs/00000000-0000-0000-0000-000000000000",
        "metrics": "/metrics",
        "v2": "/v2",
        "v2 model": f"/v2/models/{model}",
        "v2 ready": f"/v2/models/{model}/ready",
        "v2 config": f"/v2/models/{model}/config",
    }
    return {name: make_request("GET", path) for name, path in paths.items()}


def form(path: str, files: list[tuple[str, str, bytes]]) -> Request:
    """Returns a form with files; each file is (field name, file name, content)."""
    parts = [
        b"--%s\r\nContent-Disposition: form-data; name=%s; filename=%s\r\n\r\n%s\r\n"
        % (BOUNDARY, name.encode(), file.encode(), content)
        for name, file, content in files
    ]
    body = b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"
    return make_request(
        "POST", path, body, Content_Type=f"multipart/form-data; boundary={BOUNDARY.decode()}"
    )


def _json(path: str, content: object) -> Request:
    return make_request("POST", path, json.dumps(content).encode(), Content_Type=JSON)
