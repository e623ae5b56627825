"""The loss curve of a run: lines with ``step`` and ``loss``, and a picture of them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from vid2kp.files import output_errors, write_text


def add_loss(curve: Path, step: int, loss: float) -> None:
    """Adds the loss of a step, which can be seen at once.

    Raises:
        OutputError: it cannot be written.
    """
    with output_errors(), curve.open("a", encoding="utf-8") as lines:
        lines.write(_line(step, loss))


def read_losses(curve: Path) -> list[tuple[int, float]]:
    """Step and loss of every line that is whole; none if there is no file."""
    if not curve.is_file():
        return []
    losses = []
    for line in curve.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(KeyError, TypeError, ValueError):
            row = json.loads(line)
            losses.append((int(row["step"]), float(row["loss"])))
    return losses


def keep_losses(curve: Path, *, before: int) -> None:
    """Leaves only the steps before one; those after it are made again.

    Raises:
        OutputError: it cannot be written.
    """
    kept = [_line(step, loss) for step, loss in read_losses(curve) if step < before]
    write_text(curve, "".join(kept))


def _line(step: int, loss: float) -> str:
    return json.dumps({"step": step, "loss": loss}) + "\n"


def plot_losses(curve: Path, out: Path, *, window: int = 50) -> None:
    """Draw ``loss.jsonl`` as an SVG: every step, and the mean of the steps around it.

    Args:
        curve: as `vid2kp.training.train.train` writes it.
        out: the SVG to write.
        window: steps of the running mean.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.figure import Figure

    steps, losses = np.array(read_losses(curve), np.float64).reshape(-1, 2).T
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    axes.plot(steps, losses, color="0.8", linewidth=0.6)
    if len(losses):
        width = min(window, len(losses))
        smooth = np.convolve(losses, np.full(width, 1 / width), mode="valid")
        axes.plot(steps[(width - 1) // 2 :][: len(smooth)], smooth, color="tab:blue")
    axes.grid(alpha=0.3, which="both")
    with output_errors():
        figure.savefig(out, metadata={"Date": None})
