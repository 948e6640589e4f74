"""`ecm new-key`."""

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from service.http.api_keys import new_key as make_key


def new_key(
    name: str,
    /,
    *,
    scopes: Annotated[
        tuple[Literal["infer", "admin"], ...],
        Parameter(consume_multiple=True, negative="", show_default=" ".join),
    ] = ("infer",),
) -> None:
    """Prints a new API key and the line that makes the service accept it.

    Args:
        name: Name of the key's holder.
        scopes: Operations that the key allows; admin loads and unloads models.
    """
    key, record = make_key(name, frozenset(scopes))
    print("the key, which is shown only now:", file=sys.stderr)
    print(key)
    print("its line for api_keys_file or ECM_API_KEYS:", file=sys.stderr)
    print(record.line())
