"""What 10,000 videos cost beside their conversion: discovery, pseudonyms, claims, records, resume.

    python benchmarks/archive.py [--videos 10000] [--folder /dev/shm]

Makes a folder of tiny files and runs a batch over them whose workers do nothing but put a manifest
where the deliverables would be; then runs it again, which skips everything. Prints milliseconds per
video, by the clock and of the processor, and how much memory the batch took. A folder in memory
shows what the program costs without the disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import psutil
from numpy.typing import NDArray

from vid2kp.batch import BatchOptions, BatchResult, run
from vid2kp.batch.crew import Crew, CrewOptions, Ended, Event
from vid2kp.batch.discovery import find_sources
from vid2kp.batch.worker import Ready, Task
from vid2kp.convert import ConvertOptions, VideoResult
from vid2kp.files import replacing_folder
from vid2kp.privacy.manifest import Manifest, write_manifest

MODEL_SHA256 = "0" * 64
PER_FOLDER = 500


class IdleCrew(Crew):
    """A `Crew` of one that delivers a manifest and nothing else, at once.

    Args:
        convert: options of the conversions.
        options: how workers are kept.

    Attributes:
        seconds: that the writing of manifests has taken; conversions would take it as well.
    """

    seconds: ClassVar[NDArray[np.float64]] = np.zeros(2)

    def __init__(self, convert: ConvertOptions, options: CrewOptions) -> None:
        self.jobs = min(options.jobs, options.most)
        self._given: list[Task] = []
        self.ready = Ready(
            model_sha256=MODEL_SHA256, device="cpu", precision="fp32", gpus=0, limited=True
        )

    def start(self) -> Ready:
        """There is nothing to load."""
        return self.ready

    @property
    def tasks(self) -> list[Task]:
        """What was given since the last events."""
        return list(self._given)

    def give(self, task: Task) -> None:
        """Takes a video."""
        self._given.append(task)

    def events(self, timeout: float) -> list[Event]:
        """Delivers what was given."""
        events: list[Event] = [Ended(task, _deliver(task)) for task in self._given]
        self._given = []
        return events

    def close(self) -> None:
        """There is nothing to end."""


def _deliver(task: Task) -> VideoResult:
    begin = _now()
    with replacing_folder(task.folder) as part:
        manifest = Manifest(
            pseudonym=task.pseudonym,
            status="done",
            reason="",
            model_name="none",
            model_sha256=MODEL_SHA256,
            tool_version="0",
            counts={"frames": 1},
            options={},
            render={},
            libraries={},
            key_id=task.key_id,
        )
        write_manifest(part, manifest)
    IdleCrew.seconds += _now() - begin
    return VideoResult(task.pseudonym, "done", "", frames=1, folder=task.folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to work, the temporary folder")
    options = parser.parse_args()
    videos: int = options.videos
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, out = Path(name) / "videos", Path(name) / "out"
        _make(Path(name) / "few", 10)
        _batch(Path(name) / "few", Path(name) / "out of few")  # loads all libraries
        IdleCrew.seconds = np.zeros(2)
        _make(folder, videos)
        begin = _now()
        find_sources([folder])
        _show("discovery", _now() - begin, videos)
        before = psutil.Process().memory_info().rss
        first = _batch(folder, out)
        _show("first run beside the writing of deliverables", first - IdleCrew.seconds, videos)
        between = psutil.Process().memory_info().rss
        _show("second run, all finished", _batch(folder, out), videos)
        after = psutil.Process().memory_info().rss
        for what, grown in (("first", between - before), ("second", after - between)):
            print(f"{grown / 2**20:8.1f} MiB taken by the {what} run")


def _make(folder: Path, videos: int) -> None:
    for number in range(videos):
        here = folder / f"{number // PER_FOLDER:04}"
        here.mkdir(parents=True, exist_ok=True)
        (here / f"{number:06}.mp4").write_bytes(number.to_bytes(8))


def _now() -> NDArray[np.float64]:
    """(2,) seconds: of the clock, and of the processor for this process."""
    return np.array([time.perf_counter(), time.process_time()])


def _batch(folder: Path, out: Path) -> NDArray[np.float64]:
    """(2,) seconds of a whole run."""
    begin = _now()
    result: BatchResult = run(
        [folder], out, options=ConvertOptions(), batch=BatchOptions(jobs=1), crew=IdleCrew
    )
    assert result.exit_code == 0
    return _now() - begin


def _show(what: str, seconds: NDArray[np.float64], videos: int) -> None:
    wall, processor = seconds / videos * 1e3
    print(f"{wall:8.3f} ms per video, {processor:8.3f} of the processor  {what}", flush=True)


if __name__ == "__main__":
    main()
