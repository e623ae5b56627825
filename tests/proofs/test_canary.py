"""Second proof: a patch that stands in every frame is in no file, no write and no drawing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from dirty import PATCH_PLACE, PATCH_SIDE, likeness, patch, patch_bytes
from hospital import Run, Scene
from watched import has_strace

from vid2kp.privacy.needles import Needles, scan
from vid2kp.privacy.pseudonym import PSEUDONYM, Links
from vid2kp.video.read import VideoReader, read_video

pytestmark = pytest.mark.timeout(900)  # a whole run, on however busy a machine

_VISIBLE = 0.15  # likeness of a drawing that shows the patch ever so faintly

needs_strace = pytest.mark.skipif(not has_strace(), reason="strace is missing or may not trace")


@pytest.fixture(scope="module")
def wanted() -> Needles:
    return Needles({text.lower(): "canary" for text in patch_bytes()}, left_out=0, unread=0)


def test_the_decoder_has_the_patch(scene: Scene, wanted: Needles, tmp_path: Path) -> None:
    row, column = PATCH_PLACE
    lumas = read_video(scene.canary, _lumas)
    assert len(lumas) == 24
    for luma in lumas:
        seen = luma[row : row + PATCH_SIDE, column : column + PATCH_SIDE]
        assert np.array_equal(seen, patch())
    # The search would find a frame that was saved, and one row of it.
    np.save(tmp_path / "frame.npy", lumas[0])
    (tmp_path / "row.bin").write_bytes(b".." + np.float32(patch()[7]).tobytes())
    assert scan(tmp_path / "frame.npy", wanted) == scan(tmp_path / "row.bin", wanted) == {"canary"}


def _lumas(reader: VideoReader) -> list[np.ndarray]:
    return [frame.planes.y.copy() for frame in reader.frames() if frame.planes is not None]


def test_no_file_that_is_left_holds_the_patch(run: Run, wanted: Needles) -> None:
    folders = (run.out, run.private, run.watched.home)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path.name for path in files if scan(path, wanted)]


@needs_strace
def test_no_byte_that_any_process_wrote_holds_the_patch(
    run: Run, wanted: Needles, tmp_path: Path
) -> None:
    """Pipes, files without a name and files that are gone again are among them."""
    written = tmp_path / "written"
    written.write_bytes(run.watched.written())
    # What stayed on the disk went through here, so the watch missed nothing.
    for path in run.out.rglob("*.parquet"):
        assert path.read_bytes()[100:164] in written.read_bytes()
    assert scan(written, wanted) == set()


@needs_strace
def test_there_is_no_other_way_out_of_the_process(run: Run) -> None:
    """No shared memory, no file mapped for writing, nothing sent past the calls looked at."""
    calls = run.watched.calls
    assert calls is not None
    names = {line.split("(")[0].split()[-1] for line in calls if "(" in line}
    assert {"openat", "write", "mmap"} <= names
    forbidden = {
        "memfd_create", "sendfile", "splice", "tee", "vmsplice", "copy_file_range",
        "process_vm_writev", "io_uring_setup", "shmget", "sendto", "sendmsg", "sendmmsg",
    }  # fmt: skip
    assert names & forbidden == set()
    mapped = [line for line in calls if "mmap(" in line and "MAP_SHARED" in line]
    assert not [line for line in mapped if "PROT_WRITE" in line and "MAP_ANONYMOUS" not in line]


def _is_expected(path: Path, run: Run) -> bool:
    """Whether it is a deliverable, on its way or in its place, or a file of the private folder."""
    if path.is_relative_to(run.private):
        return True
    if not path.is_relative_to(run.out):
        return str(path) == "/dev/null" or str(path).startswith("/proc/self/")
    for name in path.relative_to(run.out).parts:
        stem = name.removesuffix(".part").removeprefix(".")
        known = {"tracks", "frames", "skeleton", "manifest", "index", "report", "clean"}
        if not PSEUDONYM.fullmatch(stem[:26]) and stem.split(".")[0] not in known:
            return False
    return True


def _absolute(paths: set[Path], scene: Scene) -> set[Path]:
    return {scene.base / path for path in paths}


@needs_strace
def test_every_file_that_any_process_made_is_known(run: Run, scene: Scene) -> None:
    created = _absolute(run.watched.created(), scene) - {scene.base / "home.events"}
    assert run.out / "index.parquet" in created
    assert sum(path.name == "skeleton.mp4" for path in created) == 5
    assert {path for path in created if not _is_expected(path, run)} == set()


def test_every_file_that_python_opened_for_writing_is_known(run: Run, scene: Scene) -> None:
    processes = {process for process, *_ in run.watched.events}
    assert processes == {"parent", "worker"}, "both are watched"
    opened = _absolute(run.watched.opened(), scene)
    assert any(path.name.startswith(".skeleton.mp4.") for path in opened)
    strange = {path for path in opened if not _is_expected(path, run)}
    assert {p for p in strange if p.parent.parent != run.out and p.parent != run.out} == set()
    # Where files cannot be made without a name, one with a random name lies among the parts.
    assert all(path.name.startswith((".", "tmp")) and not path.exists() for path in strange)


def _pictures(video: Path) -> Iterator[np.ndarray]:
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray()[: frame.height].astype(np.float32)


def test_no_drawing_shows_the_patch(run: Run, scene: Scene) -> None:
    sources = Links(run.private).sources()
    (name,) = (name for name, source in sources.items() if source.name == scene.canary.name)
    pictures = list(_pictures(run.out / name / "skeleton.mp4"))
    assert len(pictures) == 24
    assert max(float(np.ptp(picture)) for picture in pictures) > 50, "somebody is drawn"
    assert max(map(likeness, pictures)) < _VISIBLE
    # What is too faint to be seen in one picture would add up in all of them.
    mean = np.mean(pictures, axis=0)
    assert likeness(mean) < _VISIBLE
    assert likeness(_with_patch(mean)) > 2 * _VISIBLE, "the search would find it"


def _with_patch(picture: np.ndarray) -> np.ndarray:
    """The picture with the patch where it stood in the source, as a faint shade."""
    scale = picture.shape[1] / 160
    row, column, side = (round(scale * place) for place in (*PATCH_PLACE, PATCH_SIDE))
    shown = picture.copy()
    shade = cv2.resize(patch().astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST)
    shown[row : row + side, column : column + side] += 0.2 * shade
    return shown
