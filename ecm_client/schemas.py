"""Wire schemas of the service. openapi/openapi.json is generated from them."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    model_validator,
)
from pydantic_core import PydanticCustomError


def _no_truth_value(value: object) -> object:
    """Returns a value that is no bool, which pydantic would take for 0 or 1."""
    if isinstance(value, bool | np.bool_):
        raise PydanticCustomError("number_expected", "expected a number")
    return value


NUMBER = BeforeValidator(_no_truth_value)
"""Last annotation of a number, so that the schema shows the limits before it."""
Share = Annotated[FiniteFloat, Field(ge=0, le=1), NUMBER]
Seconds = Annotated[FiniteFloat, Field(ge=1e-6, le=1e9), NUMBER]
Name = Annotated[str, Field(max_length=1024)]


class SegmentOptions(BaseModel):
    """Options that decide which segments an activation gives."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    class_threshold: Share | None = None
    """Classes with a lower class score are not localized."""
    nms_iou: Share | None = None
    """Greedy NMS at this tIoU, instead of the suppression that the model prefers."""
    min_score: Annotated[FiniteFloat, Field(ge=-100, le=2), NUMBER] | None = None
    """Segments with a lower score are left out; scores are about 0 to 1."""
    max_segments: Annotated[int, Field(ge=0), NUMBER] | None = None
    """Largest number of segments; the best are returned. The service has a limit of its own."""


class LocalizeOptions(SegmentOptions):
    """Options of POST /localize: in the query for a binary body, in the body for JSON."""

    model: Name | None = None
    """Name of the model. Optional where the service has one model or a default."""
    version: Annotated[int, Field(ge=1), NUMBER] | None = None
    """Version of the model; the newest by default."""
    video_id: Name = "video"
    """Name of the video in a response in ActivityNet's format."""
    duration_s: Seconds | None = None
    """Length of the features in seconds, from which the length of a snippet follows."""
    snippet_s: Seconds | None = None
    """Length of a snippet in seconds, as an alternative to `duration_s`. Without both, the clock of
    the model counts."""
    include: Literal["cas", "activation"] | None = None
    """`cas` adds the class activation sequence to the response. `activation` keeps it in the
    service and adds its id; that of a job is always kept."""
    format: Literal["segments", "activitynet"] = "segments"
    """`activitynet` returns an ActivityNet result file."""


class VideoReference(BaseModel):
    """A video for the service to fetch, or one that it has; either `uri` or `job_id`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    uri: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """Address with the scheme `file:`, `https:`, `s3:`, `gs:` or `az:`. The settings of the service
    decide which are allowed."""
    job_id: Annotated[str, Field(max_length=64)] | None = None
    """Id of a finished job, whose video is localized again."""

    @model_validator(mode="after")
    def _names_one(self) -> "VideoReference":
        if (self.uri is None) == (self.job_id is None):
            raise ValueError("expected uri or job_id")
        return self


class JobRequest(LocalizeOptions):
    """JSON body of POST /jobs."""

    video: VideoReference
    """The video to localize."""


class LocalizeRequest(LocalizeOptions):
    """JSON body of POST /localize: options, and either features or a reference to a video."""

    video: VideoReference | None = None
    """The video to localize, instead of features."""
    features: list[list[float]] | None = None
    """Snippet features, shape (snippets, channels)."""
    features_b64: str | None = None
    """Snippet features as base64 of little-endian values in row-major order."""
    shape: tuple[int, int] | None = None
    """Shape of `features_b64`: snippets, channels."""
    dtype: Literal["float32", "float16"] = "float32"
    """Type of the values in `features_b64`."""


class ModelVersion(BaseModel):
    """One version of a model."""

    name: str
    version: int


class ClassScore(BaseModel):
    """Probability that a video shows a class."""

    label: str
    score: float


class SegmentResult(BaseModel):
    """One action segment. Times are in seconds from the start of the video."""

    label: str
    start_s: float
    end_s: float
    score: float


class Cas(BaseModel):
    """Class activation sequence: how strongly each snippet speaks for each class."""

    labels: list[str]
    """Class of each column of `logits`."""
    logits: list[list[float]]
    """Logits, shape (snippets, classes)."""


class LocalizeResponse(BaseModel):
    """Response of POST /localize."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: ModelVersion
    duration_s: float
    """Length of the video, or of the features, in seconds."""
    snippets: int
    """Number of snippets."""
    classes: list[ClassScore]
    """Score of every class, most probable class first."""
    segments: list[SegmentResult]
    """Action segments, best first."""
    truncated: bool = False
    """Whether `max_segments`, of the request or of the service, left out segments."""
    familiarity: float | None = None
    """Share of the training videos that are as far from the others as this video; 0 if all are
    nearer, null if the model has no statistics of them."""
    notes: list[str] = []
    """Sentences about the result: why there is no segment, that the video is unlike the training
    videos."""
    timing_ms: dict[str, float]
    """Milliseconds spent in each stage and in `total`."""
    cas: Cas | None = None
    """Class activation sequence; only with `include=cas`."""
    activation: str | None = None
    """Id under which the service keeps the class activation sequence for a while, for
    /activations; null if it keeps none."""


