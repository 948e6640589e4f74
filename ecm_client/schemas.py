"""What goes over the wire; openapi/openapi.json is made from it."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Positive = Annotated[FiniteFloat, Field(gt=0)]


class LocalizeOptions(BaseModel):
    """Options of POST /localize: in the query of a binary body, in the body if that is JSON."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str | None = None
    """Name of the model; may be left out where only one is served."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Version of the model; the newest if left out."""
    video_id: str = "video"
    """Name of the video in an answer in ActivityNet's format."""
    duration_s: Positive | None = None
    """How long the features last; tells how long a snippet is."""
    snippet_s: Positive | None = None
    """How long a snippet is, instead of `duration_s`; both left out, the model's own."""
    class_threshold: Share | None = None
    """Classes that score lower are absent."""
    nms_iou: Share | None = None
    """Greedy NMS at this tIoU, instead of the model's own suppression."""
    min_score: FiniteFloat | None = None
    """Segments that score lower are left out."""
    max_segments: Annotated[int, Field(ge=0)] | None = None
    """Only so many of the best segments are returned."""
    include: Literal["cas"] | None = None
    """`cas` adds the class activation sequence to the answer."""
    format: Literal["segments", "activitynet"] = "segments"
    """`activitynet` answers with an ActivityNet result file."""


class VideoReference(BaseModel):
    """A video that the service is to fetch."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    uri: Annotated[str, Field(min_length=1, max_length=4096)]
    """`file:`, `https:`, `s3:`, `gs:` or `az:`, as far as the service's settings allow it."""


class JobRequest(LocalizeOptions):
    """JSON body of POST /jobs."""

    video: VideoReference
    """The video."""


class LocalizeRequest(LocalizeOptions):
    """JSON body of POST /localize: options, and a video or features as lists or as base64."""

    video: VideoReference | None = None
    """A video in place of features."""
    features: list[list[float]] | None = None
    """Snippet features, (snippets, channels)."""
    features_b64: str | None = None
    """Snippet features as base64 of little-endian values in row-major order."""
    shape: tuple[int, int] | None = None
    """Snippets and channels of `features_b64`."""
    dtype: Literal["float32", "float16"] = "float32"
    """Type of the values in `features_b64`."""


class ModelVersion(BaseModel):
    """One version of a model."""

    name: str
    version: int


class ClassScore(BaseModel):
    """How probable it is that a video shows a class."""

    label: str
    score: float


class SegmentResult(BaseModel):
    """One action instance."""

    label: str
    start_s: float
    end_s: float
    score: float


class Cas(BaseModel):
    """The class activation sequence."""

    labels: list[str]
    """The classes, one a column."""
    logits: list[list[float]]
    """A row for each snippet."""


class LocalizeResponse(BaseModel):
    """Answer of POST /localize."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: ModelVersion
    duration_s: float
    """How long the features last."""
    snippets: int
    """Rows of the class activation sequence."""
    classes: list[ClassScore]
    """Every class, most probable first."""
    segments: list[SegmentResult]
    """Action instances, best first."""
    timing_ms: dict[str, float]
    """Where the time went."""
    cas: Cas | None = None
    """Only with `include=cas`."""


class ActivityNetSegment(BaseModel):
    """One action instance as ActivityNet writes it."""

    label: str
    score: float
    segment: tuple[float, float]


class ActivityNetResponse(BaseModel):
    """Answer of POST /localize with `format=activitynet`."""

    version: str
    results: dict[str, list[ActivityNetSegment]]
    external_data: dict[str, Any] = {}


class JobProgress(BaseModel):
    """How far a job is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    snippets_done: int = 0
    """Snippets whose features are stored."""
    snippets_expected: int | None = None
    """Snippets of the whole video, as far as its header can be trusted."""
    seconds_left: float | None = None
    """Time until the end at the present speed."""


class Job(BaseModel):
    """Work on a video."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    """The last three are final."""
    created: datetime
    """When it was handed in, UTC."""
    progress: JobProgress
    result: LocalizeResponse | ActivityNetResponse | None = None
    """What was found; when `done`."""
    error: "Problem | None" = None
    """Why there is no result; when `failed`."""


class ModelSummary(BaseModel):
    """One version of a model in the repository."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    version: int
    state: Literal["ready", "failed", "unloaded"]
    error: str | None = None
    """Why it is not served, or not as its file is now."""
    sha256: str | None = None
    """Hash of its file."""
    device: Literal["cpu", "cuda"] | None = None
    """Where it runs."""
    classes: int | None = None
    feature_dim: int | None = None
    extractor: str | None = None
    """What makes features of videos for it; `unknown` where it takes features only."""
    load_s: float | None = None
    """How long loading it took."""
    warm_up_s: float | None = None
    """How long its first runs took, before it was served."""


class ModelDetail(ModelSummary):
    """One version of a model with all that it says of itself."""

    spec: dict[str, Any] | None = None
    """Labels, clock, sampling, localization defaults, evaluation and provenance."""


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
    """`degraded`: some model failed; `unavailable`: no model can be served; `draining`: the
    service was told to end and answers what still comes."""
    version: str
    models_ready: int
    models_failed: int
    uptime_s: float


class Liveness(BaseModel):
    """Answer of /health/live and /health/ready."""

    status: Literal["ok", "unavailable", "draining", "stuck"]


class Problem(BaseModel):
    """An error, RFC 9457."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """`urn:ecm-localizer:` and a name that stays the same."""
    title: str
    status: int
    detail: str
    """What was expected, what came, and what to do."""
