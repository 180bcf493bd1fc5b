#!/bin/sh
# Run a command from the environment, made first if need be; `python` is its python, for scripts $PY: VENV=folder PYTHON=python3 in.sh COMMAND [ARGUMENT …]
set -eu
sh .ci/setup.sh "$VENV" "$PYTHON"
PY=$PYTHON
[ -z "$VENV" ] || PY=$VENV/bin/python
case "$PY" in /*) ;; */*) PY=$PWD/$PY ;; esac
PATH="$("$PY" -c "import sysconfig; print(sysconfig.get_path('scripts'))"):$PATH"
export PATH PY
if [ "$1" = python ]; then shift; exec "$PY" "$@"; fi
exec "$@"
