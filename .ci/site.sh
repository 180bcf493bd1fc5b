#!/bin/sh
# Build the pages into _site/, after installing what they are built with if it is missing. With the argument `pdf`
# print them too; with `links` ask every address outside whether it still answers.
set -eu
if ! "$PY" -c 'import sphinx, myst_nb, sphinx_book_theme, sphinx_design, sphinxcontrib.bibtex, pypdf' 2>/dev/null; then
    echo "== what the site is built with"
    "$PY" -m pip install -q -c requirements.lock -e '.[site]'
fi
case "${1:-}" in
links) exec "$PY" site/build.py --links ;;
pdf) "$PY" site/build.py && exec "$PY" site/pdf.py ;;
*) exec "$PY" site/build.py ;;
esac
