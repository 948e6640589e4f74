"""GET /docs: the description of the API as pages, all of whose files are here."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from service.http.access import DOCS_FILES
from service.page.static_file import static_file

router = APIRouter(include_in_schema=False)

_PAGE: Final = Path(__file__).parent
_PACKAGE: Final = "fastapi_offline"
"""Package with the files of Swagger UI. It is not imported: only its folder `static` is used."""


def _folders() -> dict[str, Path]:
    """Returns the folder of each file below /docs."""
    spec = find_spec(_PACKAGE)
    static = [Path(path) / "static" for path in (spec and spec.submodule_search_locations) or ()]
    own = {"docs.css": "docs", "docs.js": "docs", "tokens.css": "style", "icon.svg": "."}
    bundle = {name: folder for name in DOCS_FILES - own.keys() for folder in static}
    return bundle | {name: _PAGE / folder for name, folder in own.items()}


_FOLDERS: Final = _folders()


@router.get("/docs")
async def api_page(request: Request) -> Response:
    """Returns the page."""
    return await _file(request, _PAGE / "docs", "docs.html")


@router.get("/docs/{file}")
async def api_page_file(request: Request, file: str) -> Response:
    """Returns a script or style sheet of the page."""
    if file not in _FOLDERS:
        raise HTTPException(404)
    return await _file(request, _FOLDERS[file], file)


async def _file(request: Request, folder: Path, name: str) -> Response:
    return await static_file(request, StaticFiles(directory=folder), name)
