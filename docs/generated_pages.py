"""Pages of the reference that come from the code, and the notebook as a page.

`write_all` writes them as Markdown before the site is built. Nobody edits them, and they are not in
the repository.
"""

import ast
import contextlib
import inspect
import io
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docstring_parser import Docstring, parse, parse_from_object

import ecm_localizer
from ecm_localizer.command.catalog import COMMANDS
from ecm_localizer.command.main import main
from model.localization.localize import LocalizationConfig
from model.spec import ExtractorIdentity, ModelSpec, Provenance

METHODS = ("get", "post", "put", "delete")


def write_all(docs: Path) -> None:
    """Writes every generated page below the folder `docs`."""
    openapi = json.loads((docs.parent / "openapi" / "openapi.json").read_text())
    pages = {
        "reference/generated/http": http_page(openapi),
        "reference/generated/commands": commands_page(),
        "reference/generated/python": python_page(),
        "reference/generated/model-file": model_file_page(),
        "generated/tour": notebook_page(json.loads((docs / "tour.ipynb").read_text())),
    }
    for name, text in pages.items():
        path = docs / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def http_page(openapi: Mapping[str, Any]) -> str:
    """Returns every call of the OpenAPI description with its parameters and responses."""
    lines = [
        "# Calls over HTTP",
        "Look up a call of the service here. [The service](../service.md) explains the calls; this "
        "page lists all of them, from the OpenAPI description.",
    ]
    for path, methods in openapi["paths"].items():
        for method in METHODS:
            if method in methods:
                lines += call_section(f"{method.upper()} {path}", methods[method])
    lines.append("## Schemas")
    for name, schema in openapi["components"]["schemas"].items():
        lines += schema_section(name, schema)
    return "\n\n".join(lines) + "\n"


def call_section(title: str, call: Mapping[str, Any]) -> Iterator[str]:
    """Yields the paragraphs on one call."""
    yield f"## {title}"
    yield call.get("description", call["summary"])
    parameters = [
        (f"`{one['name']}`", one["in"], type_of(one["schema"]), one.get("description", ""))
        for one in call.get("parameters", ())
    ]
    if parameters:
        yield table(("parameter", "in", "type", "meaning"), parameters)
    body = call.get("requestBody", {}).get("content", {})
    if body:
        yield "Body: " + ", ".join(f"`{kind}`" for kind in body)
    responses = [
        (status, response["description"], ", ".join(contents(response)))
        for status, response in sorted(call["responses"].items())
    ]
    yield table(("status", "meaning", "content"), responses)


def contents(response: Mapping[str, Any]) -> Iterator[str]:
    """Yields the media types of a response with their schemas."""
    for kind, content in response.get("content", {}).items():
        yield f"`{kind}` {type_of(content.get('schema', {}))}".strip()


def schema_section(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yields the paragraphs on one schema."""
    yield f"### {name}"
    if "description" in schema:
        yield schema["description"]
    rows = [
        (f"`{field}`", type_of(value), value.get("description", ""))
        for field, value in schema.get("properties", {}).items()
    ]
    if rows:
        yield table(("field", "type", "meaning"), rows)


def type_of(schema: Mapping[str, Any]) -> str:
    """Returns the type of a schema in one or a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_of(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {})) or 'values'}"
    return str(schema.get("format", schema.get("type", "")))


def commands_page() -> str:
    """Returns the help of every command."""
    lines = [
        "# Command line",
        "Look up a command and its options here. This is what `ecm COMMAND --help-all` prints.",
    ]
    for heading, commands in COMMANDS.items():
        lines.append(f"## {heading}")
        for command in commands:
            with contextlib.redirect_stdout(io.StringIO()) as help_text:
                main([command.name, "--help-all"])
            lines += [f"### ecm {command.name}", f"```text\n{help_text.getvalue().strip()}\n```"]
    return "\n\n".join(lines) + "\n"


def python_page() -> str:
    """Returns the public classes of `ecm_localizer` with their methods."""
    lines = [
        "# Python",
        "Look up a class of `ecm_localizer` here. `Localizer` runs a model in this process, "
        "`Client` and `AsyncClient` ask a service; all three return a `Localization`.",
    ]
    for name in ecm_localizer.__all__:
        member = getattr(ecm_localizer, name)
        lines += [f"## {name}", *paragraphs(parse(inspect.getdoc(member) or ""))]
        lines += fields_of(member)
        for method, function in public_methods(member):
            lines.append(f"### {name}.{method}")
            lines.append(f"```text\n{method}{signature(function)}\n```")
            lines += paragraphs(parse(inspect.getdoc(function) or ""))
    return "\n\n".join(lines) + "\n"


def fields_of(member: type) -> Iterator[str]:
    """Yields a table of the fields of a dataclass that have a docstring."""
    described = parse_from_object(member) if hasattr(member, "__dataclass_fields__") else None
    rows = [
        (f"`{field.arg_name}`", field.type_name or "", field.description or "")
        for field in (described.params if described else ())
        if field.arg_name in getattr(member, "__dataclass_fields__", {})
    ]
    if rows:
        yield table(("field", "type", "meaning"), rows)


def public_methods(member: type) -> Iterator[tuple[str, Any]]:
    """Yields the methods of a class that its users call, in the order of its source."""
    for name, value in vars(member).items():
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, function


def signature(function: Any) -> str:
    """Returns the parameters and the result of a method as its source has them."""
    source = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(source, ast.FunctionDef | ast.AsyncFunctionDef)
    parameters = ast.unparse(source.args)
    parameters = re.sub(r"^(self|cls)(, /)?(, )?", "", parameters)
    result = f" -> {ast.unparse(source.returns)}" if source.returns else ""
    return f"({parameters}){result}"


def paragraphs(described: Docstring) -> Iterator[str]:
    """Yields the text, parameters, result and errors of a docstring."""
    for text in (described.short_description, described.long_description):
        if text:
            yield text
    parameters = [one for one in described.params if one.args[0] == "param"]
    if parameters:
        yield "\n".join(f"- `{one.arg_name}`: {flat(one.description)}" for one in parameters)
    for error in described.raises:
        yield f"Raises `{error.type_name}`: {flat(error.description)}"


def model_file_page() -> str:
    """Returns the contents of an exported ONNX file."""
    lines = [
        "# The ONNX file",
        "Read or write a model file in another program. It contains the network, and in its "
        "metadata, under the key `ecm.spec`, the facts below as JSON.",
        table(
            ("tensor", "shape", "type"),
            [
                ("input `features`", "videos, snippets, channels; padded to one length", "float32"),
                ("input `lengths`", "videos; snippets of each video without padding", "int64"),
                ("output `cas`", "videos, snippets, classes; logits, 0 in the padding", "float32"),
            ],
        ),
    ]
    for part in (ModelSpec, LocalizationConfig, ExtractorIdentity, Provenance):
        lines += [f"## {part.__name__}", *paragraphs(parse(inspect.getdoc(part) or ""))]
        lines += fields_of(part)
    return "\n\n".join(lines) + "\n"


def notebook_page(notebook: Mapping[str, Any]) -> str:
    """Returns the cells of a notebook as a page."""
    cells = [
        "".join(cell["source"])
        if cell["cell_type"] == "markdown"
        else f"```python\n{''.join(cell['source'])}\n```"
        for cell in notebook["cells"]
    ]
    return "\n\n".join(cells) + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(flat, line)) + " |" for line in lines)


def flat(text: str | None) -> str:
    """Returns text in one line, with bars that do not end a cell."""
    return " ".join((text or "").split()).replace("|", "\\|")
