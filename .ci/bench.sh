#!/bin/sh
# Install what benchmarks/ compares with, then time everything.
set -eu
echo "== what benchmarks/ compares with"
python -m pip install -q -c requirements.lock -e '.[bench]'
if [ -n "${QUICK:-}" ]; then set -- --quick; fi
exec python benchmarks/run.py "$@"
