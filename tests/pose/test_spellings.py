"""Everybody spells keypoints in a way of their own."""

from __future__ import annotations

import pytest

from vid2kp.pose.skeleton import SKELETONS, canonical_name


@pytest.mark.parametrize(
    "name",
    [
        *("right_wrist", "RIGHT_WRIST", "Right_Wrist", "RightWrist", "rightWrist", "right-wrist"),
        *("Right Wrist", "RIGHT WRIST", "right.wrist", "RIGHTWRIST", "rightwrist", " Right wrist "),
        *("r_wrist", "R_WRIST", "R_Wrist", "rWrist", "RWrist", "RWRIST", "R Wrist", "R.Wrist"),
        *("wrist_r", "WRIST_R", "wristR", "WristR", "wrist_right", "WRIST_RIGHT", "WristRight"),
        *("RWri", "r_wri", "wrist-R"),
    ],
)
def test_a_side_is_read_however_it_is_written(name: str) -> None:
    assert canonical_name(name) == "right_wrist"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LEar", "left_ear"),
        ("LeftEar", "left_ear"),
        ("lEar", "left_ear"),
        ("EAR_L", "left_ear"),
        ("LEFT_EAR", "left_ear"),
        ("LEYE", "left_eye"),
        ("REAR", "right_ear"),
        ("MidHip", "mid_hip"),
        ("MID_HIP", "mid_hip"),
        ("RBigToe", "right_big_toe"),
        ("NOSE", "nose"),
        ("Nose", "nose"),
        ("neck", "neck"),
        ("Baby 2", "baby_2"),
    ],
)
def test_other_words_are_left_alone(name: str, meant: str) -> None:
    assert canonical_name(name) == meant


def test_the_names_of_every_set_mean_themselves() -> None:
    for skeleton in SKELETONS.values():
        for name in skeleton.keypoints:
            assert canonical_name(name) == canonical_name(name.upper()) == name
