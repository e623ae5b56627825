"""The training loop: it learns, resumes exactly, and takes every network."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vid2kp.errors import UsageError
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.training.synthetic import write_images
from vid2kp.training.train import Progress, Source, TrainOptions, rate_at, train

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


def test_a_run_that_was_killed_goes_on_with_the_same_loss_curve(source: Source, tmp_path: Path):
    whole = train(network(), [source], tmp_path / "whole", options=SHORT)

    def kill(at: Progress) -> None:
        if at.step == 3:  # a checkpoint was written after step 2
            raise Killed

    with pytest.raises(Killed):
        train(network(), [source], tmp_path / "cut", options=SHORT, progress=kill)
    resumed = train(network(), [source], tmp_path / "cut", options=SHORT)
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
