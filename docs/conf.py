"""How the documentation is built: Sphinx, furo, MyST, and a reference written from the code."""

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "qmon"
author = "the qmon authors"
project_copyright = "the qmon authors, Apache-2.0"
try:
    release = metadata.version("qmon")
except metadata.PackageNotFoundError:
    release = "from the working tree"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "written_from_code",
]
exclude_patterns = ["benchmarks.results.md", "_build", "reference/generated"]
html_theme = "furo"
html_title = "qmon"
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

nitpicky = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
