"""Teachers' labels: hips are moved only where the torso is known."""

from vid2kp.training.teacher import move_hips

NAMES = ["right_shoulder", "left_shoulder", "right_hip", "left_hip"]


def document(*rows: tuple[float, float, int]) -> dict[str, object]:
    return {
        "annotations": [{"keypoints": [float(v) for row in rows for v in row]}],
        "categories": [{"keypoints": NAMES}],
    }


def hips(made: dict[str, object]) -> list[list[float]]:
    flat = made["annotations"][0]["keypoints"]
    return [flat[6:9], flat[9:12]]


def test_hips_move_toward_the_feet_and_apart():
    before = document((10, 0, 2), (30, 0, 2), (15, 50, 2), (25, 50, 2))
    after = move_hips(before, down=0.12, out=0.1)
    assert hips(after) == [[14, 56, 2], [26, 56, 2]]
    assert hips(before) == [[15, 50, 2], [25, 50, 2]], "the original is left alone"


def test_hips_without_a_torso_become_unlabelled():
    after = move_hips(document((10, 0, 2), (30, 0, 0), (15, 50, 2), (25, 50, 2)))
    assert hips(after) == [[0, 0, 0], [0, 0, 0]]
