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


def add_table_of_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """Appends the pages to which an index page links, in their order."""
    if Path(name).name == "index":
        pages = dict.fromkeys(re.findall(r"\]\(([^)#:]+)\.md\)", source[0]))
        own = [page for page in pages if not page.startswith("..")]
        source[0] += "\n".join(["", "```{toctree}", ":hidden:", *own, "```", ""])


def setup(app: Sphinx) -> None:
    write_all(DOCS)
    app.connect("source-read", add_table_of_contents)
