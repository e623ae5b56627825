"""The names that `import vid2kp` gives."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import vid2kp
from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import COCO18
from vid2kp.pose.weights import save_model
from vid2kp.training.synthetic_video import VideoOptions, write_video


@pytest.mark.parametrize("name", vid2kp.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert not isinstance(getattr(vid2kp, name), ModuleType)
    assert name in dir(vid2kp)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        vid2kp.no_such_name  # noqa: B018


def test_the_function_convert_is_not_hidden_by_its_module() -> None:
    from vid2kp.convert import ConvertOptions

    assert callable(vid2kp.convert)
    assert vid2kp.ConvertOptions is ConvertOptions


def test_convert_gives_tracks_that_load(tmp_path: Path) -> None:
    clip = write_video(tmp_path, options=VideoOptions(seconds=0.12, width=160, height=120)).video
    save_model(Lite(COCO18), tmp_path / "untrained.safetensors", input_size=64)
    options = vid2kp.ConvertOptions(model=str(tmp_path / "untrained.safetensors"), device="cpu")
    result = vid2kp.convert(clip, tmp_path / "out", options=options)
    assert result.frames == 3, result
    assert result.tracks_path is not None
    tracks = vid2kp.load_tracks(result.tracks_path)
    np.testing.assert_allclose(tracks.time, [0, 0.04, 0.08])
    assert tracks.skeleton == COCO18
