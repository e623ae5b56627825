"""Foreign checkpoints say here what they said at home: names, colours, order of the maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from vid2kp.errors import ModelError
from vid2kp.pose.importing import (
    CheckpointMismatch,
    ImportOptions,
    _caffe_layers,
    import_checkpoint,
)
from vid2kp.pose.lite import Lite
from vid2kp.pose.map_order import ORDERS
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import BODY25, COCO18, INFANT22, Skeleton
from vid2kp.pose.weights import Network, check_model, load_model, save_model
from vid2kp.training.synthetic import write_images
from vid2kp.training.train import Source, TrainOptions, train

Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def foreign() -> OpenPose:
    """A network with two stages that stands for another project's: its conventions are theirs."""
    torch.manual_seed(1)
    return OpenPose(COCO18, stages=2).eval().requires_grad_(False)


def named(network: OpenPose) -> Tensors:
    """As caffemodel2pytorch writes it (Hzzone/pytorch-openpose): the authors' names."""
    state = network.state_dict()
    return {
        f"{name}.{kind}": state[f"{path}.{kind}"]
        for name, path in network.caffe_names().items()
        for kind in ("weight", "bias")
    }


def numbered(network: OpenPose) -> Tensors:
    """As tensorboy's, last-one's and DavexPro's ports write it: Sequentials, by number."""
    front = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25]
    names = list(network.caffe_names())
    numbers = {name: f"model0.{n}" for name, n in zip(names[:12], front, strict=True)}
    for branch in (1, 2):
        for i in range(1, 6):
            numbers[f"conv5_{i}_CPM_L{branch}"] = f"model1_{branch}.{2 * (i - 1)}"
        for stage in range(2, len(network.stages) + 1):
            for i in range(1, 8):
                place = f"model{stage}_{branch}.{2 * (i - 1)}"
                numbers[f"Mconv{i}_stage{stage}_L{branch}"] = place
    renamed = {}
    for key, tensor in named(network).items():
        name, _, kind = key.rpartition(".")
        renamed[f"{numbers[name]}.{kind}"] = tensor
    return renamed


def prefixed(tensors: Tensors, prefix: str) -> Tensors:
    return {prefix + key: tensor for key, tensor in tensors.items()}


def in_blocks(network: OpenPose) -> Tensors:
    """As Hzzone's network itself names them: the authors' names within blocks."""
    blocks = {}
    for key, tensor in named(network).items():
        stage = 1 if "conv5_" in key else int(key.partition("_stage")[2][:1] or 0)
        branch = key.partition("_L")[2][:1]
        blocks[f"model{stage}_{branch}.{key}" if branch else f"model0.{key}"] = tensor
    return blocks


LAYOUTS: dict[str, Callable[[OpenPose], Any]] = {
    "body_pose_model.pth": named,
    "bodypose_model.state_dict()": in_blocks,
    "pose_model.pth": numbered,
    "pose_model_scratch.pth": lambda n: prefixed(numbered(n), "module."),
    "coco_pose_iter_440000.pth.tar": lambda n: {"iter": 0, "state_dict": numbered(n)},
    "openpose_best.pth.tar": lambda n: {
        "iter": 9,
        "state_dict": prefixed(numbered(n), "module."),
        "optimizer": {"param_groups": [{"lr": 0.01}], "state": {}},
    },
    "lower case": lambda n: {key.lower(): tensor for key, tensor in named(n).items()},
    "twice wrapped": lambda n: {"model": prefixed(named(n), "module.module.")},
    "epoch among the layers": lambda n: {
        **prefixed(named(n), "net."),
        "epoch": torch.tensor(3),
    },
    "half": lambda n: {key: tensor.half() for key, tensor in named(n).items()},
}


@pytest.fixture(params=LAYOUTS)
def checkpoint(request: pytest.FixtureRequest, foreign: OpenPose, tmp_path: Path) -> Path:
    torch.save(LAYOUTS[request.param](foreign), tmp_path / "c.pth")
    return tmp_path / "c.pth"


def picture() -> Tensor:
    return torch.randint(0, 256, (1, 48, 64, 3), generator=torch.Generator().manual_seed(2)).to(
        torch.uint8
    )


