"""How light a picture is, as a group of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotated import annotation, body, truth

from vid2kp.training.light import light_of, with_light


@pytest.mark.parametrize(("grey", "name"), [(40, "dark"), (110, "medium"), (220, "bright")])
def test_light_is_the_median_lightness(grey: int, name: str) -> None:
    picture = np.full((20, 30, 3), grey, np.uint8)
    picture[:5] = 255 - grey  # a window, or a dark corner
    assert light_of(picture) == name


def test_a_labelled_light_stays(tmp_path: Path) -> None:
    images = [{"id": 1, "view": "side"}, {"id": 2, "light": "infrared"}]
    read = truth(tmp_path, [annotation(body(), image_id=i) for i in (1, 2)], images=images)
    lit = with_light(read, lambda i: np.full((4, 4, 3), 230, np.uint8))
    assert [one.attributes["light"] for one in lit.pictures] == ["bright", "infrared"]
    assert lit.pictures[0].attributes["view"] == "side"
    assert lit.people == read.people
