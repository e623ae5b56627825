"""The training loop: it learns, resumes exactly, and takes every network."""

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vid2kp.errors import AnnotationError, OutputError, TrainingError, UsageError
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.training.batches import as_tensors, collate
from vid2kp.training.curve import plot_losses
from vid2kp.training.dataset import ABSENT, PRESENT, UNKNOWN, Sample
from vid2kp.training.synthetic import write_images
from vid2kp.training.targets import Spread, make_targets
from vid2kp.training.train import (
    Progress,
    Source,
    TrainOptions,
    rate_at,
    running_average,
    train,
)

SHORT = TrainOptions(size=64, batch=4, steps=6, warmup=2, workers=0, precision="fp32", every=2)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("synthetic")
    return Source(write_images(folder, count=6, seed=3, size=96), folder / "images")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network() -> Lite:
    torch.manual_seed(0)
    return Lite(INFANT22, width=16)


def curve(folder: Path) -> list[float]:
    lines = (folder / "loss.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_the_loss_falls(source: Source, tmp_path: Path):
    options = replace(SHORT, steps=25, warmup=5, rate=5e-3, every=100)
    train(network(), [source], tmp_path, options=options)
    losses = curve(tmp_path)
    assert len(losses) == 25
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


class Killed(Exception):
    pass


@pytest.mark.parametrize("steady", [0.0, 2.0])
def test_a_run_that_was_killed_goes_on_with_the_same_loss_curve(
    source: Source, tmp_path: Path, steady: float
):
    options = replace(SHORT, steady=steady)
    whole = train(network(), [source], tmp_path / "whole", options=options)

    def kill(at: Progress) -> None:
        if at.step == 3:  # a checkpoint was written after step 2
            raise Killed

    with pytest.raises(Killed):
        train(network(), [source], tmp_path / "cut", options=options, progress=kill)
    resumed = train(network(), [source], tmp_path / "cut", options=options)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_the_shortest_run_gives_a_trained_network(source: Source, tmp_path: Path):
    """However long the warm-up would be: what comes back has learnt."""
    before = {k: v.clone() for k, v in network().state_dict().items()}
    options = replace(SHORT, steps=3, warmup=200)
    trained = train(network(), [source], tmp_path, options=options)
    weights = [k for k in before if k.endswith("weight")]
    assert all(not torch.equal(trained.state_dict()[k], before[k]) for k in weights)


def test_a_folder_with_another_run_is_not_overwritten(source: Source, tmp_path: Path):
    train(network(), [source], tmp_path, options=replace(SHORT, steps=2))
    before = (tmp_path / "loss.jsonl").read_bytes()
    with pytest.raises(UsageError, match="other options"):
        train(network(), [source], tmp_path, options=replace(SHORT, steps=2, rate=1.0))
    with pytest.raises(UsageError, match="other data"):
        train(network(), [source, source], tmp_path, options=replace(SHORT, steps=2))
    assert (tmp_path / "loss.jsonl").read_bytes() == before


def test_changed_labels_are_other_data_wherever_they_lie(source: Source, tmp_path: Path):
    options, run = replace(SHORT, steps=2), tmp_path / "run"
    moved = replace(source, annotations=tmp_path / "moved.json")
    shutil.copy(source.annotations, moved.annotations)
    train(network(), [source], run, options=options)
    train(network(), [moved], run, options=options)
    document = json.loads(source.annotations.read_text())
    document["annotations"][0]["keypoints"][0] += 1
    moved.annotations.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="other data"):
        train(network(), [moved], run, options=options)


def test_other_first_weights_are_another_network(source: Source, tmp_path: Path):
    train(network(), [source], tmp_path, options=replace(SHORT, steps=2))
    torch.manual_seed(1)
    with pytest.raises(UsageError, match="another network"):
        train(Lite(INFANT22, width=16), [source], tmp_path, options=replace(SHORT, steps=2))


def test_a_run_that_diverges_is_told_and_keeps_its_checkpoint(source: Source, tmp_path: Path):
    diverging = network()
    kept = []

    def spoil(at: Progress) -> None:
        if at.step == 3:  # a checkpoint was written after step 2
            kept.append((tmp_path / "checkpoint.pt").read_bytes())
            next(diverging.parameters()).data.fill_(float("nan"))

    with pytest.raises(TrainingError, match=r"no number any more at step 4\. .* lower --rate"):
        train(diverging, [source], tmp_path, options=SHORT, progress=spoil)
    assert (tmp_path / "checkpoint.pt").read_bytes() == kept[0]
    assert len(curve(tmp_path)) == 3