class ActivityNetSegment(BaseModel):
    """One action segment in ActivityNet's format."""

    label: str
    score: float
    segment: tuple[float, float]


class ActivityNetResponse(BaseModel):
    """Response of POST /localize with `format=activitynet`."""

    version: str
    results: dict[str, list[ActivityNetSegment]]
    external_data: dict[str, Any] = {}


class JobProgress(BaseModel):
    """Progress of a job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    snippets_done: int = 0
    """Number of snippets whose features are stored."""
    snippets_expected: int | None = None
    """Number of snippets of the whole video, if its header is right."""
    seconds_left: float | None = None
    """Seconds to the end at the present speed."""


class VideoFacts(BaseModel):
    """Properties of a video; null where its header has none."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    media_type: str
    """Content type, such as `video/mp4`."""
    duration_s: float | None = None
    frame_rate: float | None = None
    """Average number of frames a second."""
    width: int | None = None
    """Width of the displayed image, after rotation."""
    height: int | None = None
    """Height of the displayed image, after rotation."""
    codec: str | None = None
    """Name of the codec in FFmpeg, such as `h264`."""


class JobVideo(VideoFacts):
    """The video of a job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    available: bool
    """Whether the service still has the video, for GET /jobs/{id}/video and its stills."""


JobState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]


class Job(BaseModel):
    """Work on a video."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    state: JobState
    """State of the job; the last three are final."""
    created: datetime
    """Time of submission, UTC."""
    name: str | None = None
    """File name of the video, or the last part of its URI."""
    model: ModelVersion | None = None
    """Model of the job."""
    progress: JobProgress
    ahead: int | None = None
    """Number of jobs before a queued one."""
    video: JobVideo | None = None
    """The video, as soon as a worker has looked at it."""
    result: LocalizeResponse | ActivityNetResponse | None = None
    """Result of a job that is `done`."""
    error: "Problem | None" = None
    """Reason why a job `failed`."""


class JobSummary(BaseModel):
    """One job in a list, without its result."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    state: JobState
    created: datetime
    """Time of submission, UTC."""
    model: ModelVersion | None = None
    """Model of the job; None if an earlier release submitted it."""
    name: str | None = None
    """File name of the video, or the last part of its URI."""
    duration_s: float | None = None
    """Length of the video in seconds, once it is known."""
    segments: int | None = None
    """Number of segments of a job that is `done`."""
    detail: str | None = None
    """Reason why a job `failed`, shortened."""
    progress: JobProgress | None = None
    """Progress of a job that is `queued` or `running`."""


class JobList(BaseModel):
    """A page of jobs, newest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    jobs: list[JobSummary]
    next: str | None = None
    """Value of `after` for the next page, which has older jobs; absent on the last page."""


class ModelSummary(BaseModel):
    """One version of a model in the repository."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    version: int
    state: Literal["ready", "failed", "unloaded"]
    error: str | None = None
    """Reason why the version is not served, or why an older state of its file is served."""
    sha256: str | None = None
    """SHA-256 of the model file."""
    device: Literal["cpu", "cuda"] | None = None
    """Device that runs the model."""
    precision: Literal["float32", "float16", "int8"] | None = None
    """Precision in which the model runs."""
    precision_reason: str | None = None
    """Reason for the precision, for instance the outcome of a race at the start."""
    classes: int | None = None
    feature_dim: int | None = None
    extractor: str | None = None
    """Extractor that computes its features from videos; `unknown` if it takes features only."""
    load_s: float | None = None
    """Seconds that loading took."""
    warm_up_s: float | None = None
    """Seconds that the first runs took, before the model was served."""


class ModelDetail(ModelSummary):
    """One version of a model with its spec."""

    spec: dict[str, Any] | None = None
    """Spec: labels, clock, sampling, localization defaults, evaluation and provenance."""


class ModelList(BaseModel):
    """All models of the repository."""

    models: list[ModelSummary]


class ModelVersions(BaseModel):
    """All versions of one model."""

    name: str
    versions: list[ModelSummary]


HealthStatus: TypeAlias = Literal["ok", "degraded", "unavailable", "draining"]


class Health(BaseModel):
    """State of the service."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: HealthStatus
    """`degraded`: some model failed, or the data folder is gone. `unavailable`: no model can be
    served. `draining`: the service is shutting down and still answers requests."""
    version: str
    models_ready: int
    models_failed: int
    uptime_s: float


class Liveness(BaseModel):
    """Response of /health/live and /health/ready."""

    status: Literal["ok", "unavailable", "draining", "stuck"]


class Problem(BaseModel):
    """An error in the format of RFC 9457."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """`urn:ecm-localizer:` and the stable name of the problem."""
    title: str
    status: int
    detail: str
    """Detail: the expected value, the actual value, and the remedy."""
