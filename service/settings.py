"""Settings of the service: flag > environment variable `ECM_NAME` > default."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="ECM_", use_attribute_docstrings=True, cli_kebab_case=True, extra="ignore"
    )

    repository: Path = Path("models")
    """Folder with NAME/VERSION/model.onnx."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    default_model: str | None = None
    """Model of requests that name none; not needed where only one is served."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run: cuda, cpu, or auto (CUDA when present)."""
    require_cuda: bool = False
    """Fail at start instead of falling back to the CPU."""
    threads: int = Field(0, ge=0)
    """CPU threads of one inference; 0 takes one for each core."""
    concurrency: int = Field(2, ge=1)
    """Requests computed at the same time; the others wait."""
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1)
    """Longest request body; a longer one is refused before it is read."""
    max_snippets: int = Field(20_000, ge=1)
    """Longest video, in snippets."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe messages that are logged."""
