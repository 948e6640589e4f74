"""Finds the extractor that a model was trained with; a model needs the features of that one."""

from pathlib import Path

from features.model_extractor import find_extractor
from model.errors import ModelNotFoundError
from model.spec import ModelSpec
from service.errors import ExtractorUnavailableError


def extractor_of(spec: ModelSpec, folder: Path) -> str:
    """Returns the name or file of a model's extractor, for `open_model_extractor`.

    Args:
        spec: the model's spec.
        folder: folder with the ONNX files of extractors.

    Raises:
        InputError: the model was trained on ready-made features, or has no snippet duration.
        ExtractorUnavailableError: the extractor is missing, or present in another version only.
    """
    try:
        return find_extractor(spec, folder)
    except ModelNotFoundError as error:
        raise ExtractorUnavailableError(str(error)) from None