def test_weights_that_are_no_numbers_are_never_saved(source: Source, tmp_path: Path):
    """The loss of a step is that of the weights before it."""
    options = replace(SHORT, steps=1, warmup=0, rate=1e38, optimizer="sgd", decay=1e30)
    with pytest.raises(TrainingError):
        train(network(), [source], tmp_path, options=options)
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_picture_is_told_in_one_line(source: Source, tmp_path: Path, workers: int):
    shutil.copytree(source.images, tmp_path / "images")
    for picture in (tmp_path / "images").iterdir():
        picture.write_bytes(b"no picture")
    bad = replace(source, images=tmp_path / "images")
    with pytest.raises(AnnotationError, match="cannot be decoded") as caught:
        train(network(), [bad], tmp_path / "run", options=replace(SHORT, workers=workers))
    assert "\n" not in str(caught.value) and caught.value.hint


def test_a_missing_picture_is_told_before_the_first_step(source: Source, tmp_path: Path):
    shutil.copytree(source.images, tmp_path / "images")
    next((tmp_path / "images").iterdir()).unlink()
    missing = replace(source, images=tmp_path / "images")
    steps: list[Progress] = []
    with pytest.raises(AnnotationError, match="1 of the 6 pictures are not there"):
        train(network(), [missing], tmp_path / "run", options=SHORT, progress=steps.append)
    assert not steps


def test_impossible_options_are_told(source: Source, tmp_path: Path):
    for rate in (float("nan"), float("inf"), -1.0, 0.0):
        with pytest.raises(UsageError, match="rate"):
            replace(SHORT, rate=rate)
    with pytest.raises(UsageError, match="multiple of 8"):
        replace(SHORT, size=100)
    for share in (float("nan"), float("inf"), -1.0):
        with pytest.raises(UsageError, match="share"):
            replace(source, share=share)
    with pytest.raises(UsageError, match="above 0"):
        train(network(), [replace(source, share=0)], tmp_path, options=SHORT)


def test_a_run_whose_curve_is_gone_goes_on(source: Source, tmp_path: Path):
    options = replace(SHORT, steps=2)
    train(network(), [source], tmp_path, options=options)
    (tmp_path / "loss.jsonl").unlink()
    train(network(), [source], tmp_path, options=options)
    assert curve(tmp_path) == []
    plot_losses(tmp_path / "loss.jsonl", tmp_path / "loss.svg")
    assert (tmp_path / "loss.svg").exists()


def test_a_line_that_was_cut_leaves_the_curve(source: Source, tmp_path: Path):
    options = replace(SHORT, steps=2)
    train(network(), [source], tmp_path, options=options)
    before = curve(tmp_path)
    with (tmp_path / "loss.jsonl").open("a") as lines:
        lines.write('{"step": 2, "lo')
    train(network(), [source], tmp_path, options=options)
    assert curve(tmp_path) == before


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:1000], lambda whole: b"", lambda whole: b"something else"],
    ids=["cut", "empty", "foreign"],
)
def test_a_damaged_checkpoint_is_told(
    source: Source, tmp_path: Path, damage: Callable[[bytes], bytes]
):
    options = replace(SHORT, steps=2)
    train(network(), [source], tmp_path, options=options)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(damage(path.read_bytes()))
    before = (tmp_path / "loss.jsonl").read_bytes()
    with pytest.raises(UsageError, match="checkpoint in the folder is damaged"):
        train(network(), [source], tmp_path, options=options)
    assert (tmp_path / "loss.jsonl").read_bytes() == before


