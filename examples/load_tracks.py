"""Read tracks and measure a movement: no video and no neural network needed.

    python examples/load_tracks.py OUT/<pseudonym>/tracks.parquet

Without an argument it reads the true tracks of the example clip.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import vid2kp

TRUTH = Path(__file__).parent / "infant" / "tracks.parquet"
UNITS = {"px": "pixels", "torso": "torso lengths"}


def main() -> None:
    """Print what is in the tracks, and how fast each wrist and ankle moved."""
    tracks = vid2kp.load_tracks(sys.argv[1] if len(sys.argv) > 1 else TRUTH)
    names = tracks.skeleton.keypoints
    print(f"{len(tracks.time)} frames, {tracks.time[-1]:.1f} s, {', '.join(tracks.individuals)}")
    print(tracks.to_pandas().head(len(names)).to_string(index=False))

    # (frames, individuals, keypoints, 2) and (frames, individuals, keypoints); the infant is the
    # first individual. Missing is NaN, which stays NaN in all that follows.
    positions, confidence = tracks.to_numpy()
    infant = positions[:, 0]
    hips = infant[:, [names.index("right_hip"), names.index("left_hip")]].mean(axis=1)
    lengths = np.linalg.norm(infant[:, names.index("neck")] - hips, axis=-1)
    if np.isnan(lengths).all():
        print("\nNeck and hips were never seen together: there is no length to measure by.")
        return
    torso = np.nanmedian(lengths)
    print(f"\ntorso: {torso:.3g} {UNITS[tracks.footer.position_unit]}\n")
    print("keypoint       seen  median speed (torso lengths/s)")
    for name in ("right_wrist", "left_wrist", "right_ankle", "left_ankle"):
        path = infant[:, names.index(name)] / torso
        # Times are true times: the frame rate may vary, so speed is never difference × fps.
        speed = np.linalg.norm(np.diff(path, axis=0), axis=-1) / np.diff(tracks.time)
        seen = np.mean(~np.isnan(confidence[:, 0, names.index(name)]))
        known = speed[~np.isnan(speed)]
        print(f"{name:12} {seen:6.0%} {f'{np.median(known):8.2f}' if len(known) else '       –'}")


if __name__ == "__main__":
    main()