def caffe_input(images: Tensor) -> Tensor:
    """What the ports feed: BGR / 256 − 0.5."""
    return images.flip(3).permute(0, 3, 1, 2).float() / 256 - 0.5


def assert_same_maps(
    network: OpenPose, theirs: list[tuple[Tensor, Tensor]], order: str = "cmu", atol: float = 1e-5
) -> None:
    """Ours equal theirs, each by its keypoint and limb."""
    limbs, first = ORDERS[order].limbs, int(ORDERS[order].background_first)  # type: ignore[index]
    with torch.inference_mode():
        ours = network(network.normalise(picture()))
    for (confidence, paf), (their_confidence, their_paf) in zip(ours, theirs, strict=True):
        for k in range(18):
            torch.testing.assert_close(
                confidence[:, k], their_confidence[:, first + k], atol=atol, rtol=1e-4
            )
        background = their_confidence[:, 0 if first else 18]
        torch.testing.assert_close(confidence[:, 18], background, atol=atol, rtol=1e-4)
        for c, (a, b) in enumerate(COCO18.limbs):
            sign, place = (1, (a, b)) if (a, b) in limbs else (-1, (b, a))
            at = 2 * limbs.index(place)
            field = sign * their_paf[:, at : at + 2]
            torch.testing.assert_close(paf[:, 2 * c : 2 * c + 2], field, atol=atol, rtol=1e-4)


def test_every_layout_gives_the_same_maps_from_rgb(checkpoint: Path, foreign: OpenPose) -> None:
    imported = import_checkpoint(checkpoint)
    assert isinstance(imported.network, OpenPose)
    assert imported.network.skeleton is COCO18
    with torch.inference_mode():
        theirs = foreign(caffe_input(picture()))
    assert_same_maps(imported.network, theirs, atol=2e-3)  # "half" rounds


def test_colours_and_order_are_those_that_are_told(foreign: OpenPose, tmp_path: Path) -> None:
    torch.save(numbered(foreign), tmp_path / "c.pth")
    options = ImportOptions(colours="rgb", order="last-one")
    imported = import_checkpoint(tmp_path / "c.pth", options=options)
    with torch.inference_mode():
        theirs = foreign(caffe_input(picture()).flip(1))
    assert_same_maps(imported.network, theirs, order="last-one")  # type: ignore[arg-type]


def test_imagenets_mean_goes_into_the_first_layer(foreign: OpenPose, tmp_path: Path) -> None:
    torch.save(named(foreign), tmp_path / "c.pth")
    imported = import_checkpoint(tmp_path / "c.pth", options=ImportOptions(colours="imagenet"))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    theirs = ((picture() / 255 - mean) / deviation).permute(0, 3, 1, 2)
    inside = (..., slice(1, -1), slice(1, -1))
    with torch.inference_mode():
        expected = foreign.front[0](theirs)[inside]
        network = imported.network
        given = network.front[0](network.normalise(picture()))[inside]  # type: ignore[index]
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-4)


def test_limb_orders_are_the_limbs_of_the_keypoint_set() -> None:
    wanted = {frozenset(limb) for limb in COCO18.limbs}
    for order in ORDERS.values():
        assert {frozenset(limb) for limb in order.limbs} == wanted
        assert len(order.limbs) == 19


def test_six_stages_have_all_their_names() -> None:
    """The whole network of the paper, without its 200 MB of numbers."""
    with torch.device("meta"):
        network = OpenPose()
    for layout in (named, numbered, in_blocks):
        layers, _ = _caffe_layers(layout(network))
        assert layers.keys() == named(network).keys()
        assert all(layers[key].shape == t.shape for key, t in named(network).items())


