"Sphinx's settings. `python site/build.py` calls Sphinx with them on a folder of sources that it makes first."
import os

from course import SETTINGS

project, author, version = "miniai", SETTINGS["author"], SETTINGS["version"]
project_copyright = f"{author}, {SETTINGS['license']} License"
release, language = version, "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_design", "sphinxcontrib.bibtex"]

nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_number_source_lines = False
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
bibtex_bibfiles = [os.path.join(os.environ["MINIAI_SITE_SRC"], "src/references.bib")]
bibtex_cite_id = "cite-{key}"
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_title = "miniai"
html_static_path = ["_static", os.path.join(os.environ["MINIAI_SITE_SRC"], "mathjax")]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_extra_path = [os.path.join(os.environ["MINIAI_SITE_SRC"], "extra")]
html_copy_source = html_show_sourcelink = html_use_index = False
html_show_sphinx = False
html_context = dict(default_mode="auto")
html_permalinks_icon = "#"
html_theme_options = dict(
    show_toc_level=2, use_download_button=False, use_fullscreen_button=False, use_issues_button=False,
    use_repository_button=False, home_page_in_toc=True, navigation_with_keys=False, show_navbar_depth=1,
    pygments_light_style="a11y-high-contrast-light", pygments_dark_style="a11y-high-contrast-dark",
    navbar_persistent=[], back_to_top_button=False)
toc_object_entries_show_parents = "hide"
# One file without fonts beside it: it works from a folder, where browsers refuse to load more.
mathjax_path = "tex-svg-full.js"
mathjax3_config = dict(options=dict(processHtmlClass="math", ignoreHtmlClass="tex2jax_ignore|document",
                                    enableMenu=False),
                       svg=dict(fontCache="local"))
myst_update_mathjax = False
# Publishers that answer no program, and the account that stands for one still to be named.
linkcheck_ignore = [r"https://github\.com/YOUR_ACCOUNT/",
                    r"https://(doi\.org|www\.jstor\.org|dl\.acm\.org|openreview\.net)/"]
linkcheck_workers, linkcheck_timeout, linkcheck_retries = 4, 20, 2
