"""Model files are what their cards say, or nothing is loaded and one line says why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from vid2kp.errors import ModelError, OutputError
from vid2kp.pose import weights
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.pose.weights import (
    check_model,
    find_weights,
    list_models,
    load_model,
    save_model,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_model(Lite(INFANT22, width=16), path, input_size=256, figures={"pck@0.2": 0.5})
    return path


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    change(card)
    path.with_suffix(".json").write_text(json.dumps(card))


def replace_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Changes the weights and gives the card their SHA-256."""
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    data = safetensors.torch.save(tensors)
    path.write_bytes(data)
    edit(path, lambda card: card.update(sha256=hashlib.sha256(data).hexdigest()))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    network = Lite(INFANT22, width=16).eval()
    network(torch.randn(2, 3, 32, 32))
    card = save_model(network, tmp_path / "a.safetensors", input_size=256)
    loaded = load_model(tmp_path / "a.safetensors")
    x = torch.randn(1, 3, 32, 48)
    for ours, theirs in zip(network(x)[-1], loaded.network(x)[-1], strict=True):
        assert torch.equal(ours, theirs)
    assert loaded.card == card
    assert loaded.skeleton is INFANT22
    assert not loaded.network.training
    assert card.parameters == sum(p.numel() for p in network.parameters())
    assert (card.architecture, card.options, card.stride) == ("lite", {"width": 16}, 4)


def test_openpose_is_saved_with_its_stages(tmp_path: Path) -> None:
    save_model(OpenPose(COCO18, stages=1), tmp_path / "o.safetensors", input_size=368, half=True)
    card = check_model(tmp_path / "o.safetensors")
    assert (card.architecture, card.options, card.skeleton) == ("openpose", {"stages": 1}, "coco18")


def test_half_precision_takes_half_the_room(tmp_path: Path, saved: Path) -> None:
    network = load_model(saved).network
    save_model(network, tmp_path / "half.safetensors", input_size=256, half=True)
    half = load_model(tmp_path / "half.safetensors").network
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * saved.stat().st_size
    for ours, theirs in zip(network.parameters(), half.parameters(), strict=True):
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_the_same_network_gives_the_same_bytes(tmp_path: Path, saved: Path) -> None:
    save_model(load_model(saved).network, tmp_path / "again.safetensors", input_size=256)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_a_model_is_found_by_name(monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
    monkeypatch.setattr(weights, "find_weights", lambda: saved.parent)
    assert load_model("tiny").card.name == "tiny"
    assert load_model(saved.with_suffix("")).card.name == "tiny"
    with pytest.raises(ModelError, match=r"no such model\..*tiny"):
        load_model("other")


def test_the_shipped_folder_is_beside_or_inside_the_package() -> None:
    assert find_weights().name in ("weights", "_weights")


def test_the_list_tells_good_from_bad(saved: Path) -> None:
    (saved.parent / "zebra.safetensors").write_bytes(b"")
    good, bad = list_models(saved.parent)
    assert (good.name, good.problem) == ("tiny", "")
    assert good.card is not None
    assert good.card.figures == {"pck@0.2": 0.5}
    assert (bad.name, bad.card) == ("zebra", None)
    assert "no card" in bad.problem


def test_a_good_model_passes_the_check(saved: Path) -> None:
    assert check_model(saved).name == "tiny"


def test_other_weights_than_the_cards_are_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        load_model(saved)


def test_a_cut_file_is_refused(saved: Path) -> None:
    data = saved.read_bytes()[:-100]
    saved.write_bytes(data)
    edit(saved, lambda card: card.update(sha256=hashlib.sha256(data).hexdigest()))
    with pytest.raises(ModelError, match="damaged"):
        load_model(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("fine.0.0.weight"), r"fine\.0\.0\.weight is missing"),
        (lambda t: t.update(more=torch.zeros(1)), r"more is \(1,\), expected nothing"),
        (lambda t: t.update({"fine.0.0.weight": torch.zeros(1)}), r"is \(1,\), expected \(8, 3"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    saved: Path, change: Callable[[dict[str, torch.Tensor]], object], words: str
) -> None:
    replace_weights(saved, change)
    with pytest.raises(ModelError, match=words):
        load_model(saved)


def test_weights_that_are_no_numbers_fail_the_check(saved: Path) -> None:
    replace_weights(saved, lambda t: t["fine.0.0.weight"].fill_(torch.nan))
    with pytest.raises(ModelError, match="not finite"):
        check_model(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(skeleton="horse40"), "horse40"),
        (lambda c: c["keypoints"].reverse(), "disagree about the keypoint set infant22"),
        (lambda c: c["limbs"].pop(), "disagree about the keypoint set infant22"),
        (lambda c: c.update(architecture="hourglass"), "hourglass"),
        (lambda c: c.update(options={"depth": 3}), "options"),
        (lambda c: c.update(card_version=99), "version 99"),
        (lambda c: c.pop("sha256"), "card of model tiny cannot be read"),
        (lambda c: c.update(colour="blue"), "card of model tiny cannot be read"),
        (lambda c: c.update(skeleton=["infant22"]), "card of model tiny cannot be read"),
        (lambda c: c.update(architecture={}), "card of model tiny cannot be read"),
        (lambda c: c.update(input_size="big"), "card of model tiny cannot be read"),
        (lambda c: c.update(input_size=0), "card of model tiny cannot be read"),
        (lambda c: c.update(input_size=True), "card of model tiny cannot be read"),
        (lambda c: c.update(stride="4"), "card of model tiny cannot be read"),
        (lambda c: c.update(stride=16), "stride of model tiny"),
        (lambda c: c.update(calibration=[1]), "card of model tiny cannot be read"),
        (lambda c: c.update(limbs=[[0, float("inf")]]), "card of model tiny cannot be read"),
        (lambda c: c["options"].update(width=-3), "options"),
        (lambda c: c["options"].update(width="16"), "options"),
    ],
)
def test_a_card_that_is_not_right_is_refused(
    saved: Path, change: Callable[[dict[str, object]], object], words: str
) -> None:
    edit(saved, change)
    for load in (load_model, check_model):
        with pytest.raises(ModelError, match=words) as caught:
            load(saved)
        assert "\n" not in str(caught.value)


