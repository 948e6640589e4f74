"""Names of videos: the one rule by which ids of annotations and names of files are matched.

An id and a name are the same video if they are equal, or, where nothing is equal, if their plain
forms are: without the ending of a file, `v_` in front, and `_rgb` or `_flow` behind.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from features.extraction import SUFFIXES
from model.errors import DataError

_ENDINGS = (*SUFFIXES, ".npy", ".npz")
_STREAMS = ("_rgb", "_flow")
_PREFIX = "v_"


def without_ending(name: str) -> str:
    """Returns a name without the ending of a file of video or features; other endings stay."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in _ENDINGS else name


def plain_id(name: str) -> str:
    """Returns the form of a name that all spellings of the same video share.

    Example: `v_abc.mp4`, `abc_rgb.npy` and `abc` all give `abc`; `part/v_abc` gives `part/abc`.
    """
    folder, slash, last = without_ending(name).rpartition("/")
    last = last.removeprefix(_PREFIX) or last
    stream = next((end for end in _STREAMS if last.endswith(end)), "")
    return folder + slash + (last.removesuffix(stream) or last)


def match_ids(ids: Iterable[str], names: Iterable[str]) -> Mapping[str, str]:
    """Returns the name of the file of each id that has one, by id.

    Args:
        ids: Ids of annotations.
        names: Names of files below their folder, with or without their endings.

    Raises:
        DataError: Several names are spellings of one id, and none is equal to the id.
    """
    exact = set(names)
    spellings: dict[str, list[str]] = {}
    for name in sorted(exact):
        spellings.setdefault(plain_id(name), []).append(name)
    wanted = list(ids)
    taken = exact.intersection(wanted)
    matched = {}
    for id_ in wanted:
        free = [name for name in spellings.get(plain_id(id_), ()) if name not in taken]
        if id_ in exact:
            matched[id_] = id_
        elif len(free) > 1:
            raise DataError(
                f"video {id_!r}: expected one file, got {', '.join(free[:4])}; "
                f"name the file of this video {id_!r}"
            )
        elif free:
            matched[id_] = free[0]
    return matched
