"""The plot of docs/cli.md: by which factor cleaning lets movement through, measured.

.venv/bin/python docs/make_gain_plot.py

Sines of many frequencies are smoothed at three frame rates, with frames at even and at uneven
times (steps between 0.4 and 1.6 of the usual), and compared with what went in.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from vid2kp.tracks.clean import CleanOptions
from vid2kp.tracks.smooth import gain, half_gain, smooth

OUT = Path(__file__).parent / "images" / "cleaning_gain.png"
PASSBAND = CleanOptions().passband
RATES = {25: "#c2410c", 30: "#0f766e", 60: "#1d4ed8"}
SECONDS = 30


def response(times: np.ndarray, frequencies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and phase in degrees of each frequency, away from the ends."""
    turns = 2 * np.pi * times[:, None] * frequencies
    runs = np.zeros(len(times), dtype=int)
    out = smooth(times, np.sin(turns), np.ones(len(times)), runs, passband=PASSBAND)
    inner = (times > times[0] + 1) & (times < times[-1] - 1)
    sizes, phases = [], []
    for turn, wave in zip(turns[inner].T, out[inner].T, strict=True):
        (a, b), *_ = np.linalg.lstsq(np.stack([np.sin(turn), np.cos(turn)], axis=-1), wave)
        sizes.append(np.hypot(a, b))
        phases.append(np.degrees(np.arctan2(b, a)))
    return np.array(sizes), np.array(phases)


def main() -> None:
    """Draws the plot and prints the worst gain and phase within the pass band."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(0)
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(7.2, 5.2), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    dense = np.linspace(0, 20, 400)
    upper.plot(dense, gain(dense, passband=PASSBAND), color="0.6", lw=5, label="formula")
    for rate, colour in RATES.items():
        frequencies = np.arange(0.25, min(20, rate / 2), 0.25)
        even = np.arange(rate * SECONDS) / rate
        uneven = np.sort(even + rng.uniform(-0.3, 0.3, len(even)) / rate)
        for times, style, name in ((even, "-", "even"), (uneven, ":", "uneven")):
            size, phase = response(times, frequencies)
            upper.plot(frequencies, size, style, color=colour, label=f"{rate} frames/s, {name}")
            lower.plot(frequencies, phase, style, color=colour)
            kept = frequencies <= PASSBAND
            print(
                f"{rate} frames/s, {name} times: up to {PASSBAND:g} Hz gain {size[kept].min():.3f} "
                f"to {size[kept].max():.3f}, phase within {np.abs(phase[kept]).max():.2f} degrees"
            )
    for axes in (upper, lower):
        axes.axvspan(0.5, PASSBAND, color="0.92", zorder=0)
        axes.grid(alpha=0.3)
    upper.axhline(0.95, color="0.3", lw=0.8, ls="--")
    upper.set(ylabel="gain", ylim=(0, 1.05), xlim=(0, 20))
    upper.set_title(
        f"vid2kp clean: pass band {PASSBAND:g} Hz, half at {half_gain(PASSBAND):.1f} Hz"
    )
    upper.legend(frameon=False, fontsize=8)
    lower.set(xlabel="frequency (Hz); grey: fidgety movement", ylabel="phase (°)", ylim=(-5, 5))
    figure.savefig(OUT, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
