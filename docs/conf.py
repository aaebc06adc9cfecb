"""Owns how the documents become a site: sphinx-build -W -c docs . target/site. Broken links and anchors are errors."""

project = "Session casting"
copyright = "the authors, Apache-2.0"  # noqa: A001 (Sphinx names it so)
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "tests/features.md"]
html_theme = "furo"
html_title = "Session casting"
html_show_sphinx = False
# Headings get the anchors that they have on code hosts.
myst_heading_anchors = 4
# Diagrams are shown as their text; there is no lexer for them.
suppress_warnings = ["misc.highlighting_failure"]
