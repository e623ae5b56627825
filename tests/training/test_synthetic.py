"""Synthetic infants: exact labels, seeds, smooth movement."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from vid2kp.pose.skeleton import INFANT22
from vid2kp.tracks.load import load_tracks
from vid2kp.training.body import ANGLES, LENGTHS, pose_bodies, random_shape
from vid2kp.training.dataset import PRESENT, CocoKeypoints
from vid2kp.training.postures import random_pose
from vid2kp.training.raster import splat
from vid2kp.training.synthetic import SyntheticInfants, write_images
from vid2kp.training.synthetic_video import MovingInfant, VideoOptions, write_video
from vid2kp.video.read import open_video


def neutral() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    pose = torch.zeros(1, len(ANGLES))
    for side in ("right", "left"):
        pose[:, ANGLES.index(f"{side}_leg_swivel")] = 1.5 * torch.pi  # knees bend backwards
    return {k: torch.tensor([v]) for k, v in LENGTHS.items()}, pose


def test_right_is_the_infants_own_right_seen_from_above():
    body = pose_bodies(*neutral())
    for part in (
        "shoulder",
        "elbow",
        "wrist",
        "hip",
        "knee",
        "ankle",
        "eye",
        "ear",
        "hand",
        "foot",
    ):
        right, left = (body.joints[f"{side}_{part}"][0] for side in ("right", "left"))
        assert right[0] < left[0], f"lying on its back, head up, the right {part} is on the left"
        assert torch.allclose(right[1:], left[1:], atol=1e-5), f"{part} is symmetric"


def test_bones_keep_their_lengths_in_the_air():
    shape, pose = neutral()
    pose[:, ANGLES.index("right_arm_forward")] = 0.9
    pose[:, ANGLES.index("right_arm_flex")] = 0.8
    pose[:, ANGLES.index("right_arm_swivel")] = 1.5
    joints = pose_bodies(shape, pose).joints
    for a, b, name in (("shoulder", "elbow", "upper_arm"), ("elbow", "wrist", "forearm")):
        length = (joints[f"right_{a}"] - joints[f"right_{b}"]).norm()
        assert abs(float(length) - LENGTHS[name]) < 1e-5


def test_nothing_sinks_through_the_bed():
    rng = torch.Generator().manual_seed(5)
    body = pose_bodies(random_shape(64, rng), random_pose(64, rng))
    lowest = body.joints["head"][:, 2].minimum(body.joints["top"][:, 2]) - 0.2
    for name in ("right_wrist", "left_ankle", "left_elbow", "right_foot"):
        assert bool((body.joints[name][:, 2] > lowest).all())


def test_upright_forearms_point_at_the_camera():
    shape = random_shape(64, torch.Generator().manual_seed(6))
    back = (1.0, 0.0, 0.0, 0.0)

    def forearms(upright: float) -> torch.Tensor:
        pose = random_pose(64, torch.Generator().manual_seed(7), lying=back, upright=upright)
        pose[:, ANGLES.index("roll")] = 0
        joints = pose_bodies(shape, pose).joints
        return torch.cat([joints[f"{s}_wrist"] - joints[f"{s}_elbow"] for s in ("right", "left")])

    shares = {}
    for upright in (0.0, 0.3, 1.0):
        forearm = forearms(upright)
        shares[upright] = float((forearm[:, 2] / forearm.norm(dim=1)).mean())
    assert shares[1.0] > 0.75 and shares[1.0] > shares[0.3] > shares[0.0] + 0.1


def test_the_nearest_sphere_is_seen():
    centre = torch.tensor([[[10.0, 10.0, 0.0], [10.0, 10.0, 5.0], [30.0, 12.0, 0.0]]])
    surface = splat(centre, torch.tensor([[6.0, 3.0, 4.0]]), 24, 40)
    seen = {
        (int(x), int(y)): int(s)
        for x, y, s in zip(surface.x, surface.y, surface.sphere, strict=True)
    }
    assert seen[10, 10] == 1 and seen[5, 10] == 0 and seen[30, 12] == 2
    assert (20, 12) not in seen
    assert abs(float(surface.depth[0, 10, 10]) - 8.0) < 1e-4
    assert torch.allclose(surface.normal.norm(dim=1), torch.ones(len(surface.x)), atol=1e-4)


def test_same_seed_same_pictures_other_seed_others():
    first, again, other = (SyntheticInfants(s, height=96, width=96).batch(3) for s in (7, 7, 8))
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.keypoints, again.keypoints)
    assert not np.array_equal(first.images, other.images)


def test_labels_lie_on_the_infant():
    """A picture with the infant painted over by the bed differs where the labels say it lies."""
    pictures = SyntheticInfants(11, height=128, width=128).batch(12)
    assert pictures.images.shape == (12, 128, 128, 3) and pictures.images.dtype == np.uint8
    seen = pictures.visibility == 2
    assert 0.4 < seen.mean() < 0.98, "most keypoints are seen, some are hidden"
    inside = ((pictures.keypoints >= 0) & (pictures.keypoints < 128)).all(-1)
    assert inside[seen].all()


def test_images_make_a_coco_data_set(tmp_path: Path):
    path = write_images(tmp_path, count=3, seed=1, size=96)
    again = write_images(tmp_path / "again", count=3, seed=1, size=96)
    assert path.read_bytes() == again.read_bytes()
    data = CocoKeypoints(path, tmp_path / "images", INFANT22)
    assert len(data) == 3
    sample = data.load(0)
    assert sample.image.shape == (96, 96, 3) and (sample.state == PRESENT).sum() > 10
    names = json.loads(path.read_text())["categories"][0]["keypoints"]
    assert tuple(names) == INFANT22.keypoints


def test_a_set_that_is_being_replaced_has_no_labels(tmp_path: Path):
    """Killed half way it must not pass for a whole one: old labels would lie on new pictures."""
    annotations = write_images(tmp_path, count=2, seed=1, size=64)
    info = json.loads(annotations.read_text())["info"]
    assert (info["count"], info["seed"], info["size"]) == (2, 1, 64)

    def kill(done: int, _: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_images(tmp_path, count=2, seed=2, size=64, progress=kill)
    assert not annotations.exists()


def test_movement_is_smooth_and_stops_when_still():
    infant = MovingInfant(VideoOptions(seconds=4, width=128, height=96), 3)
    times = torch.arange(0, 4, 1 / 50)
    speed = infant.pose(times).diff(dim=0) * 50
    assert float(speed.abs().max()) < 8, "no joint turns faster than 8 rad/s"
    assert float(speed.diff(dim=0).abs().max()) < 1.0, "no jerk between frames at 50 fps"
    still = MovingInfant(VideoOptions(seconds=4, width=128, height=96, movement=0), 3)
    assert float(still.pose(times).diff(dim=0).abs().max()) == 0


def test_video_and_its_true_tracks_agree(tmp_path: Path):
    options = VideoOptions(seconds=0.4, fps=25, width=160, height=120)
    files = write_video(tmp_path, seed=2, options=options)
    with open_video(files.video) as reader:
        shown = [(f.time, f.width, f.height) for f in reader.frames()]
    tracks = load_tracks(files.tracks)
    assert [t for t, _, _ in shown] == [round(t, 5) for t in tracks.time.tolist()]
    assert {s[1:] for s in shown} == {(160, 120)}
    positions, confidence = tracks.to_numpy()
    assert positions.shape == (10, 1, 22, 2) and np.isfinite(positions).all()
    assert pq.read_metadata(files.frames).num_rows == 10
    assert set(np.unique(confidence)) <= {0.5, 1.0}