def test_the_check_looks_at_the_calibration(saved: Path) -> None:
    edit(saved, lambda card: card.update(calibration={"confidence": [0.2, 0.1]}))
    load_model(saved)  # to be calibrated again
    with pytest.raises(ModelError, match="calibration"):
        check_model(saved)


def test_the_identity_changes_with_whatever_changes_what_the_model_says(saved: Path) -> None:
    before = load_model(saved).card.identity
    edit(saved, lambda card: card.update(licence="CC0-1.0", figures={}, training={"seed": 1}))
    assert load_model(saved).card.identity == before
    edit(saved, lambda card: card.update(input_size=320))
    larger = load_model(saved).card.identity
    curve = {"confidence": [0.1, 0.9], "probability": [0.2, 0.8], "within": 0.1}
    edit(saved, lambda card: card.update(calibration=curve))
    calibrated = load_model(saved).card.identity
    edit(saved, lambda card: card.update(calibration={**curve, "keypoints": 70}))
    assert load_model(saved).card.identity == calibrated
    assert len({before, larger, calibrated}) == 3


def test_a_name_with_a_point_is_kept_whole(tmp_path: Path) -> None:
    card = save_model(Lite(COCO18, width=16), tmp_path / "coco.v1", input_size=256)
    assert card.name == "coco.v1"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["coco.v1.json", "coco.v1.safetensors"]
    assert load_model(tmp_path / "coco.v1").card == card


@pytest.mark.parametrize("text", ["", "[]", "no json", "{}", "3", "[" * 200_000])
def test_a_card_that_is_no_card_is_refused(saved: Path, text: str) -> None:
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(ModelError, match="tiny"):
        load_model(saved)


def test_errors_are_one_line_with_a_hint_and_no_path(saved: Path) -> None:
    saved.write_bytes(b"")
    for missing in (saved, saved.parent / "none.safetensors"):
        with pytest.raises(ModelError) as caught:
            load_model(missing)
        assert caught.value.hint
        assert "\n" not in str(caught.value)
        assert str(saved.parent) not in str(caught.value)


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save_model(Lite(COCO18, width=16), tmp_path / "no" / "a.safetensors", input_size=256)
    assert list(tmp_path.iterdir()) == []
