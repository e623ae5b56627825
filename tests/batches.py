"""Whole batches in a test: a small model that sees people everywhere, clips, and what came out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from media import Clip, make

from vid2kp.convert import ConvertOptions
from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import SKELETONS
from vid2kp.pose.weights import save_model

LONG_FRAMES = 48


def make_model(path: Path, *, seed: int = 2) -> Path:
    """A network that sees somebody in any clip.

    Its random confidence maps are loud, and its part affinity fields point down and to the right
    everywhere, so that whatever peaks lie that way from each other are a limb.
    """
    torch.manual_seed(seed)
    network = Lite(SKELETONS["coco18"], width=16)
    confidence, affinity = network.stage2[1].confidence[-1], network.stage2[1].affinity[-1]
    with torch.no_grad():
        confidence.weight.mul_(10)
        confidence.bias.add_(0.2)
        affinity.weight.zero_()
        affinity.bias.fill_(0.7)
    save_model(network, path, input_size=96)
    return path


def make_videos(folder: Path) -> Path:
    """Two long clips, two short ones under odd names, and one file that is no video."""
    (folder / "Ward 7").mkdir(parents=True)
    make(folder / "a.mp4", Clip(frames=LONG_FRAMES))
    make(folder / "b.mkv", Clip(frames=LONG_FRAMES, first_number=50))
    make(folder / "Ward 7" / "c.mp4", Clip(frames=12)).rename(folder / "Ward 7" / "-Müster\n.MP4")
    make(folder / "Ward 7" / "d.mov", Clip(frames=8, first_number=99))
    (folder / "Ward 7" / "e.avi").write_bytes(b"no video at all")
    return folder


def make_key(path: Path) -> Path:
    """A key file: two output folders made with it have the same pseudonyms."""
    path.write_bytes(bytes(range(64)))
    path.chmod(0o600)
    return path


@dataclass(frozen=True)
class Materials:
    """What batches are made of.

    Attributes:
        videos: folder with four clips and one file that is no video.
        key: a key file.
        options: of the conversions: the loud model on the CPU.
    """

    videos: Path
    key: Path
    options: ConvertOptions


def names(folder: Path) -> set[str]:
    """Everything below a folder, hidden and empty folders too."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def log(out: Path, event: str) -> list[dict[str, Any]]:
    """The lines of the private log about one kind of event."""
    text = out.with_name(f"{out.name}.private").joinpath("run.jsonl").read_text()
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]


_SCRIPT = """
import sys
from pathlib import Path
from vid2kp.batch import BatchOptions, run
from vid2kp.convert import ConvertOptions

videos, out, key, model, shard = sys.argv[1:]
result = run(
    [videos],
    out,
    options=ConvertOptions(model=model, device="cpu"),
    batch=BatchOptions(jobs=1, key_file=Path(key), shard=eval(shard)),
    progress=lambda event: print(event.kind, event.done, event.pseudonym, flush=True),
)
sys.exit(result.exit_code)
"""


def start_process(
    materials: Materials, out: Path, *, shard: tuple[int, int] | None = None
) -> subprocess.Popen[str]:
    """A batch in a process of its own; each event is a line of its output."""
    arguments = (materials.videos, out, materials.key, materials.options.model, shard)
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
