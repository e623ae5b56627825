"""Kills processes of a batch at random, again and again; the results must be those of a calm run.

    python benchmarks/soak.py [--kills 50] [--seed 0] [--cluster]

Converts small clips in one go, then once more while a worker, the whole batch or, with
``--cluster``, a Ray actor is killed (SIGKILL) at a random moment; the same call resumes until all
is done, and a new batch begins until there were enough kills. Ends with an error unless every batch
gave the same bytes as the calm one, and no video was finished twice.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from clips import make_clip

from vid2kp.exit_codes import ALL_DONE, NOTHING_DONE, SOME_FAILED

Victim = Literal["worker", "batch", "actor"]

_SIGNS: dict[Victim, str] = {"worker": "spawn_main", "actor": "Converter"}
_PATIENCE = 600.0

_BATCH = """
import sys
from pathlib import Path
from vid2kp.batch import BatchOptions, run
from vid2kp.convert import ConvertOptions

if __name__ == "__main__":
    videos, out, key, model, cluster = sys.argv[1:]
    crew = {}
    if cluster:
        from vid2kp.cluster import ray_crew

        crew["crew"] = ray_crew("local")
    result = run(
        [videos],
        out,
        options=ConvertOptions(model=model, device="cpu"),
        batch=BatchOptions(jobs=2, key_file=Path(key)),
        **crew,
    )
    sys.exit(result.exit_code)
"""


@dataclass(frozen=True)
class Soak:
    """What is converted, and by whom.

    Attributes:
        videos: folder of the clips.
        key: key file: all batches have the same pseudonyms.
        model: name or path.
        cluster: on a Ray cluster of this machine.
    """

    videos: Path
    key: Path
    model: str
    cluster: bool = False

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        """A batch in a process of its own."""
        arguments = (self.videos, out, self.key, self.model, "cluster" if self.cluster else "")
        return subprocess.Popen([sys.executable, "-c", _BATCH, *map(str, arguments)])

    def finish(self, out: Path) -> float:
        """Seconds of an undisturbed batch, which must deliver everything."""
        begin = time.monotonic()
        code = self.start(out).wait(timeout=_PATIENCE)
        assert code == ALL_DONE, f"an undisturbed batch ended with code {code}"
        return time.monotonic() - begin

    @property
    def victims(self) -> tuple[Victim, ...]:
        """Who may be killed."""
        return ("actor", "batch") if self.cluster else ("worker", "batch")


def soak(what: Soak, work: Path, *, kills: int, seed: int) -> Counter[Victim]:
    """Kills and resumes until there were so many kills; who was killed how often.

    Raises:
        AssertionError: a batch did not give what it should.
    """
    rng = random.Random(seed)
    calm = work / "calm"
    seconds = what.finish(calm)
    killed: Counter[Victim] = Counter()
    batches = 0
    while killed.total() < kills:
        out = work / f"batch{batches}"
        batches += 1
        seconds = _until_done(what, out, killed, kills, seconds, rng)
        _compare(out, calm)
        for folder in (out, _private(out)):
            shutil.rmtree(folder)
    print(f"{batches} batches gave the same bytes after {killed.total()} kills: {dict(killed)}")
    return killed


def _until_done(
    what: Soak, out: Path, killed: Counter[Victim], kills: int, seconds: float, rng: random.Random
) -> float:
    """One batch, resumed until all of its videos have deliverables; how long the last call took."""
    while True:
        begin = time.monotonic()
        process = what.start(out)
        if killed.total() < kills:
            victim = rng.choice(what.victims)
            if _kill(process, victim, rng.uniform(0, 1.2 * seconds)):
                killed[victim] += 1
                print(f"{killed.total():3} {victim}", flush=True)
        code = process.wait(timeout=_PATIENCE)
        if code == ALL_DONE:
            return time.monotonic() - begin
        # A worker that was killed costs its video, until the next call.
        assert code in (SOME_FAILED, NOTHING_DONE, -9), f"a batch ended with code {code}"


def _kill(process: subprocess.Popen[bytes], victim: Victim, delay: float) -> bool:
    """Kills one process after so many seconds; False where the batch was over before."""
    end = time.monotonic() + delay
    while time.monotonic() < end or not _targets(process, victim):
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    targets = _targets(process, victim)
    if not targets or process.poll() is not None:
        return False
    # Ray's own agents take a minute to notice; those who convert must be gone with the batch.
    converting = [child for sign in _SIGNS for child in _targets(process, sign)]
    targets[-1].kill()
    if victim == "batch":
        process.wait()
        _, alive = psutil.wait_procs(converting, timeout=60)
        assert not alive, f"{len(alive)} workers outlived their batch"
    return True


def _targets(process: subprocess.Popen[bytes], victim: Victim) -> list[psutil.Process]:
    try:
        batch = psutil.Process(process.pid)
        if victim == "batch":
            return [batch]
        below = batch.children(recursive=True)
        return [child for child in below if _SIGNS[victim] in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def _compare(out: Path, calm: Path) -> None:
    assert _contents(out) == _contents(calm), "the bytes are not those of an undisturbed batch"
    lines = (_private(out) / "run.jsonl").read_text(encoding="ascii").splitlines()
    done = Counter(e["pseudonym"] for e in map(json.loads, lines) if _is_delivery(e))
    twice = [pseudonym for pseudonym, times in done.items() if times > 1]
    assert not twice, f"{len(twice)} videos were finished twice"


def _is_delivery(event: dict[str, Any]) -> bool:
    return event["event"] == "finished" and event["status"] not in ("failed", "unreadable")


def _contents(folder: Path) -> dict[str, bytes | None]:
    """Every file with its bytes, and every folder, hidden and empty ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def _private(out: Path) -> Path:
    return out.with_name(f"{out.name}.private")


def main() -> None:
    """Make clips, soak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--model", default="infant-lite", help="name or path")
    parser.add_argument("--cluster", action="store_true", help="on Ray, which must be installed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "videos").mkdir()
        for number in range(options.clips):
            clip = work / "videos" / f"{number}.mp4"
            make_clip(clip, width=320, height=240, frames=options.frames + number)
        key = work / "key"
        key.write_bytes(random.Random(0).randbytes(64))
        key.chmod(0o600)
        what = Soak(work / "videos", key, options.model, options.cluster)
        soak(what, work, kills=options.kills, seed=options.seed)


if __name__ == "__main__":
    main()
