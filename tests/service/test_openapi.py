import json
from pathlib import Path

import httpx

from ecm_client.schemas import JobRequest, LocalizeRequest, LocalizeResponse
from service.app import create_app
from service.models.catalog import Catalog
from service.routes.examples import OF_FEATURES, OF_SEGMENTS, OF_VIDEO
from service.settings import Settings

WRITTEN = Path(__file__).parents[2] / "openapi" / "openapi.json"


def test_written_description_is_the_served_one(url: str) -> None:
    """`python -m service openapi > openapi/openapi.json` was run after the last change."""
    made = create_app(Settings(), Catalog(())).openapi()
    assert json.loads(WRITTEN.read_text()) == made
    assert httpx.get(f"{url}/openapi.json").json() == made
    assert httpx.get(f"{url}/docs").status_code == 200


def test_description_names_every_form_and_every_problem() -> None:
    """Developers find all content types and statuses of POST /localize."""
    call = json.loads(WRITTEN.read_text())["paths"]["/localize"]["post"]
    forms = {"application/json", "application/x-npy", "application/octet-stream"}
    assert set(call["requestBody"]["content"]) == forms | {"multipart/form-data", "video/*"}
    assert {"200", "202", "400", "404", "409", "413", "415", "422", "501", "503", "507"} <= set(
        call["responses"]
    )
    names = {parameter["name"] for parameter in call["parameters"]}
    assert {"model", "nms_iou", "X-Shape", "X-Dtype"} <= names


def test_operations_have_short_unique_names() -> None:
    """Generators make the names of functions from them."""
    paths = json.loads(WRITTEN.read_text())["paths"]
    names = [call["operationId"] for calls in paths.values() for call in calls.values()]
    assert {"localize", "create_job", "find_job", "list_models", "infer_newest"} <= set(names)
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and len(name) < 25 for name in names)


def test_examples_are_valid() -> None:
    """Each example of a body or an answer fits its schema."""
    for name in OF_FEATURES:
        fields = dict(OF_FEATURES[name]["value"])
        fields.pop("features", None)
        LocalizeRequest.model_validate(fields)
    for model in (LocalizeRequest, JobRequest):
        model.model_validate(OF_VIDEO["video"]["value"])
    LocalizeResponse.model_validate(OF_SEGMENTS["segments"]["value"])
    call = json.loads(WRITTEN.read_text())["paths"]["/localize"]["post"]
    examples = call["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"features", "features_b64", "video"}
    assert "segments" in call["responses"]["200"]["content"]["application/json"]["examples"]
