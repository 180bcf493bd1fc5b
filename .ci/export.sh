#!/bin/sh
# Write miniai/ from the notebooks, and clean them.
set -eu
nbdev-export
exec "$PY" tools/clean.py
