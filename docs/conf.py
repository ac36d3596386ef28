# SPDX-License-Identifier: BSD-2-Clause
"""Configuration of the site; docs/build.sh puts the pages together and calls Sphinx."""
import os
import pathlib

project = "FARE"
author = "the FARE developers"
copyright = "the FARE developers. BSD-2-Clause"  # the name that Sphinx asks for
version = release = os.environ.get("FARE_VERSION", "")

extensions = ["myst_parser", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
root_doc = "index"
exclude_patterns = ["input/**"]
nitpicky = True

html_theme = "furo"
html_title = f"FARE {release}"
html_static_path = []
html_extra_path = ["api"] if pathlib.Path("api").is_dir() else []
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

# The pages load MathJax from the web, unless the site is to be read offline.
mathjax = pathlib.Path("/usr/share/javascript/mathjax")
if os.environ.get("FARE_DOCS_OFFLINE") and mathjax.is_dir():
    html_static_path.append(str(mathjax.parent / "mathjax"))
    mathjax_path = "MathJax.js?config=TeX-AMS_HTML"
