"""Features of movement from tracks, per window of 5 seconds: pandas in, pandas out.

    python examples/movement_features.py OUT/<pseudonym>/tracks.parquet [-o features.csv]

Angles and angular speeds of elbows, shoulders, hips and knees, speeds of wrists and ankles in torso
lengths per second, and where the power of their movement lies between 0.2 and 6 Hz. Without an
argument it reads the true tracks of the example clip.

Everything is computed over true times, for frames may be unevenly spaced, and missing stays
missing: a feature of a joint that was seen too little in a window is empty.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lombscargle

TRUTH = Path(__file__).parent / "infant" / "tracks.parquet"

WINDOW = 5.0
"""Seconds of a window."""
SEEN = 0.7
"""Share of the frames of a window in which a joint must be seen."""
BANDS = {"slow": (0.2, 1.0), "middle": (1.0, 2.5), "quick": (2.5, 6.0)}
"""Hertz. Fidgety movements are in the upper two."""

JOINTS = {
    f"{side}_{joint}": (f"{side}_{before}", f"{side}_{joint}", f"{side}_{after}")
    for side in ("right", "left")
    for joint, before, after in (
        ("elbow", "shoulder", "wrist"),
        ("shoulder", "hip", "elbow"),
        ("hip", "shoulder", "knee"),
        ("knee", "hip", "ankle"),
    )
}
"""Angle at the second point between the lines to the first and to the third."""

ENDS = ("right_wrist", "left_wrist", "right_ankle", "left_ankle")


def main() -> None:
    """Print the features, or write them to a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tracks", type=Path, nargs="?", default=TRUTH)
    parser.add_argument("-o", "--out", type=Path, help="CSV file")
    options = parser.parse_args()
    features = movement_features(pd.read_parquet(options.tracks))
    if features.empty:
        print(f"No features: the clip is shorter than a window, which is {WINDOW:g} s long.")
    elif options.out:
        features.to_csv(options.out)
    else:
        print(features.T.to_string(float_format="%.3f"))


def movement_features(table: pd.DataFrame) -> pd.DataFrame:
    """Features per window.

    Args:
        table: tracks as they are in the file.

    Returns:
        A row per whole window of `WINDOW` seconds, indexed by its beginning in seconds: of every
        joint ``<joint>_angle_mean``, ``_angle_std`` (degrees) and ``_angle_speed`` (median,
        degrees/s); of wrists and ankles ``<end>_speed`` (median, torso lengths/s) and
        ``<end>_slow``, ``_middle``, ``_quick`` (shares of the power of its movement, which
        together are 1); ``seen``, the share of keypoints found.
    """
    infant = table[table["individual"] == "infant"]
    x, y, seen = (
        infant.pivot(index="time", columns="keypoint", values=column)
        for column in ("x", "y", "confidence")
    )
    if len(x) < 2:
        return pd.DataFrame().rename_axis("time")
    torso = torso_length(x, y)
    angles = pd.DataFrame({name: angle(x, y, *points) for name, points in JOINTS.items()})
    ends = {name: pd.DataFrame({"x": x[name], "y": y[name]}) / torso for name in ENDS}
    number = np.floor((x.index - x.index[0]) / WINDOW).astype(int)
    whole = int((x.index[-1] - x.index[0] + np.median(np.diff(x.index))) // WINDOW)
    rows = {}
    for window in range(whole):
        inside = number == window
        row = {"seen": float(seen[inside].notna().to_numpy().mean())}
        for name in JOINTS:
            row |= angle_features(name, angles.loc[inside, name])
        for name, path in ends.items():
            row |= end_features(name, path[inside])
        rows[window * WINDOW] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("time")


def torso_length(x: pd.DataFrame, y: pd.DataFrame) -> float:
    """Median distance from the neck to the middle of the hips, NaN where they were never seen."""
    hips = ["right_hip", "left_hip"]
    lengths = np.hypot(
        x["neck"] - x[hips].mean(axis=1, skipna=False),
        y["neck"] - y[hips].mean(axis=1, skipna=False),
    )
    return float(pd.Series(lengths).median())


def angle(x: pd.DataFrame, y: pd.DataFrame, a: str, b: str, c: str) -> pd.Series[float]:
    """Degrees from 0 to 180 between the lines from b to a and from b to c, in the picture."""
    ax, ay, cx, cy = x[a] - x[b], y[a] - y[b], x[c] - x[b], y[c] - y[b]
    turn = np.arctan2((ax * cy - ay * cx).abs(), ax * cx + ay * cy)
    return pd.Series(np.degrees(turn), index=x.index)


def angle_features(name: str, angles: pd.Series[float]) -> dict[str, float]:
    """Mean, spread and speed of an angle in one window."""
    known = angles.dropna()
    if len(known) < max(SEEN * len(angles), 3):
        return {f"{name}_angle_{what}": np.nan for what in ("mean", "std", "speed")}
    # Speed between neighbours in time, over the time that lies between them.
    speed = np.abs(np.diff(known)) / np.diff(known.index.to_numpy())
    return {
        f"{name}_angle_mean": float(known.mean()),
        f"{name}_angle_std": float(known.std()),
        f"{name}_angle_speed": float(np.median(speed)),
    }


def end_features(name: str, path: pd.DataFrame) -> dict[str, float]:
    """Speed of a hand or a foot in one window, and the shares of power in `BANDS`."""
    known = path.dropna()
    if len(known) < max(SEEN * len(path), 3):
        return {f"{name}_{what}": np.nan for what in ("speed", *BANDS)}
    time = known.index.to_numpy()
    steps = np.hypot(*np.diff(known.to_numpy(), axis=0).T)
    return {f"{name}_speed": float(np.median(steps / np.diff(time))), **power(name, known)}


def power(name: str, known: pd.DataFrame) -> dict[str, float]:
    """Shares of power in `BANDS`: a Lomb-Scargle periodogram, which takes times as they are."""
    time = known.index.to_numpy()
    hertz = np.arange(0.2, 6.0, 0.1)
    density = np.zeros(len(hertz))
    for axis in ("x", "y"):
        values = known[axis].to_numpy(np.float64)
        values = values - np.polyval(np.polyfit(time, values, 1), time)
        density += lombscargle(time, values * np.hanning(len(values)), 2 * np.pi * hertz)
    total = density.sum()
    return {
        f"{name}_{band}": float(density[(hertz >= low) & (hertz < high)].sum() / total)
        for band, (low, high) in BANDS.items()
    }


if __name__ == "__main__":
    main()
