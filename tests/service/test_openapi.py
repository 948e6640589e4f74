import json
from pathlib import Path

import httpx

from service.app import create_app
from service.models.catalog import Catalog
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
