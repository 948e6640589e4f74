"""Settings of the documentation site; `make docs` builds it.

The pages are plain Markdown, readable without the site. A page `index.md` links to the pages of its
folder, and these links are the navigation: a hidden table of contents is made from them here.
"""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from generated_pages import write_all  # noqa: E402

project = "ECM Localizer"
html_title = "ECM Localizer"
html_theme = "furo"
html_show_copyright = False
html_show_sourcelink = False
extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["_site"]
nitpicky = True
linkcheck_anchors = False


GENERATED = {
    "reference/index": {
        "Calls over HTTP": "generated/http",
        "Python": "generated/python",
        "Command line": "generated/commands",
        "The ONNX file": "generated/model-file",
    },
}
"""Pages that only the site has, by the index that lists them."""


def complete(_: Sphinx, name: str, source: list[str]) -> None:
    """Gives index pages their navigation, and documents outside the site a name but no link."""
    outside = r"\[([^]]+)\]\((?:\.\./)+((?:model/)?(?:README|SECURITY)\.md)[^)]*\)"
    source[0] = re.sub(outside, r"\1 (`\2`)", source[0])
    source[0] = source[0].replace("(tour.ipynb)", "(generated/tour.md)")
    if Path(name).name == "index":
        own = dict.fromkeys(re.findall(r"\]\((?!\.\.)([^)#:]+)\.md\)", source[0]))
        generated = GENERATED.get(name, {})
        lines = [f"- [{title}]({page}.md)" for title, page in generated.items()]
        lines += ["", "```{toctree}", ":hidden:", *own, *generated.values(), "```", ""]
        source[0] += "\n".join(["", *lines])


def setup(app: Sphinx) -> None:
    write_all(DOCS)
    app.connect("source-read", complete)
