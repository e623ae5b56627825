"""Batches with real worker processes: what they deliver, and what no disaster changes."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from batches import LONG_FRAMES, Materials, contents, log, start_process
from media import Clip, make

from vid2kp.batch import BatchOptions, BatchResult, Progress, run
from vid2kp.batch.crew import Ended, Event
from vid2kp.batch.pool import Pool
from vid2kp.batch.run import _way
from vid2kp.batch.worker import Ready
from vid2kp.batch.workload import Way
from vid2kp.convert import ConvertOptions
from vid2kp.errors import UsageError
from vid2kp.exit_codes import SOME_FAILED
from vid2kp.files import EPOCH
from vid2kp.privacy.manifest import REASON
from vid2kp.privacy.pseudonym import Key
from vid2kp.privacy.verify import verify
from vid2kp.tracks.index import read_index
from vid2kp.tracks.schema import STATUSES

Undisturbed = tuple[Path, BatchResult, list[Progress]]


def private(out: Path) -> Path:
    return out.with_name(f"{out.name}.private")


def test_every_video_ends_in_a_deliverable_or_a_status(undisturbed: Undisturbed) -> None:
    out, result, events = undisturbed
    assert result.exit_code == 1
    assert all(video.status in STATUSES for video in result.results[:4])
    assert result.results[4].status == "unreadable"
    assert [video.frames for video in result.results] == [LONG_FRAMES, LONG_FRAMES, 12, 8, 0]
    assert result.results[-1].folder is None
    assert sum(video.found > 0 for video in result.results) >= 3, "the model should see somebody"
    delivered = {video.folder.name for video in result.results if video.folder}
    assert {path.name for path in out.iterdir()} == delivered | {"index.parquet", "report.html"}
    kinds = Counter(event.kind for event in events)
    assert (kinds["ready"], kinds["started"], kinds["finished"]) == (1, 5, 5)
    assert events[-1].done == events[-1].videos == 5
    moved = [event for event in events if event.kind == "frames"]
    assert any(event.frames_expected == LONG_FRAMES for event in moved)


def test_the_index_has_a_row_per_video(undisturbed: Undisturbed) -> None:
    out, result, _ = undisturbed
    rows = read_index(out / "index.parquet").to_pylist()
    by_pseudonym = {video.pseudonym: video for video in result.results}
    assert [row["pseudonym"] for row in rows] == sorted(by_pseudonym)
    for row in rows:
        video = by_pseudonym[row["pseudonym"]]
        assert (row["status"], row["frames"], row["reason"]) == (
            video.status,
            video.frames,
            video.reason,
        )
        assert row["seconds"] == pytest.approx(video.seconds)
        assert row["found"] == pytest.approx(video.found)
        assert row["people"] > 0 or not video.found
        assert row["look"] == ",".join(video.look)
        assert row["view_changes"] == video.quality.get("view_changes")


def test_nothing_under_out_tells_where_it_came_from(
    undisturbed: Undisturbed, materials: Materials
) -> None:
    out, result, _ = undisturbed
    needles = ["Mustermann", "Ward 7", "Müster", materials.options.model, str(out.parent)]
    for name, data in contents(out).items():
        for needle in needles:
            assert needle.encode() not in name.encode() + data, (needle, name)
    for path in (out, *out.rglob("*")):
        assert path.stat().st_mtime == EPOCH
    shown = repr(replace(result, folder=Path(), private=Path(), results=()))
    shown += "".join(video.reason for video in result.results)
    assert not any(needle in shown for needle in needles)


def test_the_private_folder_knows_and_is_closed(
    undisturbed: Undisturbed, materials: Materials
) -> None:
    out, _, _ = undisturbed
    folder = private(out)
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path.name
    (failed,) = (line for line in log(out, "finished") if line["status"] == "unreadable")
    assert failed["source"] == str(materials.videos / "Ward 7" / "e.avi")
    assert "UnreadableVideo" in failed["detail"]
    assert not list((folder / "claims").iterdir())
    assert not list((folder / "runs").iterdir())


def test_what_is_finished_is_skipped_however_it_is_to_be_computed(
    undisturbed: Undisturbed, materials: Materials, tmp_path: Path
) -> None:
    out, first, _ = undisturbed
    loud = Path(materials.options.model)
    for file in (loud, loud.with_suffix(".json")):
        shutil.copy(file, tmp_path)
    before = contents(out)
    events: list[Progress] = []
    result = run(
        [materials.videos],
        out,
        options=replace(materials.options, model=str(tmp_path / loud.name), batch_size=1),
        batch=BatchOptions(jobs=1, key_file=materials.key),
        progress=events.append,
    )
    assert (result.exit_code, result.results) == (1, first.results)
    assert len(result.skipped) == 4
    assert Counter(event.kind for event in events)["started"] == 1  # the unreadable one
    assert contents(out) == before


def test_results_that_somebody_removes_meanwhile_are_missed(
    materials: Materials, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def remove_first(event: Progress) -> None:
        if event.kind == "finished" and event.done == 1 and event.result is not None:
            shutil.rmtree(out)

    call = ([materials.videos], out)
    options, batch = materials.options, BatchOptions(jobs=1)
    first = run(*call, options=options, batch=batch, progress=remove_first)
    assert first.exit_code == SOME_FAILED
    assert any("Somebody removed the results of 1 of the videos" in note for note in first.notes)
    again = run(*call, options=options, batch=batch)
    assert len(again.skipped) == 3
    assert all(one.folder is None or one.folder.is_dir() for one in again.results)


def test_the_precision_that_is_used_tells_results_apart_and_the_device_does_not() -> None:
    on_cpu = Ready(model_sha256="aa", device="cpu", precision="bf16", gpus=0, limited=True)
    on_gpu = replace(on_cpu, device="cuda", gpus=1)
    options = ConvertOptions(device="cpu", precision="bf16")

    def way(options: ConvertOptions, ready: Ready) -> Way:
        return _way(options, ready, overwrite=False)

    assert way(options, on_cpu) == way(ConvertOptions(device="cuda"), on_gpu)
    assert way(ConvertOptions(), on_cpu) != way(ConvertOptions(), replace(on_cpu, precision="fp32"))
    assert way(options, on_cpu) != way(replace(options, rotate="90"), on_cpu)


class Thief(Pool):
    """Workers whose first result is gone before the batch has looked at it."""

    stolen = ""

    def events(self, timeout: float) -> list[Event]:
        events = super().events(timeout)
        for task in (event.task for event in events if isinstance(event, Ended)):
            self.stolen = self.stolen or task.pseudonym
            if task.pseudonym == self.stolen:
                shutil.rmtree(task.folder)
        return events


def test_a_result_that_is_removed_at_once_costs_its_video_alone(
    materials: Materials, tmp_path: Path
) -> None:
    call = ([materials.videos / "Ward 7"], tmp_path / "out")
    options, batch = materials.options, BatchOptions(jobs=1)
    result = run(*call, options=options, batch=batch, crew=Thief)
    assert result.exit_code == SOME_FAILED
    stolen, other, _ = result.results
    assert (stolen.status, stolen.folder) == ("failed", None)
    assert REASON.fullmatch(stolen.reason)
    assert other.status in STATUSES
    assert {row["status"] for row in read_index(result.folder / "index.parquet").to_pylist()} == {
        one.status for one in result.results
    }
    assert not list((result.private / "claims").iterdir())
    assert len(run(*call, options=options, batch=batch).skipped) == 1


def test_without_its_output_folder_a_run_still_says_what_came_of_it(
    materials: Materials, tmp_path: Path
) -> None:
    def remove_all(event: Progress) -> None:
        if event.kind == "finished" and event.done == event.videos:
            shutil.rmtree(tmp_path / "out")

    clip = materials.videos / "Ward 7" / "d.mov"
    result = run([clip], tmp_path / "out", options=materials.options, progress=remove_all)
    assert (result.exit_code, len(result.results)) == (SOME_FAILED, 1)
    assert any("The index could not be written" in note for note in result.notes)
    assert any("Somebody removed the results of 1" in note for note in result.notes)
    assert log(tmp_path / "out", "no index")


def test_results_that_were_removed_with_their_video_leave_the_index(
    materials: Materials, tmp_path: Path
) -> None:
    out, videos = tmp_path / "out", tmp_path / "videos"
    videos.mkdir()
    for name in ("c.mov", "d.mov"):
        shutil.copy(materials.videos / "Ward 7" / "d.mov", videos / name)
    gone, stays = run([videos], out, options=materials.options).results
    (videos / "c.mov").unlink()
    shutil.rmtree(out / gone.pseudonym)
    result = run([videos], out, options=materials.options)
    assert read_index(out / "index.parquet")["pseudonym"].to_pylist() == [stays.pseudonym]
    assert any("The results of 1 of the other videos" in note for note in result.notes)
    assert not verify(out).findings


def test_a_killed_batch_goes_on_and_gives_the_same_bytes(
    undisturbed: Undisturbed, materials: Materials, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start_process(materials, out)
    assert process.stdout is not None
    finished = set()
    for line in process.stdout:
        kind, done, pseudonym = line.rstrip("\n").split(" ")
        if kind == "finished":
            finished.add(pseudonym)
        if kind == "frames" and int(done) == 1:
            break  # in the middle of the second video
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive, "a worker outlived its parent"
    assert {path.name for path in out.iterdir() if path.name[0] != "."} == finished
    result = run(
        [materials.videos],
        out,
        options=materials.options,
        batch=BatchOptions(jobs=2, key_file=materials.key),
    )
    assert result.skipped == finished
    assert contents(out) == contents(undisturbed[0])


def on_frames(act: Callable[[int], None]) -> Callable[[Progress], None]:
    """Calls ``act`` with the number of the video, from 0, when its frames are seen to move."""
    begun: dict[str, int] = {}

    def progress(event: Progress) -> None:
        if event.kind == "started":
            begun[event.pseudonym] = len(begun)
        elif event.kind == "frames" and (number := begun.get(event.pseudonym, -1)) >= 0:
            begun[event.pseudonym] = -1
            act(number)

    return progress


def workers() -> list[psutil.Process]:
    """The living worker processes of this one; not the helper that multiprocessing keeps."""
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_crash_hang_and_interrupt_cost_one_video_each(
    undisturbed: Undisturbed, materials: Materials, tmp_path: Path
) -> None:
    # The order is that of the names: two long clips, then a short one and a long one again.
    videos = tmp_path / "videos"
    shutil.copytree(materials.videos, videos, copy_function=shutil.copy2)
    (videos / "Ward 7" / "e.avi").unlink()
    (videos / "Ward 7" / "d.mov").unlink()
    make(videos / "Ward 7" / "z.mp4", Clip(frames=LONG_FRAMES, first_number=7))
    disasters = (
        lambda: workers()[0].send_signal(signal.SIGSEGV),
        lambda: workers()[0].send_signal(signal.SIGSTOP),
        lambda: None,
        lambda: os.kill(os.getpid(), signal.SIGINT),
    )
    out = tmp_path / "out"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    result = run(
        [videos],
        out,
        options=materials.options,
        batch=BatchOptions(jobs=1, stall_seconds=10),
        progress=on_frames(lambda number: disasters[number]()),
    )
    assert result.exit_code == 130
    crashed, hung, whole = result.results
    assert (crashed.status, hung.status) == ("failed", "failed")
    assert whole.status in STATUSES
    assert "SIGSEGV" in crashed.reason
    assert "10 seconds" in hung.reason
    assert {path.name for path in out.iterdir()} == {whole.pseudonym, "index.parquet"}
    assert "Segmentation fault" in log(out, "finished")[0]["detail"]
    assert not list((private(out) / "claims").iterdir())
    assert not workers()


def test_two_processes_share_one_output_folder(
    undisturbed: Undisturbed, materials: Materials, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start_process(materials, out)
    result = run(
        [materials.videos],
        out,
        options=materials.options,
        batch=BatchOptions(jobs=1, key_file=materials.key),
    )
    process.communicate(timeout=120)
    assert (process.returncode, result.exit_code) == (1, 1)
    assert contents(out) == contents(undisturbed[0])
    finished = [line for line in log(out, "finished") if line["status"] in STATUSES]
    assert len({line["pseudonym"] for line in finished}) == len(finished) == 4


def test_where_nothing_can_be_converted_the_exit_code_is_3(
    materials: Materials, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run([materials.videos / "Ward 7" / "e.avi"], out, options=materials.options)
    assert result.exit_code == 3
    (row,) = read_index(out / "index.parquet").to_pylist()
    assert (row["status"], row["frames"]) == ("unreadable", 0)


def test_a_dry_run_measures_and_leaves_everything_alone(
    undisturbed: Undisturbed, materials: Materials, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    shutil.copytree(private(undisturbed[0]), private(out))
    new = make(tmp_path / "new.mp4", Clip(frames=50))
    (private(out) / "links.csv").chmod(0o400)
    (private(out) / "records").chmod(0o500)
    private(out).chmod(0o500)
    before = contents(tmp_path)
    result = run(
        [materials.videos, new],
        out,
        options=materials.options,
        batch=BatchOptions(dry_run=True, key_file=materials.key),
    )
    plan = result.plan
    assert plan is not None
    assert (result.exit_code, plan.finished, plan.to_do, plan.frames) == (0, 4, 2, 50)
    assert plan.frames_per_second is not None
    assert plan.seconds == pytest.approx(50 / plan.frames_per_second)
    assert contents(tmp_path) == before


def test_a_model_that_is_not_there_is_wrong_usage(materials: Materials, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    options = replace(materials.options, model="no-such-model")
    with pytest.raises(UsageError, match="no such model"):
        run([materials.videos], out, options=options)
    assert not out.exists()
    assert not private(out).exists()


def test_what_cannot_work_is_refused_before_anything_is_done(
    materials: Materials, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(UsageError, match="not a folder"):
        run([materials.videos], file, options=materials.options)
    with pytest.raises(UsageError, match="in the output folder"):
        run([materials.videos], materials.videos.parent, options=materials.options)
    open_key = tmp_path / "key"
    open_key.write_bytes(bytes(40))
    open_key.chmod(0o644)
    with pytest.raises(UsageError, match="Others may read the key"):
        run([materials.videos], tmp_path / "out", batch=BatchOptions(key_file=open_key))
    assert {path.name for path in tmp_path.iterdir()} == {"file", "key"}


def test_pseudonyms_of_the_keyed_mode_are_those_of_the_key(
    undisturbed: Undisturbed, materials: Materials
) -> None:
    key = Key.read(materials.key)
    expected = [
        key.pseudonym(str((materials.videos / name).resolve())) for name in ("a.mp4", "b.mkv")
    ]
    assert [video.pseudonym for video in undisturbed[1].results[:2]] == expected
    table = read_index(undisturbed[0] / "index.parquet")
    assert set(expected) <= set(table["pseudonym"].to_pylist())
    assert pa.types.is_dictionary(table["status"].type)
