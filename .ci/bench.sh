#!/bin/sh
# Install what benchmarks/ compares with, then time everything.
set -eu
echo "== what benchmarks/ compares with"
"$PY" -m pip install -q -c requirements.lock -e '.[bench]'
if [ -n "${QUICK:-}" ]; then set -- --quick; fi
exec "$PY" benchmarks/run.py "$@"
