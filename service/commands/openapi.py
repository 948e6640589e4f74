"""`ecm openapi`."""

import json

from service.app import create_app
from service.models.catalog import Catalog
from service.settings import Settings


def openapi() -> None:
    """Prints the OpenAPI description of the service as JSON."""
    print(json.dumps(create_app(Settings(), Catalog()).openapi(), indent=2))
