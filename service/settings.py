"""Settings of the service; configuration.py reads their values."""

import json
import re
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from service.models.version_policy import VersionPolicy

_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
Group: TypeAlias = Literal["Models", "Network", "Computing", "Limits", "Videos and jobs",
                           "Video references", "Page", "Access", "General"]  # fmt: skip
"""Subject of a setting, in the order of help texts."""


def setting(
    default: Any,
    group: Group,
    *,
    rare: bool = False,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
) -> Any:
    """Returns a pydantic field with its bounds, its group, and whether it is rare."""
    return Field(default, ge=ge, gt=gt, le=le, json_schema_extra={"group": group, "rare": rare})


class Settings(BaseModel):
    """Settings of the service.

    Every field is declared by `setting`, which adds two keys to its `json_schema_extra`:
    `group` is the heading of the setting in help texts, and `rare` hides it from the short help.
    """

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    secrets: ClassVar[frozenset[str]] = frozenset({"database_url", "api_keys"})
    """Names of the settings whose values are never shown."""

    repository: Path = setting(Path("models"), "Models")
    """Folder of the models; a version is NAME/VERSION/model.onnx."""
    default_model: str | None = setting(None, "Models")
    """Model of requests that name none; not needed if there is only one model."""
    versions: dict[str, VersionPolicy] = setting({}, "Models", rare=True)
    """Served versions by model, * for the others: all, newest, newest:2, or a list as [1, 3]."""
    reload_s: float = setting(5.0, "Models", ge=0, rare=True)
    """Interval of checks for new models in the repository, in seconds; 0 for never."""
    warm_snippets: tuple[PositiveInt, ...] = setting((), "Models", rare=True)
    """Video lengths in snippets to run before a model is served; by default, the model's own."""
    host: str = setting("127.0.0.1", "Network")
    """Address to listen on; 0.0.0.0 for all IPv4 addresses, * for all of IPv4 and IPv6."""
    port: int = setting(8000, "Network", ge=0, le=65535)
    """Port to listen on; 0 for any free port."""
    root_path: str = setting("", "Network", rare=True)
    """Path below which a proxy serves the service, such as /ecm; the proxy may strip it or not."""
    processes: int = setting(1, "Network", ge=1)
    """Server processes that share the port; each has its own models and jobs."""
    drain_s: float = setting(0.0, "Network", ge=0, rare=True)
    """Seconds after SIGTERM in which requests are still accepted but /health/ready returns 503."""
    shutdown_s: float = setting(20.0, "Network", gt=0, rare=True)
    """Seconds for requests in flight to finish during the shutdown; then they are cut off."""
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "Computing")
    """Device of the networks: cuda, cpu, or auto for CUDA if it is available."""
    require_cuda: bool = setting(False, "Computing", rare=True)
    """Fail at the start if CUDA is not available, instead of using the CPU."""
    tf32: bool = setting(False, "Computing", rare=True)
    """Round float32 to TF32 in convolutions on a GPU: faster, within 0.4 % of the CPU's logits."""
    precision: Literal["auto", "fp32", "int8"] = setting("auto", "Computing", rare=True)
    """Precision on a CPU: fp32, int8, or auto for int8 where a model has it and it is faster."""
    threads: int = setting(0, "Computing", ge=0)
    """CPU threads of one inference; 0 for all cores if it runs alone, else one core."""
    concurrency: int = setting(0, "Computing", ge=0, rare=True)
    """Requests computed at the same time; 0 for enough to keep all cores or the GPU busy."""
    instances: int = setting(1, "Computing", ge=1, rare=True)
    """Runs of one network at the same time, each with its own threads or on the GPU."""
    max_batch: int = setting(0, "Computing", ge=0, rare=True)
    """Most videos in one batch; 0 for 16 on a GPU and no batches on a CPU."""
    batch_delay_ms: float = setting(2.0, "Computing", ge=0, rare=True)
    """Time for which the first video of a batch waits for others, in milliseconds."""
    batch_bucket_snippets: int = setting(64, "Computing", ge=1, rare=True)
    """Videos are padded to multiples of this length in snippets; equal lengths share a batch."""
    max_snippets: int = setting(20_000, "Limits", ge=1)
    """Longest video, in snippets."""
    max_request_s: float = setting(60.0, "Limits", gt=0)
    """Longest time to a result, in seconds; it counts from the last byte of the request."""
    max_waiting: int = setting(256, "Limits", ge=0, rare=True)
    """Most requests that wait to be computed; more are refused before their bodies are read."""
    max_wait_s: float = setting(10.0, "Limits", gt=0, rare=True)
    """Longest expected wait in seconds; a request that would wait longer is refused."""
    max_memory_bytes: int = setting(2 * 1024**3, "Limits", ge=1, rare=True)
    """Memory in bytes for the bodies of all requests in flight; more are refused."""
    max_body_bytes: int = setting(64 * 1024 * 1024, "Limits", ge=1, rare=True)
    """Longest body of features or JSON, in bytes; a longer one is refused before it is read."""
    max_body_s: float = setting(60.0, "Limits", gt=0, rare=True)
    """Longest time for a body of features to arrive, in seconds; not for videos and forms."""
    body_stall_s: float = setting(20.0, "Limits", gt=0, rare=True)
    """Longest wait for the next bytes of any body, in seconds."""
    max_uploads: int = setting(100, "Limits", ge=1, rare=True)
    """Videos and forms that are received at the same time; more are refused."""
    min_upload_bytes_per_s: float = setting(10_000.0, "Limits", ge=0, rare=True)
    """Lowest mean rate of a video or form, in bytes a second, measured after `body_stall_s`."""
    max_segments: int = setting(10_000, "Limits", ge=1, rare=True)
    """Most segments in a response, the best ones; a request may set a lower number."""
    data: Path = setting(Path("data"), "Videos and jobs")
    """Folder for jobs, uploads and features; processes that share jobs also share this folder."""
    database_url: str | None = setting(None, "Videos and jobs")
    """Database of the jobs, postgresql://...; by default, a SQLite file in `data`."""
    jobs: int = setting(1, "Videos and jobs", ge=0)
    """Videos worked on at the same time; 0 leaves them to `ecm work`."""
    extractors: Path = setting(Path("extractors"), "Videos and jobs")
    """Folder of extractors in ONNX."""
    wait_s: float = setting(10.0, "Videos and jobs", ge=0, rare=True)
    """Seconds for which POST /localize waits for a video before it responds with a job."""
    max_queued_jobs: int = setting(1000, "Videos and jobs", ge=1, rare=True)
    """Most jobs in the queue; more are refused."""
    keep_jobs_s: float = setting(7 * 24 * 3600.0, "Videos and jobs", gt=0, rare=True)
    """Time for which finished jobs are kept, in seconds."""
    model_wait_s: float = setting(600.0, "Videos and jobs", ge=0, rare=True)
    """Longest wait of a job for a model or extractor that is not served, in seconds."""
    extraction_threads: int = setting(0, "Videos and jobs", ge=0, rare=True)
    """CPU threads that work on one video; 0 divides the cores among `jobs`."""
    chunk_snippets: int = setting(32, "Videos and jobs", ge=1, rare=True)
    """Snippets in one stored chunk of features; a killed job loses at most one chunk."""
    chunk_timeout_s: float = setting(600.0, "Videos and jobs", gt=0, rare=True)
    """Longest work on one chunk, in seconds; then the attempt has failed."""
    feature_cache_bytes: int = setting(10 * 1024**3, "Videos and jobs", ge=0, rare=True)
    """Disk space in bytes for the features of finished videos; the least recently used go first."""
    keep_video_bytes: int = setting(10 * 1024**3, "Videos and jobs", ge=0, rare=True)
    """Disk space in bytes for the videos of finished jobs, which the page plays; 0 keeps none."""
    max_video_bytes: int = setting(4 * 1024**3, "Videos and jobs", ge=1, rare=True)
    """Largest video file, in bytes."""
    max_video_s: float = setting(12 * 3600.0, "Videos and jobs", gt=0, rare=True)
    """Longest video, in seconds."""
    max_frame_pixels: int = setting(4096 * 4096, "Videos and jobs", ge=1, rare=True)
    """Largest frame of a video, in pixels."""
    video_roots: tuple[Path, ...] = setting((), "Video references")
    """Folders below which `file:` URIs are allowed."""
    video_hosts: tuple[str, ...] = setting((), "Video references")
    """Hosts from which `https:` URIs are allowed; *.example.org for subdomains."""
    video_buckets: tuple[str, ...] = setting((), "Video references", rare=True)
    """Prefixes of allowed `s3:`, `gs:` and `az:` URIs, such as s3://bucket/videos/."""
    max_download_s: float = setting(600.0, "Video references", gt=0, rare=True)
    """Longest download of a video, in seconds."""
    download_stall_s: float = setting(20.0, "Video references", gt=0, rare=True)
    """Longest wait for the next bytes of a download, in seconds."""
    keep_activation_bytes: int = setting(1024**3, "Page", ge=0, rare=True)
    """Bytes of disk in `data` for class activation sequences, to localize again; 0 keeps none."""
    keep_activation_s: float = setting(24 * 3600.0, "Page", gt=0, rare=True)
    """Time after its last use for which a class activation sequence is kept, in seconds."""
    page: bool = setting(True, "Page", rare=True)
    """Serve the web page at /."""
    corrections: Path | None = setting(None, "Page", rare=True)
    """Folder for what people correct on the page; its annotations.json is for `ecm fit`."""
    api_keys_file: Path | None = setting(None, "Access")
    """File with API keys; a line is NAME SCOPES SHA256HEX. Without keys, access is open."""
    api_keys: tuple[str, ...] = setting((), "Access", rare=True)
    """API keys in the form of api_keys_file."""
    cors_origins: tuple[str, ...] = setting((), "Access", rare=True)
    """Origins whose web pages may call the service."""
    log_format: Literal["text", "json"] = setting("text", "General")
    """Format of the log; json is one JSON object per line."""
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "General")
    """Lowest level that is logged."""
    metrics_port: int | None = setting(None, "General", ge=0, le=65535, rare=True)
    """Port for the metrics of `ecm work`; several `processes` use this port and the next ones."""
    config: Path | None = setting(None, "General")
    """TOML file with settings; environment variables and flags override it."""

    @field_validator(
        "warm_snippets", "video_roots", "video_hosts", "video_buckets", "api_keys", "cors_origins",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _split(cls, value: object) -> object:
        """Returns the list that a text, or the only flag, spells as JSON or with commas."""
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        if not isinstance(value, str):
            return value if isinstance(value, list | tuple) else (value,)
        if value.lstrip().startswith("["):
            return _parsed(value)
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("root_path")
    @classmethod
    def _slashes(cls, value: str) -> str:
        """Returns the path with a slash at its start and none at its end."""
        parts = value.strip("/")
        if parts and not _PATH.fullmatch(parts):
            raise ValueError("expected a path such as /ecm, of letters, digits, '.', '_', '-', '/'")
        return f"/{parts}" if parts else ""

    @field_validator("versions", mode="before")
    @classmethod
    def _join(cls, value: object) -> object:
        """Returns the table that texts spell as JSON, or as one NAME=VALUE each."""
        texts = _pairs(value) if isinstance(value, str) else value
        if not isinstance(texts, tuple):
            return value
        table: dict[str, object] = {}
        for text in texts:
            name, equals, policy = text.partition("=")
            if text.lstrip().startswith("{"):
                table |= _parsed(text)
            elif equals:
                table[name.strip()] = _parsed(policy) if policy.startswith("[") else policy.strip()
            else:
                raise ValueError('expected NAME=VALUE, or JSON as {"a": "b"}')
        return table


def _pairs(text: str) -> tuple[str, ...]:
    """Returns the parts of `a=newest,b=[1, 3]`; commas within brackets separate no parts."""
    if text.lstrip().startswith("{"):
        return (text,)
    return tuple(re.split(r",(?![^\[]*\])", text))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f'expected JSON, as ["a", "b"] or {{"a": "b"}}: {error}') from None
