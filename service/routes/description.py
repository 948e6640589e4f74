"""Parts of the OpenAPI description that FastAPI does not derive from the routes."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from ecm_client.schemas import LocalizeOptions, Problem
from service.localize.slots import TIMEOUT

BINARY = {"type": "string", "format": "binary"}


def whole_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the JSON schema of a model with all references resolved."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if name := node.get("$ref"):
                return resolved(parts[name.rpartition("/")[2]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(value) for value in node] if isinstance(node, list) else node

    whole: dict[str, Any] = resolved(schema)
    return whole


def query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Returns the OpenAPI description of a model's fields as query parameters."""
    schema = whole_schema(model)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": {key: value for key, value in field.items() if value is not None},
            "description": field["description"],
        }
        for name, field in schema["properties"].items()
    ]


def file_form(description: str) -> dict[str, object]:
    """Returns the schema of a form with one file."""
    return {
        "type": "object",
        "properties": {"file": BINARY | {"description": description}},
        "required": ["file"],
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the OpenAPI description of error responses by status."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in statuses
    }


TIMEOUT_HEADER = {
    "name": TIMEOUT,
    "in": "header",
    "required": False,
    "description": "Seconds after which the client no longer needs the result; then 504.",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}
OPTIONS = query_parameters(LocalizeOptions)
"""Described here and parsed with the body, because FastAPI inspects parameter types per request."""
PROBLEMS = problems(400, 404, 408, 409, 413, 415, 422, 500, 501, 502, 503, 504, 507)