def test_own_checkpoints_are_taken_as_they_are(foreign: OpenPose, tmp_path: Path) -> None:
    torch.save({"network": foreign.state_dict(), "step": 3}, tmp_path / "c.pt")
    imported = import_checkpoint(tmp_path / "c.pt")
    assert imported.layout == "vid2kp"
    for ours, theirs in zip(imported.network.parameters(), foreign.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("skeleton", [INFANT22, COCO18])
def test_own_lite_checkpoints_too(skeleton: Skeleton, tmp_path: Path) -> None:
    network = Lite(skeleton, width=16).eval()
    torch.save({"network": network.state_dict()}, tmp_path / "c.pt")
    imported = import_checkpoint(tmp_path / "c.pt").network
    assert isinstance(imported, Lite)
    assert (imported.skeleton, imported.width) == (skeleton, 16)
    save_model(imported, tmp_path / "lite.safetensors", input_size=256)
    check_model(tmp_path / "lite.safetensors")


@pytest.mark.parametrize("own", [partial(Lite, width=16), partial(OpenPose, stages=1)])
@pytest.mark.parametrize("average", [0.5, 0])
def test_the_checkpoint_of_a_training_gives_what_the_training_gives(
    own: Callable[[Skeleton], Network], average: float, tmp_path: Path
) -> None:
    pictures = write_images(tmp_path, count=2, seed=3, size=96)
    options = TrainOptions(
        size=64, batch=1, steps=2, workers=0, precision="fp32", average=average, every=1
    )
    source = Source(pictures, tmp_path / "images")
    trained = train(own(INFANT22), [source], tmp_path / "run", options=options)
    imported = import_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert (imported.layout, imported.size) == ("vid2kp", 64)
    state = imported.network.state_dict()
    for name, tensor in trained.state_dict().items():
        assert torch.equal(state[name], tensor), name


def test_before_anything_was_averaged_a_checkpoint_gives_what_was_trained(tmp_path: Path) -> None:
    """A checkpoint of the warm-up still has the first weights as its average."""
    network, first = Lite(INFANT22, width=16), Lite(INFANT22, width=16)
    averaged = AveragedModel(first)
    torch.save(
        {"network": network.state_dict(), "averaged": averaged.state_dict()}, tmp_path / "c.pt"
    )
    imported = import_checkpoint(tmp_path / "c.pt").network
    assert all(map(torch.equal, imported.parameters(), network.parameters()))


def test_safetensors_are_read_too(foreign: OpenPose, tmp_path: Path) -> None:
    safetensors.torch.save_file(named(foreign), tmp_path / "c.safetensors")
    assert import_checkpoint(tmp_path / "c.safetensors").layout == "named"


def test_an_imported_model_is_like_any_other(foreign: OpenPose, tmp_path: Path) -> None:
    torch.save(named(foreign), tmp_path / "c.pth")
    network = import_checkpoint(tmp_path / "c.pth").network
    save_model(network, tmp_path / "m.safetensors", input_size=368)
    assert check_model(tmp_path / "m.safetensors").options == {"stages": 2}
    assert load_model(tmp_path / "m.safetensors").skeleton is COCO18


@pytest.mark.parametrize("skeleton", [INFANT22, BODY25])
def test_another_keypoint_set_starts_from_what_is_known(
    foreign: OpenPose, tmp_path: Path, skeleton: Skeleton
) -> None:
    torch.save(named(foreign), tmp_path / "c.pth")
    known = import_checkpoint(tmp_path / "c.pth").network
    imported = import_checkpoint(tmp_path / "c.pth", options=ImportOptions(skeleton=skeleton))
    network = imported.network
    assert network.skeleton is skeleton
    assert set(imported.untrained) == set(skeleton.keypoints) - set(COCO18.keypoints)
    with torch.inference_mode():
        before = known(known.normalise(picture()))
        after = network(network.normalise(picture()))
    # body25 lacks limbs of coco18, which the second stage then misses.
    stages = 1 if skeleton is BODY25 else 2
    for (s0, l0), (s1, l1) in list(zip(before, after, strict=True))[:stages]:
        for k, name in enumerate(skeleton.keypoints):
            if name in COCO18.keypoints:
                torch.testing.assert_close(s1[:, k], s0[:, COCO18.index(name)])
        torch.testing.assert_close(s1[:, -1], s0[:, -1])
        wrist, hand = COCO18.index("left_wrist"), skeleton.keypoints
        if "left_hand" in hand:
            torch.testing.assert_close(s1[:, hand.index("left_hand")], s0[:, wrist])
        for c, (a, b) in enumerate(skeleton.limbs):
            ends = skeleton.keypoints[a], skeleton.keypoints[b]
            if ends[0] in COCO18.keypoints and ends[1] in COCO18.keypoints:
                at = COCO18.limbs.index((COCO18.index(ends[0]), COCO18.index(ends[1])))
                torch.testing.assert_close(l1[:, 2 * c : 2 * c + 2], l0[:, 2 * at : 2 * at + 2])


def test_a_changed_network_trains(foreign: OpenPose, tmp_path: Path) -> None:
    torch.save(named(foreign), tmp_path / "c.pth")
    options = ImportOptions(skeleton=INFANT22)
    network = import_checkpoint(tmp_path / "c.pth", options=options).network
    network.train().requires_grad_(True)
    confidence, _ = network(network.normalise(picture()))[-1]
    confidence[:, INFANT22.index("right_foot")].square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def _change(tensors: Tensors, **changes: Tensor | None) -> Tensors:
    changed = {**tensors, **{key.replace("__", "."): t for key, t in changes.items()}}
    return {key: tensor for key, tensor in changed.items() if tensor is not None}


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        (
            {"conv5_5_CPM_L1__weight": torch.zeros(28, 512, 1, 1)},
            ("conv5_5_CPM_L1.weight", "(28, 512, 1, 1)", "(38, 512, 1, 1)"),
        ),
        ({"conv3_4__bias": None}, ("conv3_4.bias", "missing", "(256,)")),
        ({"fc__weight": torch.zeros(3)}, ("fc.weight", "(3,)", "nothing")),
    ],
)
def test_what_does_not_fit_is_reported_layer_by_layer(
    foreign: OpenPose, tmp_path: Path, changes: dict[str, Any], row: tuple[str, str, str]
) -> None:
    torch.save(_change(named(foreign), **changes), tmp_path / "c.pth")
    with pytest.raises(CheckpointMismatch) as caught:
        import_checkpoint(tmp_path / "c.pth")
    assert caught.value.rows == (row,)
    assert row[0] in caught.value.message


