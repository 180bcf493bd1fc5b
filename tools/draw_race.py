"Draws the README's picture, optimizers racing on a surface: python tools/draw_race.py results/readme.png"
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib.patheffects as effects
from matplotlib.figure import Figure
import torch

from miniai.lab.surface import STYLES, descend, beale
from miniai.optim import SGD, Adam, RMSprop

STEPS, START = 120, (-.6, -1.)
RATES = [.001, .002, .005, .01, .02, .05, .1, .2, .5]
RACERS = {"SGD": SGD, "momentum": partial(SGD, momentum=.9), "RMSprop": partial(RMSprop, alpha=.9), "Adam": Adam}
INK, PAPER = "#1b2a41", "#ffffff"


def best_track(surface, optimizer):
    "The path at the rate of RATES that ends lowest, and that rate."
    tracks = {rate: descend(surface, partial(optimizer, lr=rate), STEPS) for rate in RATES}
    tracks = {rate: track for rate, track in tracks.items() if len(track) == STEPS + 1}   # the others left the numbers
    rate = min(tracks, key=lambda rate: surface(tracks[rate][-1]))
    return tracks[rate], rate


def hills(ax, surface):
    "The surface in bands, each a constant factor above the one below it."
    x, y = (torch.linspace(*limits, n, dtype=torch.float64) for limits, n in ((surface.xlim, 700), (surface.ylim, 400)))
    z = torch.log10(surface(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)) + .02)
    levels = torch.linspace(-1.6, z.max(), 17)
    ax.contourf(x, y, z, levels, cmap="YlGnBu_r", extend="min", alpha=.6)
    ax.contour(x, y, z, levels, colors="white", linewidths=.6, linestyles="solid")
    ax.set(xlim=surface.xlim, ylim=surface.ylim, xticks=[], yticks=[])


def draw(path):
    "Write the picture, 1200 × 560 pixels, to `path`."
    surface = replace(beale(), start=START, xlim=(-1.1, 4.3), ylim=(-1.6, 1.75))
    fig = Figure(figsize=(12, 5.6), dpi=100, facecolor=PAPER)
    ax, heights = fig.subplots(1, 2, width_ratios=[2.1, 1])
    hills(ax, surface)
    halo = [effects.Stroke(linewidth=4.5, foreground="white"), effects.Normal()]
    for name, optimizer in RACERS.items():
        (track, rate), style = best_track(surface, optimizer), STYLES[name] | dict(linestyle="-")
        ax.plot(*track.T, lw=2.4, path_effects=halo, solid_joinstyle="round", **style)
        ax.plot(*track[-1], "o", ms=11, mfc=style["color"], mec="white", mew=2, zorder=5)
        heights.semilogy(surface(track), lw=2.2, label=f"{name}, rate {rate:g}", **style)
    ax.plot(*START, "o", ms=11, mfc="white", mec=INK, mew=2, zorder=6)
    ax.plot(*surface.minimum, "*", ms=20, mfc="#ffd23f", mec=INK, mew=1.2, zorder=6)
    for text, place, shift in (("start", START, (0, -24)), ("minimum", surface.minimum, (6, -30))):
        ax.annotate(text, place, shift, textcoords="offset points", color=INK, fontsize=13, ha="center",
                    path_effects=[effects.withStroke(linewidth=3, foreground="white")], zorder=7)
    heights.set(xlim=(0, STEPS), ylim=(2e-5, 60))
    heights.set_xlabel("step", fontsize=13, color=INK)
    heights.set_title("height above the minimum", fontsize=13, color=INK, loc="left")
    heights.legend(frameon=False, fontsize=13, loc="lower left", labelcolor=INK)
    heights.tick_params(labelsize=11, colors=INK)
    heights.grid(alpha=.25)
    for side in ("top", "right"): heights.spines[side].set_visible(False)
    ax.set_title(f"{STEPS} steps down Beale's function, each at the best of {len(RATES)} rates", fontsize=15, color=INK, loc="left")
    fig.subplots_adjust(left=.015, right=.985, top=.92, bottom=.1, wspace=.13)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    if len(sys.argv) != 2: sys.exit("say where the picture goes: python tools/draw_race.py results/readme.png")
    draw(sys.argv[1])
