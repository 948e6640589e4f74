"""GET / and /page/...: the page, its files, and the parts that it may show."""

import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from service.errors import ServiceError
from service.page.schemas import Capabilities, Example, Limits, UriScheme
from service.page.static_file import static_file
from service.routes.submission import job_id
from service.settings import Settings
from service.state import Service, ServiceState

router = APIRouter(tags=["page"])

_FILES: Final = StaticFiles(directory=Path(__file__).parent)
_NAME: Final = re.compile(r"([a-z0-9_-]+/)*[a-z0-9_.-]+\.(?!html)[a-z]+")
"""Files below /page. The page itself has one address only, from which its links start."""
_EXAMPLE_KEY: Final = "example"


@router.get("/", include_in_schema=False)
async def show_page(request: Request, service: Service) -> Response:
    """Returns the page."""
    return await _file(request, service, "index.html")


@router.get("/page/capabilities")
async def capabilities(request: Request, service: Service) -> Capabilities:
    """Returns the parts and limits of the service."""
    settings = service.settings
    return Capabilities(
        version=request.app.version,
        limits=Limits.model_validate(settings, from_attributes=True),
        keep_jobs_s=settings.keep_jobs_s,
        videos=service.videos is not None,
        roots=service.videos is not None and bool(settings.video_roots),
        uris=_schemes(settings) if service.videos else [],
        hosts=list(settings.video_hosts) if service.videos else [],
        clips=service.videos is not None,
        corrections=settings.corrections is not None,
        example=await _example(service),
    )


@router.get("/page/{file:path}", include_in_schema=False)
async def page_file(request: Request, service: Service, file: str) -> Response:
    """Returns a module, style sheet or image of the page."""
    if not _NAME.fullmatch(file):
        raise HTTPException(404)
    return await _file(request, service, file)


async def _file(request: Request, service: ServiceState, name: str) -> Response:
    if not service.settings.page:
        raise HTTPException(404)
    return await static_file(request, _FILES, name)


def _schemes(settings: Settings) -> list[UriScheme]:
    """Returns the schemes of the URIs that the settings allow."""
    schemes: list[UriScheme] = ["file"] if settings.video_roots else []
    if settings.video_hosts:
        schemes.append("https")
    buckets: tuple[UriScheme, ...] = ("s3", "gs", "az")
    named = {prefix.partition(":")[0] for prefix in settings.video_buckets}
    return schemes + [scheme for scheme in buckets if scheme in named]


async def _example(service: ServiceState) -> Example | None:
    if service.videos is None:
        return None
    try:
        job = await service.videos.jobs.find(job_id(_EXAMPLE_KEY))
    except ServiceError:  # there is none, or the database is away
        return None
    return Example(job_id=job.id) if job.state == "done" else None