def test_another_network_is_reported_in_short(tmp_path: Path) -> None:
    torch.save({f"layer{i}.weight": torch.zeros(i) for i in range(30)}, tmp_path / "c.pth")
    with pytest.raises(CheckpointMismatch, match=r"and \d\d more") as caught:
        import_checkpoint(tmp_path / "c.pth")
    assert len(str(caught.value)) < 500


class _Surprise:
    """What a hostile checkpoint holds."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("surprise"),))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: {"state_dict": {}, "note": _Surprise()}, "more than tensors"),
        (lambda: [1, 2], "no tensors"),
        (lambda: {"epoch": 3}, "no tensors"),
    ],
)
def test_nothing_but_tensors_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: Callable[[], Any],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content(), "c.pth")
    with pytest.raises(ModelError, match=words):
        import_checkpoint(Path("c.pth"))
    assert not Path("surprise").exists()


@pytest.mark.parametrize("data", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_other_files_are_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c.pth").write_bytes(data)
    (tmp_path / "c.safetensors").write_bytes(data)
    for path in (tmp_path / "c.pth", tmp_path / "c.safetensors", tmp_path / "none.pth"):
        with pytest.raises(ModelError) as caught:
            import_checkpoint(path)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("change", [lambda t: t.to_sparse(), lambda t: t.to("meta"), torch.complex])
def test_tensors_without_plain_numbers_are_one_line(
    tmp_path: Path, change: Callable[..., torch.Tensor]
) -> None:
    state = dict(Lite(INFANT22, width=16).state_dict())
    weight = state["fine.0.0.weight"]
    state["fine.0.0.weight"] = change(*([weight] * (2 if change is torch.complex else 1)))
    torch.save(state, tmp_path / "c.pt")
    with pytest.raises(ModelError, match="without plain numbers"):
        import_checkpoint(tmp_path / "c.pt")


def test_a_lite_network_keeps_its_keypoints(tmp_path: Path) -> None:
    torch.save(Lite(INFANT22, width=16).state_dict(), tmp_path / "c.pt")
    with pytest.raises(ModelError, match="cannot be changed"):
        import_checkpoint(tmp_path / "c.pt", options=ImportOptions(skeleton=COCO18))
