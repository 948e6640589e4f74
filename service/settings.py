"""Settings of the service; configuration.py says where their values come from."""

import json
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.version_policy import VersionPolicy


class Settings(BaseSettings):
    """What an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="ECM_", use_attribute_docstrings=True, cli_kebab_case=True, extra="ignore"
    )

    secrets: ClassVar[frozenset[str]] = frozenset({"database_url", "api_keys"})
    """Settings whose values are not shown."""

    config: Path | None = None
    """TOML file with settings, by their names; flags and the environment go before it."""
    repository: Path = Path("models")
    """Folder with NAME/VERSION/model.onnx."""
    reload_s: float = Field(5.0, ge=0)
    """How often the repository is looked at for new models; 0 for never."""
    versions: dict[str, VersionPolicy] = {}
    """Versions served, by model, * for the others: all, newest, newest:2, or a list as [1, 3]."""
    warm_snippets: tuple[PositiveInt, ...] = ()
    """Lengths that a network is run on before it is served; each model's own if none are given."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    processes: int = Field(1, ge=1)
    """Processes of `service serve` that share the port; each has its own models and jobs."""
    drain_s: float = Field(0.0, ge=0)
    """How long requests are still taken after SIGTERM, while /health/ready says 503 already."""
    shutdown_s: float = Field(20.0, gt=0)
    """How long requests that are under way may take after that."""
    default_model: str | None = None
    """Model of requests that name none; not needed where only one is served."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run: cuda, cpu, or auto (CUDA when present)."""
    require_cuda: bool = False
    """Fail at start instead of falling back to the CPU."""
    threads: int = Field(0, ge=0)
    """CPU threads of one inference; 0 gives all cores to one that is alone, one each to several."""
    concurrency: int = Field(0, ge=0)
    """Requests computed at the same time; 0 for as many as the cores have threads for."""
    instances: int = Field(1, ge=1)
    """Runs of one network at the same time, each with threads of its own, or on a GPU."""
    max_batch: int = Field(0, ge=0)
    """Most videos that are run together; 0 for 16 on a GPU and one by one on a CPU."""
    batch_delay_ms: float = Field(2.0, ge=0)
    """How long the first of them waits for others."""
    batch_bucket_snippets: int = Field(64, ge=1)
    """Videos are padded to multiples of this length, and run together where they have the same."""
    max_waiting: int = Field(256, ge=0)
    """Requests that may wait for that; more are refused before their bodies are read."""
    max_wait_s: float = Field(10.0, gt=0)
    """Longest that a request may have to wait, as far as can be foreseen; else it is refused."""
    max_request_s: float = Field(60.0, gt=0)
    """Longest time from a request's last byte to its result; then it is given up."""
    max_memory_bytes: int = Field(2 * 1024**3, ge=1)
    """Memory that the bodies of requests under way may take; more are refused."""
    max_body_s: float = Field(60.0, gt=0)
    """Longest time in which a body of features may arrive."""
    body_stall_s: float = Field(20.0, gt=0)
    """Longest wait for the next bytes of any body."""
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1)
    """Longest request body; a longer one is refused before it is read."""
    max_snippets: int = Field(20_000, ge=1)
    """Longest video, in snippets."""
    data: Path = Path("data")
    """Folder for jobs, uploads and features; shared by all processes that serve the same jobs."""
    database_url: str | None = None
    """Database of the jobs, postgresql://...; a SQLite file in `data` if not given."""
    jobs: int = Field(1, ge=0)
    """Videos that this process works on at the same time; 0 leaves them to `service work`."""
    max_queued_jobs: int = Field(1000, ge=1)
    """Jobs that may wait; more are refused."""
    keep_jobs_s: float = Field(7 * 24 * 3600.0, gt=0)
    """How long finished jobs can be asked for."""
    wait_s: float = Field(10.0, ge=0)
    """How long POST /localize waits for a video before it answers with a job."""
    extractors: Path = Path("extractors")
    """Folder with the ONNX files of the extractors that models were trained with."""
    extraction_threads: int = Field(0, ge=0)
    """CPU threads that work on one video; 0 divides the cores among `jobs`."""
    chunk_snippets: int = Field(32, ge=1)
    """Snippets whose features are stored at a time; a killed job loses no more."""
    chunk_timeout_s: float = Field(600.0, gt=0)
    """Longest work on one of them, until the video is given up."""
    feature_cache_bytes: int = Field(10 * 1024**3, ge=0)
    """Disk for the features of videos that were done; the least used go first."""
    max_video_bytes: int = Field(4 * 1024**3, ge=1)
    """Longest video file, in bytes."""
    max_video_s: float = Field(12 * 3600.0, gt=0)
    """Longest video, in seconds."""
    max_frame_pixels: int = Field(4096 * 4096, ge=1)
    """Largest frame of a video."""
    video_roots: tuple[Path, ...] = ()
    """Folders below which `file:` references may lie."""
    video_hosts: tuple[str, ...] = ()
    """Hosts from which `https:` references are fetched; *.example.org takes its subdomains."""
    video_buckets: tuple[str, ...] = ()
    """Beginnings of `s3:`, `gs:` and `az:` references that are fetched, as s3://bucket/videos/."""
    max_download_s: float = Field(600.0, gt=0)
    """Longest download of a video."""
    download_stall_s: float = Field(20.0, gt=0)
    """Longest wait for a download's next bytes."""
    api_keys_file: Path | None = None
    """File with API keys, a line each: NAME SCOPES SHA256HEX; without keys all may ask."""
    api_keys: Annotated[tuple[str, ...], NoDecode] = ()
    """The same lines, separated by commas or as JSON."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the service from a browser, as https://app.example.org."""
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """Port of `service work` for its metrics; several `processes` take it and the next ones."""
    log_format: Literal["text", "json"] = "text"
    """Form of the log: text for people, or a JSON object a line."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe messages that are logged."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        *read: PydanticBaseSettingsSource,  # noqa: ARG003
        **also_read: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Reads nothing: configuration.py does, and keeps a table of one source from another's."""
        return (init_settings,)

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        if given.lstrip().startswith("["):
            return json.loads(given)
        return tuple(line for line in given.split(",") if line.strip())

    @field_validator("versions", mode="before")
    @classmethod
    def _join(cls, given: object) -> object:
        """Returns the table that flags give as JSON, or as one NAME=VALUE at a time."""
        if not isinstance(given, tuple):
            return given
        table: dict[str, object] = {}
        for text in given:
            name, equals, value = text.partition("=")
            if text.lstrip().startswith("{"):
                table |= json.loads(text)
            elif equals:
                table[name] = json.loads(value) if value.startswith("[") else value
            else:
                raise ValueError('expected NAME=VALUE, or JSON as {"a": "b"}')
        return table
