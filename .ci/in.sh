#!/bin/sh
# Run a command from the environment, made first if need be: VENV=folder PYTHON=python3 in.sh COMMAND [ARGUMENT …]
set -eu
sh .ci/setup.sh "$VENV" "$PYTHON"
python=$PYTHON
[ -z "$VENV" ] || python=$VENV/bin/python
case "$python" in /*) ;; */*) python=$PWD/$python ;; esac
PATH="$("$python" -c "import sysconfig; print(sysconfig.get_path('scripts'))"):$PATH"
export PATH
exec "$@"
