#!/bin/sh
# Get Fashion-MNIST, then open JupyterLab at the table of lessons. ARGS, split at blanks, is handed on to JupyterLab.
set -euf
echo "== Fashion-MNIST: looking for it, else downloading 30 MB"
if said=$(MINIAI_TIER=quick "$PY" -c "from miniai.data import fashion_mnist; fashion_mnist()" 2>&1); then
    echo "   there"
else
    echo "   not to be had, so MINIAI_TIER=smoke and its sample must do: $(echo "$said" | tail -n 1)"
fi
echo "== JupyterLab opens nbs/index.ipynb, the table of lessons (stop it with Ctrl-C)"
echo "   if no browser opens, use the address below"
set -- --notebook-dir nbs --LabApp.default_url=/lab/tree/index.ipynb
if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then set -- "$@" --no-browser; fi
if [ "$(id -u)" -eq 0 ]; then set -- "$@" --allow-root; fi
exec jupyter lab "$@" ${ARGS:-}
