#!/bin/sh
# Make the environment that the Makefile works in: setup.sh FOLDER PYTHON
# An empty FOLDER means the python that is active: it is only looked at. What is missing is said in one line.
# A folder is ready once its file .ready holds the checksum of what says what belongs into it.
set -eu
venv=$1 python=$2
fail() { echo "miniai: $1" >&2; exit 1; }

asked=$(cat requirements.lock settings.ini setup.py pyproject.toml | cksum)
if [ -n "$venv" ] && [ "$(cat "$venv/.ready" 2>/dev/null)" = "$asked" ]; then exit; fi

min=$(sed -n 's/^min_python *= *//p' settings.ini)
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    fail "$python does not run: install Python $min or newer, or name one with PYTHON="
[ "${version%%.*}" -eq 3 ] && [ "${version#*.}" -ge "${min#*.}" ] ||
    fail "$python is Python $version, and $min or newer is needed: name one with PYTHON="

if [ -z "$venv" ]; then
    said=$("$python" -c 'import torch, torchvision, nbdev, pytest, xdist, miniai.core' 2>&1) ||
        fail "$python lacks something ($(echo "$said" | tail -n 1)): $python -m pip install -e '.[dev]'"
    exit
fi

"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make environments: apt-get install python$version-venv (on Debian and Ubuntu)"
mkdir -p "$venv" 2>/dev/null || fail "$venv cannot be made: name another folder with VENV="
free=$(df -Pk "$venv" | awk 'NR == 2 { print int($4 / 1048576) }')
ls "$venv"/lib/python3*/site-packages/torch/__init__.py >/dev/null 2>&1 || [ "$free" -ge 9 ] ||
    fail "$free GB free at $venv, and torch needs 9: make room, or name a folder on another disk with VENV="

echo "== $venv: a Python $version environment"
said=$("$python" -m venv "$venv" 2>&1) || fail "$venv cannot be made: $(echo "$said" | tail -n 1)"
echo "== $venv: installing what requirements.lock lists (the first time about 3 GB to download, some minutes)"
log=$venv/pip-errors.log failed=$venv/pip-failed
rm -f "$failed"
{ "$venv/bin/python" -m pip install -c requirements.lock -e '.[dev]' 2>"$log" || touch "$failed"; } |
    sed -n -e 's/^ *\([DU].* [MG]B)\)$/   \1/p' -e 's/^Installing collected.*/   unpacking/p'
if [ -e "$failed" ]; then
    ! grep -q 'No space left' "$log" || fail "the disk filled up while installing: make room and run this again"
    ! grep -q 'Retry(total=0' "$log" || fail "no network: pip cannot reach its package index (all that it said: $log)"
    fail "pip failed: $(grep 'ERROR:' "$log" | tail -n 1) (all that it said: $log)"
fi
said=$("$venv/bin/python" -c 'import torch, torchvision, miniai.core' 2>&1) ||
    fail "installed, but not importable: $(echo "$said" | tail -n 1)"
rm -f "$log"
# nbdev's hooks keep execution counts out of saved notebooks and merge conflicts out of their JSON.
if [ -d .git ]; then
    bin=$(cd "$venv/bin" && pwd)
    "$bin/nbdev-install-hooks" >/dev/null || echo "   nbdev's git hooks could not be installed"
    # By their full names, so that git finds them where the environment is not active, too.
    git config diff.jupyternotebook.command "'$bin/nbdev-diff-driver'"
    git config merge.jupyternotebook.driver "'$bin/nbdev-merge' %O %A %B %P"
    printf '#!/bin/sh\nexec "%s"\n' "$bin/nbdev-trust" >.git/hooks/post-merge
fi
echo "$asked" >"$venv/.ready"
