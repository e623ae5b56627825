"""The videos of one run, from the first claim to the last record."""

from __future__ import annotations

import contextlib
import shutil
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vid2kp.batch.claims import Claims
from vid2kp.batch.crew import Crew, Ended, Event, Halted, Moved
from vid2kp.batch.discovery import Source
from vid2kp.batch.ledger import RESULT_NUMBERS, Fingerprint, Ledger, Record, fingerprint_of
from vid2kp.batch.options import Kind, Progress, ProgressCallback
from vid2kp.batch.worker import Failure, Frames, Task
from vid2kp.convert import VideoResult
from vid2kp.errors import OutputError, PrivacyError
from vid2kp.files import PART_SUFFIX, fix_time, is_of_full_disk, parts_of
from vid2kp.privacy.manifest import REASON, read_manifest
from vid2kp.privacy.pseudonym import PSEUDONYM, Links
from vid2kp.tracks.index import write_index
from vid2kp.tracks.schema import INDEX_FILE

_POLL_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 3.0
_OLD_SECONDS: Final = 600.0

_DISK_FULL: Final = "The disk of the output folder is full, or may only be read."
_TAKEN_AWAY: Final = "Somebody removed or changed its results before they were recorded."


@dataclass(frozen=True)
class _Attempt:
    """A video that this run has claimed."""

    source: Source
    fingerprint: Fingerprint | None
    begun: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a run makes deliverables: what is compared to decide whether a video is finished.

    Attributes:
        options: of the conversions, those that can change a deliverable.
        model_sha256: of the weights.
        since: seconds since 1970; deliverables made before do not count.
    """

    options: dict[str, Any]
    model_sha256: str
    since: float = 0.0

    def made(self, record: Record, source: Fingerprint | None) -> bool:
        """Whether the record is of this source, converted in this way."""
        is_same = record.is_of(source, self.options, self.model_sha256)
        return is_same and record.finished >= self.since


class Workload:
    """Works through the videos of one run with a started pool.

    Args:
        sources: the videos.
        out: the output folder; exists.
        links: the pseudonyms.
        claims: of this run.
        ledger: of the output folder.
        pool: started.
        way: how deliverables are made.
        progress: told of everything.

    Attributes:
        skipped: pseudonyms of the videos that had been finished before.
        halted: why no video is begun any more, a sentence for the user; "" where all are.
        unbegun: how many videos were not begun for that.
        removed: pseudonyms that the index leaves out: their deliverables are there no more.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        out: Path,
        links: Links,
        claims: Claims,
        ledger: Ledger,
        pool: Crew,
        way: Way,
        progress: ProgressCallback | None,
    ) -> None:
        self.skipped: set[str] = set()
        self.halted = ""
        self.unbegun = 0
        self.removed: set[str] = set()
        self._sources = sources
        self._out = out
        self._links = links
        self._claims = claims
        self._ledger = ledger
        self._pool = pool
        self._way = way
        self._progress = progress
        self._begun = time.time()
        self._attempts: dict[str, _Attempt] = {}
        self._elsewhere: list[Source] = []  # another run has them
        self._results: dict[Source, VideoResult] = {}
        self._pseudonyms: dict[Source, str] = {}

    @property
    def results(self) -> list[VideoResult]:
        """Of the videos that are over, in the order in which they were found."""
        return [self._results[source] for source in self._sources if source in self._results]

    def work(self) -> None:
        """Does all videos, those of another process included should it leave them.

        Raises:
            OutputError: the private folder cannot be used.
            PrivacyError: the table of pseudonyms is damaged.
        """
        self._tell("ready")
        self._remove_leftovers()
        self._issue_pseudonyms()
        todo, looked = deque(self._ordered()), time.monotonic()
        while todo or self._elsewhere or self._pool.busy:
            while todo and self._pool.busy < self._pool.jobs:
                source = todo.popleft()
                if not self._take_up(source):
                    self._elsewhere.append(source)
            if self._pool.busy:
                for event in self._pool.events(_POLL_SECONDS):
                    self._heed(event)
            elif self._elsewhere and not todo:
                self._tell("waiting")
                time.sleep(_POLL_SECONDS)
            if not todo and time.monotonic() - looked > _LOOK_AGAIN_SECONDS:
                todo, looked = deque(self._elsewhere), time.monotonic()
                self._elsewhere.clear()
        self._remove_leftovers()

    def abandon(self) -> None:
        """Gives up what the workers are at, and leaves no trace of it."""
        tasks = self._pool.tasks
        self._pool.close()
        for task in tasks:
            task.remove_parts()
            self._claims.release(task.pseudonym)

    def write_index(self) -> None:
        """Writes the index of the output folder from the records of this run and all others.

        Raises:
            OutputError: the output folder is full, read-only or gone.
            OSError: it, or the private folder, has just been removed.
        """
        state = None
        # Another process may finish a video meanwhile and have written its index already.
        while state != (state := self._ledger.state()):
            write_index(self._out / INDEX_FILE, map(_index_row, self._present()))
        fix_time(self._out)

    def _present(self) -> Iterator[Record]:
        """The records of what is true now: deliverables that are there, and failures."""
        self.removed.clear()
        for record in self._ledger.records():
            if not record.delivered or (self._out / record.pseudonym).is_dir():
                yield record
            elif failure := self._ledger.failed(record.pseudonym):
                yield failure
            else:
                self.removed.add(record.pseudonym)

    # -- one video ----------------------------------------------------------------------------

    def _issue_pseudonyms(self) -> None:
        """All at once: one by one, each would wait for the disk."""
        issued = self._links.pseudonyms_for([source.path for source in self._sources])
        self._pseudonyms = dict(zip(self._sources, issued, strict=True))

    def _ordered(self) -> Sequence[Source]:
        """The longest first where several work, so that none works alone at the end."""
        if self._pool.jobs == 1:
            return self._sources
        return sorted(self._sources, key=lambda source: (-source.size, source.identity))

    def _take_up(self, source: Source) -> bool:
        """Skips the video or gives it to a worker; False where another process has it."""
        pseudonym = self._pseudonyms[source]
        fingerprint = fingerprint_of(source.path)
        if self._was_done(source, pseudonym, fingerprint):
            return True
        with self._heeding_disk():
            if not self.halted:
                return self._begin(source, pseudonym, fingerprint)
        self.unbegun += 1
        return True

    def _begin(self, source: Source, pseudonym: str, fingerprint: Fingerprint | None) -> bool:
        """Claims the video and gives it to a worker; False where another process has it."""
        if not self._claims.claim(pseudonym):
            return False
        # Another process may have finished it between the two looks.
        if self._was_done(source, pseudonym, fingerprint):
            self._claims.release(pseudonym)
            return True
        self._ledger.log("started", pseudonym=pseudonym, source=source.path)
        self._attempts[pseudonym] = _Attempt(source, fingerprint)
        self._tell("started", pseudonym)
        if pseudonym in self._claims.inherited:
            self._remove_dead_parts(pseudonym)
        folder, claim = self._out / pseudonym, self._claims.of(pseudonym)
        self._pool.give(Task(source.path, folder, pseudonym, self._links.key_id, claim))
        return True

    def _was_done(self, source: Source, pseudonym: str, fingerprint: Fingerprint | None) -> bool:
        record = self._ledger.delivered(pseudonym)
        if record and self._way.made(record, fingerprint) and record.is_complete_in(self._out):
            self.skipped.add(pseudonym)
            self._settle("skipped", source, record)
            return True
        failure = self._ledger.failed(pseudonym)
        if failure and self._way.made(failure, fingerprint) and failure.finished >= self._begun:
            self._settle("finished", source, failure)  # another process has tried meanwhile
            return True
        return False

    def _settle(self, kind: Kind, source: Source, record: Record) -> None:
        result = VideoResult(
            pseudonym=record.pseudonym,
            status=record.status,
            reason=record.reason,
            folder=self._out / record.pseudonym if record.delivered else None,
            quality=record.quality,
            **record.numbers,
        )
        self._results[source] = result
        self._tell(kind, record.pseudonym, result=result)

    def _heed(self, event: Event) -> None:
        if isinstance(event, Moved):
            self._tell("frames", event.task.pseudonym, frames=event.frames)
        elif isinstance(event, Halted):
            self._halt(event)
        else:
            self._end(event)

    def _halt(self, event: Halted) -> None:
        """Ends the giving out of videos; this one was not begun either."""
        pseudonym = event.task.pseudonym
        source = self._attempts.pop(pseudonym).source
        self.halted = event.reason
        self.unbegun += 1
        with self._heeding_disk():
            reason = event.reason
            self._ledger.log("halted", pseudonym=pseudonym, source=source.path, reason=reason)
        with self._heeding_disk():
            self._claims.release(pseudonym)

    def _end(self, event: Ended) -> None:
        """Records what became of a video, and only then gives it back."""
        pseudonym, outcome = event.task.pseudonym, event.outcome
        attempt = self._attempts.pop(pseudonym)
        if not self._claims.of(pseudonym).is_kept:
            self._leave(event.task, attempt)
            return
        facts: dict[str, Any] = {}
        if isinstance(outcome, VideoResult):
            try:
                facts = _facts(outcome, event.task.folder)
            except (OSError, PrivacyError):
                outcome = Failure("failed", _TAKEN_AWAY, traceback.format_exc())
        if isinstance(outcome, Failure):
            event.task.remove_parts()
            if outcome.disk_full:
                self.halted = _DISK_FULL
        record = Record(
            pseudonym=pseudonym,
            source=attempt.fingerprint,
            options=self._way.options,
            model_sha256=self._way.model_sha256,
            status=outcome.status,
            reason=outcome.reason,
            **facts,
        )
        with self._heeding_disk():
            self._ledger.keep(record)
            self._ledger.log(
                "finished",
                pseudonym=pseudonym,
                source=attempt.source.path,
                status=outcome.status,
                reason=outcome.reason,
                detail=outcome.detail if isinstance(outcome, Failure) else "",
                seconds=time.monotonic() - attempt.begun,
            )
        with self._heeding_disk():
            self._claims.release(pseudonym)
        self._settle("finished", attempt.source, record)

    def _leave(self, task: Task, attempt: _Attempt) -> None:
        """Leaves a video to the run that took it over, this one having seemed dead."""
        task.remove_parts()
        with self._heeding_disk():
            source = attempt.source.path
            self._ledger.log("taken over", pseudonym=task.pseudonym, source=source)
        self._elsewhere.append(attempt.source)

    @contextlib.contextmanager
    def _heeding_disk(self) -> Iterator[None]:
        """A disk that takes no more ends the giving out of videos, not the run."""
        try:
            yield
        except (OSError, OutputError) as error:
            if not is_of_full_disk(error):
                raise
            self.halted = _DISK_FULL

    # -- what a dead process left -------------------------------------------------------------

    def _remove_leftovers(self) -> None:
        """Removes what dead runs left, and what somebody killed with this one's workers left."""
        for part in self._out.glob(f".*{PART_SUFFIX}"):
            pseudonym = part.name.split(".")[1]
            if not PSEUDONYM.fullmatch(pseudonym):
                _remove_if_old(part)
                continue
            # A run that only sleeps must find that the video is no longer its own.
            with contextlib.suppress(OutputError):
                if self._claims.claim(pseudonym):
                    self._remove_dead_parts(pseudonym)
                    self._claims.release(pseudonym)

    def _remove_dead_parts(self, pseudonym: str) -> None:
        """Removes what nobody will finish of a video that this run has, before it begins it."""
        for part, run in parts_of(self._out / pseudonym).items():
            if run == self._claims.run or self._claims.is_dead(run):
                shutil.rmtree(part, ignore_errors=True)

    def _tell(
        self,
        kind: Kind,
        pseudonym: str = "",
        *,
        frames: Frames | None = None,
        result: VideoResult | None = None,
    ) -> None:
        if self._progress is not None:
            self._progress(
                Progress(
                    kind=kind,
                    videos=len(self._sources),
                    done=len(self._results),
                    pseudonym=pseudonym,
                    frames=frames.done if frames else 0,
                    frames_expected=frames.total if frames else None,
                    result=result,
                )
            )


def _remove_if_old(part: Path) -> None:
    """Removes an unfinished index or report, unless another process may be writing it."""
    with contextlib.suppress(OSError):
        if time.time() - part.stat().st_mtime > _OLD_SECONDS:
            part.unlink()


def _facts(result: VideoResult, folder: Path) -> dict[str, Any]:
    """What the record of deliverables says of them, which `Record` has by these names.

    Raises:
        OSError: they are not there.
        PrivacyError: their manifest is not there, or is another.
    """
    return {
        "numbers": {name: getattr(result, name) for name in RESULT_NUMBERS},
        "quality": result.quality,
        "counts": read_manifest(folder)[0].counts,
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
    }


def _index_row(record: Record) -> dict[str, Any]:
    # The index is handed over: a reason with a sign that none of ours has stays here.
    reason = record.reason if REASON.fullmatch(record.reason) else "See the private log."
    told = {"pseudonym": record.pseudonym, "status": record.status, "reason": reason}
    return told | dict(record.counts) | dict(record.numbers) | dict(record.quality)