def test_a_disk_that_fills_leaves_the_checkpoint_before(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fill(at: Progress) -> None:
        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        if at.step == 3:
            monkeypatch.setattr(torch, "save", full)

    with pytest.raises(OutputError, match="No space left"):
        train(network(), [source], tmp_path, options=SHORT, progress=fill)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt", "loss.jsonl"]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2


def test_checkpoints_reach_the_disk_and_leave_nothing_beside_them(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    flushed: list[Path] = []
    monkeypatch.setattr("vid2kp.files._flush", flushed.append)
    (tmp_path / ".checkpoint.pt.0123456789ab.part").write_text("of a run that was killed")
    train(network(), [source], tmp_path, options=replace(SHORT, steps=1))
    assert any(path.name.startswith(".checkpoint.pt") for path in flushed)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt", "loss.jsonl"]


def test_an_output_that_is_a_file_is_told(source: Source, tmp_path: Path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError):
        train(network(), [source], tmp_path / "run", options=SHORT)


def test_openpose_takes_a_step_as_in_the_paper(source: Source, tmp_path: Path):
    """SGD with momentum, six stages, both branches."""
    torch.manual_seed(0)
    network = OpenPose(COCO18)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 52.3
    before = {k: v.clone() for k, v in network.state_dict().items()}
    options = replace(
        SHORT,
        steps=1,
        batch=1,
        optimizer="sgd",
        schedule="constant",
        rate=0.01,
        warmup=0,
        average=0,
    )
    trained = train(network, [source], tmp_path, options=options)
    (loss,) = curve(tmp_path)
    assert 0 < loss < 100
    changed = [k for k, v in trained.state_dict().items() if not torch.equal(v, before[k])]
    assert len(changed) == len(before), "every layer of every stage learns"


def test_nothing_to_train_on_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match="nothing to train on"):
        train(network(), [], tmp_path, options=SHORT)


def test_the_rate_rises_and_falls():
    options = TrainOptions(steps=1000, warmup=100, rate=1.0)
    rates = [rate_at(step, options) for step in range(1000)]
    assert rates[0] < 0.02 and max(rates) == pytest.approx(1.0, abs=0.03)
    assert rates[-1] < 0.01


def test_what_is_saved_is_what_was_learnt_not_what_it_began_with():
    """After 100 steps a decay of 0.998 alone would keep 82 % of the first weights."""
    average = running_average(0.998)
    weights = [torch.zeros(1)]
    for count in range(1, 101):
        average(weights, [torch.full((1,), 1.0)], torch.tensor(count))
    assert weights[0].item() > 0.999
    recent = [torch.zeros(1)]
    for count in range(1, 10_001):
        average(recent, [torch.full((1,), float(count > 9_500))], count)
    assert recent[0].item() == pytest.approx(1 - 0.998**500, abs=1e-3), "long runs as before"


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_an_average_that_is_none_is_told(decay: float):
    with pytest.raises(UsageError, match="average"):
        replace(SHORT, average=decay)


def test_everybody_in_the_view_is_labelled_or_masked_and_nobody_else(tmp_path: Path):
    """Eight infants in the view, ten larger people out of it."""
    inside = np.stack([np.full((len(INFANT22), 2), 6.0 + 7 * i) for i in range(8)])
    keypoints = np.concatenate([np.full((10, len(INFANT22), 2), 200.0), inside]).astype(np.float32)
    state = np.full(keypoints.shape[:2], PRESENT, np.int8)
    state[:10] = ABSENT
    state[5, 0] = UNKNOWN  # far away, it may not hide anything here
    state[-1] = UNKNOWN  # not labelled, but there
    boxes = np.concatenate([keypoints.min(1) - 3, keypoints.max(1) + 3], 1)
    boxes[:10, 2:] += 500
    sample = Sample(np.zeros((64, 64, 3), np.uint8), keypoints, state, boxes.astype(np.float32))
    crowd, alone = as_tensors(sample), as_tensors(replace(sample, **_first(sample, 10)))
    assert (len(crowd["boxes"]), len(alone["boxes"])) == (8, 0)
    batch = collate([crowd, alone])
    assert isinstance(batch, dict) and batch["keypoints"].shape == (2, 8, len(INFANT22), 2)
    targets = make_targets(
        batch["keypoints"],
        batch["state"],
        batch["boxes"],
        INFANT22,
        size=(64, 64),
        stride=1,
        spread=Spread(2.0, 1.0),
    )
    for i in range(7):
        assert targets.confidence[0, 0, 6 + 7 * i, 6 + 7 * i] == 1
    assert targets.confidence_mask[0, 0, 55, 55] == 0, "who is not labelled is no background"
    assert targets.confidence_mask[0, 0, 5, 60] == 1
    assert targets.confidence_mask[1].all() and not targets.confidence[1, :-1].any()


def _first(sample: Sample, count: int) -> dict[str, Any]:
    return {
        "keypoints": sample.keypoints[:count],
        "state": sample.state[:count],
        "boxes": sample.boxes[:count],
    }
