"""GET /models: state of all models; POST .../load and .../unload."""

import json

from anyio import to_thread
from fastapi import APIRouter

from ecm_client.schemas import ModelDetail, ModelList, ModelSummary, ModelVersions
from service.errors import UnknownModelError
from service.models.catalog import CatalogEntry
from service.routes.description import problems
from service.state import Service

router = APIRouter(prefix="/models", tags=["models"])
_NOT_FOUND = problems(404, 422)
_CHANGED = problems(404, 422, 503)


@router.get("")
async def list_models(service: Service) -> ModelList:
    """Lists every version of every model."""
    return ModelList(models=[_summary(entry) for entry in service.catalog.entries])


@router.get("/{name}", responses=_NOT_FOUND)
async def list_versions(service: Service, name: str) -> ModelVersions:
    """Lists every version of one model."""
    versions = [_summary(entry) for entry in service.catalog.versions(name)]
    return ModelVersions(name=name, versions=versions)


@router.get("/{name}/versions/{version}", responses=_NOT_FOUND)
async def describe(service: Service, name: str, version: int) -> ModelDetail:
    """Returns one version with its spec: labels, settings and evaluation."""
    for entry in service.catalog.versions(name):
        if entry.published.version == version:
            spec = json.loads(entry.engine.spec.to_json()) if entry.engine else None
            return ModelDetail(**_summary(entry).model_dump(), spec=spec)
    raise UnknownModelError(f"model {name!r} has no version {version}")


@router.post("/{name}/load", responses=_CHANGED)
async def load(service: Service, name: str) -> ModelVersions:
    """Serves an unloaded model again, tries failed versions again, and loads new versions."""
    await to_thread.run_sync(service.model_keeper().load, name)
    return await list_versions(service, name)


@router.post("/{name}/unload", responses=_CHANGED)
async def unload(service: Service, name: str) -> ModelVersions:
    """Stops serving a model until it is loaded again. Requests in flight are completed."""
    await to_thread.run_sync(service.model_keeper().unload, name)
    return await list_versions(service, name)


def _summary(entry: CatalogEntry) -> ModelSummary:
    engine = entry.engine
    return ModelSummary(
        name=entry.published.name,
        version=entry.published.version,
        state=entry.state,
        error=entry.reason,
        sha256=entry.sha256,
        device=engine.device if engine else None,
        precision=engine.spec.precision if engine else None,
        precision_reason=engine.precision_reason if engine else None,
        classes=len(engine.spec.labels) if engine else None,
        feature_dim=engine.spec.feature_dim if engine else None,
        extractor=engine.spec.extractor.name if engine else None,
        load_s=round(engine.load_s, 3) if engine else None,
        warm_up_s=round(engine.warm_up_s, 3) if engine else None,
    )
