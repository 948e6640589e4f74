"""State that the routes of one application share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from service.errors import VideosNotServedError
from service.http.admission import Admission
from service.jobs.followers import Followers
from service.localize.activations import Activations
from service.localize.slots import Slots
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.observation import Spans

if TYPE_CHECKING:
    from service.jobs.intake import Videos


@dataclass(slots=True)
class ServiceState:
    """Everything that routes need to answer requests."""

    settings: Settings
    """Settings in force."""
    catalog: Catalog
    """Served models."""
    keeper: ModelKeeper | None
    """Loads and unloads models; None if `create_app` was given a catalog."""
    admission: Admission
    """Admits or refuses requests."""
    slots: Slots
    """Worker threads that compute requests."""
    metrics: Metrics
    """Prometheus metrics."""
    activations: Activations
    """Class activation sequences that are kept to be localized again."""
    started_s: float
    """Monotonic time of the start."""
    spans: Spans | None = None
    """Exports each request as a trace span."""
    videos: "Videos | None" = None
    """Accepts videos while the service runs; None if it serves features only."""
    followers: Followers = field(default_factory=Followers)
    """Clients that follow jobs."""
    draining: bool = False
    """Whether shutdown has begun; requests are still answered."""

    def served_videos(self) -> "Videos":
        """Returns the part of the service that accepts videos.

        Raises:
            VideosNotServedError: the packages for videos are not installed.
        """
        if self.videos is None:
            raise VideosNotServedError(
                "this service accepts features only; to serve videos, run "
                "pip install -c constraints.txt '.[service,jobs]'"
            )
        return self.videos

    def model_keeper(self) -> ModelKeeper:
        """Returns the keeper of an application that loads its own models."""
        assert self.keeper
        return self.keeper


async def service_state(request: Request) -> ServiceState:
    """Returns the state of the application that received a request.

    FastAPI runs a coroutine function in the event loop, and a plain function in a worker thread.
    """
    state: ServiceState = request.app.state.service
    return state


Service = Annotated[ServiceState, Depends(service_state)]
"""Route parameter that receives the state."""
