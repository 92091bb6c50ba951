"""Settings of Sphinx, the program that builds the documentation site."""

from importlib.metadata import version as version_of

project = "Foveate"
author = "Foveate's developers"
copyright = "Foveate's developers, Apache-2.0"
version = release = version_of("foveate")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4  # links such as data.md#layouts, as on GitHub
myst_enable_extensions = ["colon_fence"]
nitpicky = False  # signatures name classes of other libraries, whose pages are elsewhere

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_mock_imports: list[str] = []
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Source", "notes_style")]
add_module_names = False

html_theme = "furo"
html_title = "Foveate"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
html_static_path = ["_static"]
html_css_files = ["foveate.css"]
pygments_style, pygments_dark_style = "friendly", "monokai"
highlight_language = "console"  # blocks without a language are mostly commands
suppress_warnings = ["misc.highlighting_failure"]  # output beside commands
