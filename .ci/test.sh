#!/bin/sh
# Every notebook in the smoke tier and the fast tests; with the argument `slow`, tests/slow instead.
set -eu
case "$WORKERS" in ''|*[!0-9]*) echo "miniai: WORKERS is '$WORKERS': give a number" >&2; exit 1 ;; esac
export MINIAI_TIER=smoke OMP_NUM_THREADS=1
TESTS="-q -n $WORKERS --hypothesis-profile=ci"   # the same examples every time; pytest by hand draws new ones
if [ "${1:-}" = slow ]; then
    echo "== tests/slow"
    exec "$PY" -m pytest $TESTS tests/slow
fi
echo "== notebooks, smoke tier, $WORKERS at a time"
nbdev-test --n-workers "$WORKERS" --do-print || { echo "FAILED: a notebook (its error is above)"; exit 1; }
echo "== tests/"
exec "$PY" -m pytest $TESTS --ignore tests/slow tests
