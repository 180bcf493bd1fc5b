#!/bin/sh
# Get Fashion-MNIST, then open JupyterLab on nbs/. ARGS, split at blanks, is handed on to JupyterLab.
set -euf
echo "== Fashion-MNIST: looking for it, else downloading 30 MB"
if said=$(MINIAI_TIER=quick "$PY" -c "from miniai.data import fashion_mnist; fashion_mnist()" 2>&1); then
    echo "   there"
else
    echo "   not to be had, so MINIAI_TIER=smoke and its sample must do: $(echo "$said" | tail -n 1)"
fi
echo "== JupyterLab on nbs/ (stop it with Ctrl-C)"
set -- --notebook-dir nbs
if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then set -- "$@" --no-browser; fi
if [ "$(id -u)" -eq 0 ]; then set -- "$@" --allow-root; fi
exec jupyter lab "$@" ${ARGS:-}
