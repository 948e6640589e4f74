"""The options of `ecm localize` that name a model, in this process or of a service."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from ecm_client.clients import DEFAULT_URL, Client
from ecm_localizer.installation import needed
from model.errors import OptionError

if TYPE_CHECKING:
    from ecm_localizer.localizer import Localizer

MODEL = Group.create_ordered("Model")
RARE_MODEL = Group.create_ordered("Model, rare")
_Rare = Parameter(group=RARE_MODEL)


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options that name the model and configure it."""

    model: str | None = None
    """Model in this process: models/NAME, an .onnx file or the folder of a run. With --url, the
    name of a model of the service."""
    url: str | None = None
    """Address of a service. Without --model and --url, it is http://127.0.0.1:8000."""
    version: Annotated[int | None, _Rare] = None
    """Version of the model; the newest if not given."""
    api_key: Annotated[str | None, _Rare] = None
    """API key of the service. ECM_API_KEY in the environment is safer, because other users cannot
    see it."""
    device: Annotated[Literal["auto", "cpu", "cuda"], _Rare] = "auto"
    """Device that runs a model in this process; auto is a GPU if there is one."""
    threads: Annotated[int, _Rare] = 0
    """CPU threads of a model in this process; 0 for all cores."""
    extractors: Annotated[Path, _Rare] = Path("extractors")
    """Folder with the ONNX files of extractors, for a model in this process."""
    concurrency: Annotated[int | None, _Rare] = None
    """Inputs at the same time; by default 4 with a service and 1 in this process."""

    @property
    def is_local(self) -> bool:
        """Whether the model runs in this process."""
        return self.model is not None and self.url is None

    @contextmanager
    def open(self, changes: Mapping[str, Any]) -> "Iterator[Localizer | Client]":
        """Opens the model, or a client of the service.

        Args:
            changes: settings of localization that only a model in this process takes, and
                `sampling`.

        Raises:
            OptionError: a service cannot change these settings.
            LocalizerError: the model cannot be loaded.
        """
        if self.is_local:
            yield self._localizer(changes)
            return
        if changes:
            raise OptionError(
                f"a service cannot change {', '.join(changes)}; give --model PATH without --url"
            )
        key = self.api_key or os.environ.get("ECM_API_KEY")
        with Client(self.url or DEFAULT_URL, api_key=key) as client:
            yield client

    def _localizer(self, changes: Mapping[str, Any]) -> "Localizer":
        with needed("ecm localize --model", extra="service", packages=("features", "model")):
            from ecm_localizer.localizer import Localizer
            from ecm_localizer.opening import open_model
        model = open_model(
            Path(self.model or ""), version=self.version, device=self.device, threads=self.threads
        )
        changes = dict(changes)
        sampling = changes.pop("sampling", model.spec.sampling)
        localization = replace(model.spec.localization, **changes)
        spec = replace(model.spec, localization=localization, sampling=sampling)
        model = replace(model, spec=spec)
        return Localizer(model, threads=self.threads, extractors=self.extractors)
