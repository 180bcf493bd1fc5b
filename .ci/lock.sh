#!/bin/sh
# Write requirements.lock anew, from settings.ini.
set -eu
echo "== requirements.lock from settings.ini"
"$PY" -m pip install -q uv
exec uv pip compile -q --universal --python-version "$(sed -n 's/^min_python *= *//p' settings.ini)" --upgrade \
    --extra dev --extra bench --extra site --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml \
    -o requirements.lock
