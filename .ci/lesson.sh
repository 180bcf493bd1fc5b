#!/bin/sh
# One lesson: lesson.sh check|notebook|experiments, with NB, SEED and SEEDS from the environment, looked at first.
set -eu
fail() { echo "miniai: $1" >&2; exit 1; }
digits() { case "$2" in ''|*[!0-9]*) fail "$1 is '$2': give a whole number" ;; esac; }

case "${NB:-}" in [0-9][0-9]) ;; *) fail "no notebook NB='${NB:-}': give the two digits that one in nbs/ begins with" ;; esac
set -- "$1" nbs/"$NB"_*.ipynb
[ -e "$2" ] || fail "no notebook NB='$NB': give the two digits that one in nbs/ begins with"
digits SEED "$SEED"
[ -z "${SEEDS:-}" ] || digits SEEDS "$SEEDS"
MINIAI_SEED=$SEED MINIAI_LESSON=$(basename "$2" .ipynb)
export MINIAI_SEED MINIAI_LESSON
[ -z "${SEEDS:-}" ] || export MINIAI_SEEDS="$SEEDS"

case "$1" in
check)
    export MINIAI_TIER=smoke OMP_NUM_THREADS=1
    exec sh .ci/in.sh python tools/check.py "$2" ;;
notebook)
    echo "== $2, seed $SEED, tier ${MINIAI_TIER:=quick}"
    export MINIAI_TIER
    exec sh .ci/in.sh python tools/notebook.py "$2" --save ;;
experiments)
    echo "== the experiments of $2, what is missing, from seed $SEED on"
    MINIAI_TIER=full exec sh .ci/in.sh python tools/notebook.py "$2" ;;
esac
