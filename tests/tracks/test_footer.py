from __future__ import annotations

import dataclasses
import json

import people
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vid2kp.errors import TracksError
from vid2kp.pose.skeleton import SKELETONS, Skeleton
from vid2kp.tracks.footer import Footer, Step, is_token

FOOTERS = st.builds(
    people.footer,
    st.sampled_from(list(SKELETONS.values())),
    width=st.integers(1, 10_000),
    height=st.integers(1, 10_000),
    fps=st.floats(0, 1000),
    vfr=st.booleans(),
    rotation_applied=st.sampled_from([0, 90, 180, 270]),
    mirrored=st.booleans(),
    time_source=st.sampled_from(["pts", "rebuilt"]),
    product=st.sampled_from(["raw", "clean"]),
    processing=st.lists(
        st.builds(
            Step,
            name=st.just("smooth"),
            parameters=st.dictionaries(
                st.from_regex(r"[a-z]{1,9}", fullmatch=True),
                st.one_of(st.booleans(), st.integers(), st.floats(-1e6, 1e6), st.just("one-euro")),
                max_size=3,
            ),
        ),
        max_size=3,
    ).map(tuple),
)


@given(FOOTERS)
def test_footer_comes_back_as_it_was(footer: Footer) -> None:
    text = footer.to_json()
    assert Footer.from_json(text) == footer
    assert Footer.from_json(text).to_json() == text


def test_footer_has_the_documented_keys_in_order() -> None:
    assert list(json.loads(people.footer().to_json())) == [
        "schema_version", "skeleton", "units", "point_of_reference", "fps", "vfr", "width",
        "height", "rotation_applied", "mirrored", "time_source", "model", "tool",
        "privacy_profile", "product", "processing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"model_name": "/home/anna/model"},
        {"model_name": "Anna Smith"},
        {"model_sha256": "abc"},
        {"tool_version": "2024-01-02T03:04"},
        {"time_source": "SURNAME"},
        {"product": "cleaned"},
        {"fps": float("nan")},
        {"fps": "25"},
        {"width": 0},
        {"width": True},
        {"rotation_applied": 37},
        {"rotation_applied": False},
        {"privacy_profile": ("pseudo nym", "1")},
        {"position_unit": "mm"},
        {"processing": (Step("smooth", {"source": "ward 7/x.mp4"}),)},
        {"processing": (Step("smooth", {"nested": [1]}),)},  # type: ignore[dict-item]
        {"skeleton": Skeleton("mine", ("Anna Smith",), (), (0.1,))},
        {"skeleton": Skeleton("mine", ("neck", "neck"), (), (0.1, 0.1))},
        {"skeleton": Skeleton("mine", ("neck",), ((0, 1),), (0.1,))},
    ],
)
def test_what_is_not_on_the_allow_list_cannot_be_written(changes: dict[str, object]) -> None:
    with pytest.raises(TracksError):
        people.footer(**changes) if "skeleton" not in changes else people.footer(
            changes["skeleton"]  # type: ignore[arg-type]
        )


def _changed(path: tuple[str, ...], value: object) -> str:
    content = json.loads(people.footer().to_json())
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(content, separators=(",", ":"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "x" * 100,
        people.footer().to_json() + " ",
        people.footer().to_json().replace(",", ", ", 1),
        people.footer().to_json().replace('"vfr":', '"patient":"SURNAME","vfr":'),
        people.footer().to_json().replace('"vfr":false', '"vfr":true,"vfr":false'),
        _changed(("source",), "SURNAME.mp4"),
        _changed(("tool", "host"), "ward7"),
        _changed(("tool", "name"), "other"),
        _changed(("units", "time"), "frames"),
        _changed(("skeleton", "mirror"), [0]),
        _changed(("fps",), 25),
        _changed(("schema_version",), 2),
        _changed(("schema_version",), "SURNAME"),
        _changed(("processing",), [{"name": "x", "parameters": {}, "by": "SURNAME"}]),
    ],
)
def test_reading_is_as_strict_as_writing(text: str) -> None:
    with pytest.raises(TracksError) as caught:
        Footer.from_json(text)
    assert "SURNAME" not in str(caught.value)


def test_another_version_is_named() -> None:
    with pytest.raises(TracksError, match="schema version 2"):
        Footer.from_json(_changed(("schema_version",), 2))


def test_a_keypoint_set_of_somebodys_own_comes_back() -> None:
    own = Skeleton("ward-set", ("neck", "right_hip", "left_hip"), ((0, 1), (0, 2)), (0.1,) * 3)
    back = Footer.from_json(people.footer(own).to_json()).skeleton
    assert (back.name, back.keypoints, back.limbs) == (own.name, own.keypoints, own.limbs)


def test_footer_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        people.footer().width = 3  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a\\b", "a:b", "é", ".hidden", "x" * 65, 3])
def test_what_is_no_token(text: object) -> None:
    assert not is_token(text)
