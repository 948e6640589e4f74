"""The record of a job in the database: its constants, input, output and state."""

import logging
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, get_args

from dbos import DBOS, WorkflowStatus
from pydantic import BaseModel, ValidationError

from ecm_client.schemas import (
    ActivityNetResponse,
    JobState,
    LocalizeOptions,
    LocalizeResponse,
    ModelVersion,
    Problem,
    VideoFacts,
)
from service.errors import ServiceError, problem_of

APPLICATION: Final = "ecm-localizer"
QUEUE: Final = "videos"
WORKFLOW: Final = "localize-video"
PROGRESS: Final = "progress"
VERSION: Final = "2"
"""Version of the workflow's steps. Unfinished jobs of another version wait for a worker of that
version, so it changes only with the steps, not with each release."""

FinalState: TypeAlias = Literal["done", "failed", "cancelled"]
FINAL: Final = frozenset(get_args(FinalState))
_log = logging.getLogger(__name__)

WAITING: Final = ("ENQUEUED", "DELAYED")
OPEN: Final = (*WAITING, "PENDING")


class VideoAsked(BaseModel):
    """Content of a request. Requests that repeat an Idempotency-Key must agree in it."""

    options: LocalizeOptions
    """Options of the request, as they came."""
    uri: str | None = None
    """URI of a referenced video; None if it was uploaded."""
    sha256: str | None = None
    """SHA-256 of the uploaded file."""
    job_id: str | None = None
    """Id of the earlier job that uploaded or downloaded the video."""


class VideoJob(BaseModel):
    """Input of the workflow."""

    asked: VideoAsked
    """The request."""
    options: LocalizeOptions
    """Options of the request, with the chosen model and version."""
    name: str | None = None
    """Name of the video, for people."""


class JobOutcome(BaseModel):
    """Output of the workflow."""

    answer: LocalizeResponse | ActivityNetResponse | None = None
    """Segments found in the video."""
    error: Problem | None = None
    """Reason why there are none."""


class JobAttributes(BaseModel):
    """Facts about a job that a list of jobs finds without reading inputs and results."""

    model: str | None = None
    """Name of the model; None for a job of an early release."""
    version: int = 0
    """Version of the model."""
    name: str | None = None
    """Name of the video, for people."""
    video: VideoFacts | None = None
    """Properties of the video, once a worker has looked at it."""
    duration_s: float | None = None
    """Length of the localized video in seconds."""
    segments: int | None = None
    """Number of segments found."""
    failed: bool = False
    """Whether the job failed."""
    detail: str | None = None
    """Reason why the job failed, shortened."""


def attributes_of(status: WorkflowStatus) -> JobAttributes:
    """Returns the attributes of a job."""
    return JobAttributes.model_validate(status.attributes or {})


def model_of(attributes: JobAttributes) -> ModelVersion | None:
    """Returns the model of a job; None if an earlier release submitted it."""
    if attributes.model is None:
        return None
    return ModelVersion(name=attributes.model, version=attributes.version)


def add_attributes(job_id: str, attributes: JobAttributes) -> None:
    """Adds the given attributes to those of a job.

    Within a workflow this is a step of its own, and within a step a part of that step.
    """
    given = attributes.model_dump(mode="json", exclude_unset=True)
    DBOS.update_workflow_attributes(job_id, given, merge=True)


def log_end(
    job_id: str, state: FinalState, elapsed_s: float, problem: Problem | None = None
) -> None:
    """Logs the end of a job and the time that a worker spent on it."""
    fields = {"job": job_id, "state": state, "duration_ms": round(1e3 * elapsed_s, 3)}
    if problem:
        fields["error"] = problem.detail
    _log.info("job finished", extra={"fields": fields})


def request_of(status: WorkflowStatus) -> VideoAsked | None:
    """Returns the request of a job; None for a job of a release that did not record it."""
    assert status.input
    try:
        return VideoJob.model_validate_json(status.input["args"][0]).asked
    except ValidationError:
        return None


def outcome_of(status: WorkflowStatus) -> JobOutcome:
    """Returns the outcome of a job, which is empty until the job ends."""
    if status.status == "SUCCESS":
        return JobOutcome.model_validate_json(str(status.output))
    if status.status == "ERROR":
        return JobOutcome(error=problem_of(status.error or ServiceError("unknown")))
    if status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return JobOutcome(
            error=problem_of(ServiceError("the worker crashed on this video too many times"))
        )
    return JobOutcome()


def state_of(status: WorkflowStatus, *, failed: bool) -> JobState:
    """Returns the state of a job; `failed` is known from its outcome or its attributes."""
    if failed or status.status in ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        return "failed"
    if status.status == "SUCCESS":
        return "done"
    if status.status == "CANCELLED":
        return "cancelled"
    return "queued" if status.status in WAITING else "running"


def created_at(status: WorkflowStatus) -> datetime:
    """Returns the time at which a job was submitted."""
    return datetime.fromtimestamp((status.created_at or 0) / 1000, UTC)
