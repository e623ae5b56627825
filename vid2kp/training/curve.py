"""The loss curve of a run as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def plot_losses(curve: Path, out: Path, *, window: int = 50) -> None:
    """Draw ``loss.jsonl`` as an SVG: every step, and the mean of the steps around it.

    Args:
        curve: lines with ``step`` and ``loss``, as `vid2kp.training.train.train` writes them.
        out: the SVG to write.
        window: steps of the running mean.
    """
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in curve.read_text(encoding="utf-8").splitlines()]
    steps = np.array([row["step"] for row in rows])
    losses = np.array([row["loss"] for row in rows])
    width = max(1, min(window, len(losses)))
    smooth = np.convolve(losses, np.full(width, 1 / width), mode="valid")

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    axes.plot(steps, losses, color="0.8", linewidth=0.6)
    axes.plot(steps[(width - 1) // 2 :][: len(smooth)], smooth, color="tab:blue")
    axes.grid(alpha=0.3, which="both")
    figure.savefig(out, metadata={"Date": None})
