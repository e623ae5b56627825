"""Many videos: each is claimed, converted by a worker, recorded; what was finished is skipped.

Whatever happens to one video, the next one is done. What one run leaves undone, however it ended,
the same call does later, and the deliverables are the same bytes as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

import vid2kp
from vid2kp.batch.claims import open_claims
from vid2kp.batch.crew import CrewMaker, CrewOptions
from vid2kp.batch.discovery import Found, Source, find_sources
from vid2kp.batch.ledger import Ledger, fingerprint_of
from vid2kp.batch.options import BatchOptions, BatchResult, ProgressCallback
from vid2kp.batch.plan import make_plan, shortened
from vid2kp.batch.pool import Pool, available_cores
from vid2kp.batch.worker import Ready
from vid2kp.batch.workload import Way, Workload
from vid2kp.convert import ConvertOptions, VideoResult
from vid2kp.errors import ModelError, OutputError, PrivacyError, UsageError, Vid2kpError
from vid2kp.exit_codes import ALL_DONE, CUT_SHORT, INTERRUPTED, NOTHING_DONE, SOME_FAILED
from vid2kp.files import is_of_full_disk, output_errors
from vid2kp.privacy.harden import shortfalls
from vid2kp.privacy.manifest import OPTIONS
from vid2kp.privacy.pseudonym import (
    PSEUDONYM,
    Key,
    Links,
    check_places,
    private_folder,
    private_path,
    table_of,
)
from vid2kp.render.report import write_report
from vid2kp.tracks.schema import INDEX_FILE, REPORT_FILE

_CORES_PER_JOB: Final = 4
_MEMORY_PER_JOB: Final = 3 << 29


def run(
    inputs: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    options: ConvertOptions | None = None,
    batch: BatchOptions | None = None,
    progress: ProgressCallback | None = None,
    crew: CrewMaker = Pool,
) -> BatchResult:
    """Converts all videos of files and folders into an output folder.

    A video that was finished before (same source, options and model) is skipped. Several processes
    may share an output folder: each video is done by one of them. Worker processes are spawned, so
    a script that calls this must guard its entry with ``if __name__ == "__main__":``.

    Args:
        inputs: files and folders, see `find_sources`.
        out: the output folder; made if missing. ``OUT.private`` appears beside it.
        options: what to do with each video.
        batch: how to work through them.
        progress: called in this thread whenever something happens.
        crew: makes the workers: processes of this machine, or those of `vid2kp.cluster`.

    Returns:
        what came of every video. Ctrl-C ends the batch early, with exit code 130.

    Raises:
        UsageError: nothing was done: no input, no such model or device, or the output folder
            cannot be used.
        OutputError: the private folder cannot be used any more.
    """
    options, batch = options or ConvertOptions(), batch or BatchOptions()
    out = Path(out).resolve()
    if out.exists() and not out.is_dir():
        raise UsageError("The output is a file, not a folder.", hint="Choose another name.")
    found = find_sources(inputs, out=out)
    sources = [source for source in found.sources if is_in_shard(source, batch.shard)]
    if batch.dry_run:
        return _dry_run(sources, out, options, batch, crew)
    with (
        _prepared(out, batch) as (private, links),
        open_claims(private) as claims,
        crew(options, _crew_options(batch, len(sources), claims.diary)) as pool,
    ):
        with _as_usage_error():
            ready = pool.start()
        ledger = Ledger(private, run=claims.run)
        ledger.log(
            "begin", **_circumstances(options, batch), ready=asdict(ready), closed=found.closed
        )
        workload = Workload(
            sources,
            out=out,
            links=links,
            claims=claims,
            ledger=ledger,
            pool=pool,
            way=_way(options, ready, overwrite=batch.overwrite),
            progress=progress,
        )
        interrupted = _work(workload)
        indexed = _is_written("index", workload.write_index, ledger)
        reported = interrupted or not (batch.report and indexed)
        reported = reported or _is_written("report", lambda: write_report(out), ledger)
        end = _End(
            indexed=indexed,
            reported=reported,
            lost=_lost(workload, out),
            removed=len(workload.removed - {result.pseudonym for result in workload.results}),
            halted=workload.halted,
            unbegun=workload.unbegun,
            foreign=_foreign(out),
        )
        result = BatchResult(
            results=tuple(workload.results),
            skipped=frozenset(workload.skipped),
            exit_code=INTERRUPTED if interrupted else _exit_code(workload.results, end),
            folder=out,
            private=private,
            notes=_notes(found, batch, end, limited=ready.limited),
        )
        _log(ledger, "end", exit_code=result.exit_code)
        return result


@dataclass(frozen=True, kw_only=True)
class _End:
    """What the end of a run left to be desired, beside videos that failed.

    Attributes:
        indexed: whether the index was written.
        reported: whether the report was, where it could and should be.
        lost: how many results of the run are there no more.
        removed: how many of other runs.
        halted: why no video was begun any more, a sentence; "" where all were.
        unbegun: how many videos were not begun for that.
        foreign: how many things in the output folder are no results.
    """

    indexed: bool
    reported: bool
    lost: int
    removed: int
    halted: str
    unbegun: int
    foreign: int

    @property
    def is_whole(self) -> bool:
        """Whether all that was delivered is there and in the index."""
        return self.indexed and not self.lost


def _work(workload: Workload) -> bool:
    """Whether it was interrupted; either way only whole results are left."""
    try:
        workload.work()
    except KeyboardInterrupt:
        workload.abandon()
        return True
    return False


def _is_written(what: str, write: Callable[[], object], ledger: Ledger) -> bool:
    """Writes the index or the report; without them the results are complete all the same."""
    try:
        write()
    except (OSError, Vid2kpError) as error:
        _log(ledger, f"no {what}", reason=str(error))
        return False
    return True


def _log(ledger: Ledger, event: str, **facts: object) -> None:
    """Adds a line to the private log if it can: it must not hide what came of the videos."""
    with contextlib.suppress(OutputError):
        ledger.log(event, **facts)


def _dry_run(
    sources: Sequence[Source],
    out: Path,
    options: ConvertOptions,
    batch: BatchOptions,
    crew: CrewMaker,
) -> BatchResult:
    private = private_path(out)
    with tempfile.TemporaryDirectory(prefix="vid2kp-") as name:
        folder = Path(name)
        crew_options = _crew_options(batch, len(sources), folder / "diary")
        with crew(shortened(options), crew_options) as pool:
            with _as_usage_error():
                ready = pool.start()
                way = _way(options, ready, overwrite=batch.overwrite)
                finished = _finished(sources, out, table_of(batch.links or private), way)
            to_do = [source for source in sources if source not in finished]
            plan = make_plan(to_do, len(finished), options=options, pool=pool, folder=folder)
    return BatchResult(
        results=(),
        skipped=frozenset(finished.values()),
        exit_code=ALL_DONE,
        folder=out,
        private=private,
        plan=plan,
    )


def _finished(sources: Sequence[Source], out: Path, table: Path, way: Way) -> dict[Source, str]:
    """The pseudonyms of the videos that need not be done; writes nothing."""
    if not table.exists():
        return {}
    ledger = Ledger(private_path(out), run="")
    links = Links(table, for_reading=True)
    pseudonyms = {source: name for name, source in links.sources().items()}
    finished = {}
    for source in sources:
        pseudonym = pseudonyms.get(source.path.resolve(), "")
        record = ledger.delivered(pseudonym)
        if record and way.made(record, fingerprint_of(source.path)) and record.is_complete_in(out):
            finished[source] = pseudonym
    return finished


@contextlib.contextmanager
def _prepared(out: Path, batch: BatchOptions) -> Iterator[tuple[Path, Links]]:
    """The private folder and the pseudonyms; if nothing could be done, no new folder stays."""
    fresh = [folder for folder in (out, private_path(out)) if not folder.exists()]
    try:
        with _as_usage_error():
            check_places(out, batch.links, batch.key_file)
            private = private_folder(out)
            _check_writable(out)
            key = None if batch.key_file is None else Key.read(batch.key_file)
            links = Links(batch.links or private, key=key)
        yield private, links
    except UsageError:
        for folder in fresh:
            _remove_if_empty(folder)
        raise


def _remove_if_empty(folder: Path) -> None:
    """Removes a folder that holds nothing but empty folders and files, none of another process."""
    with contextlib.suppress(OSError):
        for below in folder.iterdir():
            if below.is_dir():
                below.rmdir()
            elif below.stat().st_size == 0:
                below.unlink()
        folder.rmdir()


def _check_writable(out: Path) -> None:
    with output_errors():
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass


@contextlib.contextmanager
def _as_usage_error() -> Iterator[None]:
    """Before anything is done, whatever is wrong is wrong with how it was called."""
    try:
        yield
    except (ModelError, OutputError, PrivacyError) as error:
        if is_of_full_disk(error):
            raise
        raise UsageError(error.message, hint=error.hint) from None


def _crew_options(batch: BatchOptions, videos: int, diary: Path) -> CrewOptions:
    spread = batch.jobs == "auto"
    return CrewOptions(
        jobs=_auto_jobs() if batch.jobs == "auto" else batch.jobs,
        most=max(1, videos),
        spread=spread,
        stall_seconds=batch.stall_seconds,
        memory=batch.memory,
        recycle=batch.recycle,
        diary=diary,
    )


def _auto_jobs() -> int:
    """As many as there are groups of cores, and memory for."""
    by_memory = int(psutil.virtual_memory().available // _MEMORY_PER_JOB)
    return max(1, min(available_cores() // _CORES_PER_JOB, by_memory))


def is_in_shard(source: Source, shard: tuple[int, int] | None) -> bool:
    """By a hash of where the source lies below its input: no other source moves the border."""
    if shard is None:
        return True
    part, parts = shard
    digest = hashlib.sha256(b"vid2kp shard\0" + source.identity).digest()
    return int.from_bytes(digest[:8], "big") % parts == part - 1


def _way(options: ConvertOptions, ready: Ready, *, overwrite: bool) -> Way:
    effective = asdict(options) | {"precision": ready.precision}
    return Way(
        options={name: effective[name] for name in OPTIONS},
        model_sha256=ready.model_sha256,
        since=time.time() if overwrite else 0.0,
    )


def _circumstances(options: ConvertOptions, batch: BatchOptions) -> dict[str, object]:
    """What the private log says of a run."""
    return {
        "version": vid2kp.__version__,
        "host": platform.node(),
        "pid": os.getpid(),
        "options": asdict(options),
        "batch": asdict(batch),
    }


def _lost(workload: Workload, out: Path) -> int:
    """How many of the results that were there are so no more: somebody removed them meanwhile."""
    folders = [result.folder for result in workload.results if result.folder is not None]
    folders += [out / pseudonym for pseudonym in workload.skipped]
    return sum(not folder.is_dir() for folder in folders)


def _foreign(out: Path) -> int:
    """How many things in an output folder are neither results nor hidden."""
    below = out.iterdir() if out.is_dir() else ()
    names = [path.name for path in below if not path.name.startswith(".")]
    ours = (INDEX_FILE, REPORT_FILE)
    return sum(name not in ours and not PSEUDONYM.fullmatch(name) for name in names)


def _exit_code(results: Sequence[VideoResult], end: _End) -> int:
    if end.halted:
        return CUT_SHORT
    delivered = sum(result.folder is not None for result in results)
    if delivered == len(results) and end.is_whole:
        return ALL_DONE
    return SOME_FAILED if delivered else NOTHING_DONE


def _notes(found: Found, batch: BatchOptions, end: _End, *, limited: bool) -> tuple[str, ...]:
    notes = [*shortfalls()]
    if end.halted:
        left = f" {end.unbegun} videos were not begun." if end.unbegun else ""
        notes.append(f"{end.halted}{left} The same command goes on.")
    if not end.indexed:
        notes.append("The index could not be written; the same command tries again.")
    if not end.reported:
        notes.append("The report could not be written; vid2kp report OUT tries again.")
    if end.lost:
        notes.append(
            f"Somebody removed the results of {end.lost} of the videos from the output folder "
            "meanwhile. The same command makes them again."
        )
    if end.removed:
        notes.append(
            f"The results of {end.removed} of the other videos are in the output folder no more; "
            "index and report leave them out."
        )
    if found.closed:
        notes.append(
            f"{len(found.closed)} folders of the inputs may not be read and were left out; the "
            "private log names them."
        )
    if found.passed_over:
        notes.append(
            f"Files passed over in the folders: {found.passed_over}. Their names do not end like a "
            "video's; give those that are videos by name."
        )
    if end.foreign:
        notes.append(
            f"Files and folders in the output folder that vid2kp has not made: {end.foreign}. Take "
            "them out before it is handed over."
        )
    if batch.memory is not None and not limited:
        notes.append("The memory that one video may take cannot be limited here.")
    return tuple(notes)
