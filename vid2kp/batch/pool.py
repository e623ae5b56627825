"""Worker processes from the outside: started, given videos, watched, replaced.

A worker that dies or falls silent costs the video it was at. It is replaced, and the batch goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Final

from vid2kp.batch.crew import Crew, CrewOptions, Ended, Event, Halted, Moved, alike, difference
from vid2kp.batch.worker import (
    Failure,
    Frames,
    Ready,
    Refused,
    Report,
    Settings,
    Task,
    end_of_diary,
    stalled,
    work,
)
from vid2kp.convert import ConvertOptions, VideoResult
from vid2kp.errors import Vid2kpError

_START_SECONDS: Final = 600.0
_MAX_FAILED_STARTS: Final = 3
_ANY_GPU: Final = ("auto", "cuda")
_WISHES: Final = ("SIGTERM", "SIGINT", "SIGHUP")
"""Signals that somebody sends; what is wrong with a video ends a process otherwise."""

_CONTEXT = multiprocessing.get_context("spawn")


class Pool(Crew):
    """The workers of one run as processes of this machine; a `Crew`.

    Args:
        convert: options of the conversions.
        options: how the workers are kept.

    Attributes:
        ready: what the first worker said of itself; after `start`.
        jobs: how many workers there may be.
    """

    ready: Ready

    def __init__(self, convert: ConvertOptions, options: CrewOptions) -> None:
        self.jobs = min(options.jobs, options.most)
        self._convert = convert
        self._options = options
        self._workers: dict[int, _Worker] = {}
        self._failed_starts = 0

    def close(self) -> None:
        """Ends the workers by force: what a busy one has is no deliverable yet."""
        for slot in list(self._workers):
            self._end(slot)

    @property
    def tasks(self) -> list[Task]:
        """What the workers are at."""
        return [worker.task for worker in self._workers.values() if worker.task is not None]

    def start(self) -> Ready:
        """Starts the first worker and waits until it has its model.

        Raises:
            ModelError: the model is missing or damaged.
            UsageError: there is no such device or precision.
            Vid2kpError: the worker died.
        """
        for _ in range(_MAX_FAILED_STARTS):
            worker = self._spawn(0, self._convert.device)
            if (ready := self._answer(worker)) is not None:
                break
            self._end(0)
        else:
            raise Vid2kpError(
                "The conversion could not be started: its process died at once.",
                hint="In a script, guard the call with if __name__ == '__main__'; "
                "vid2kp doctor examines this machine.",
            )
        self.ready, self._convert = ready, alike(self._convert, ready)
        if self._options.spread and self.ready.device == "cuda":
            gpus = self.ready.gpus if self._convert.device in _ANY_GPU else 1
            self.jobs = min(gpus, self._options.most)
        return self.ready

    def _answer(self, worker: _Worker) -> Ready | None:
        """What the first worker says when it has its model; None if it died or never did."""
        is_over = False
        while worker.ready is None and not is_over:
            wait([worker.reports, worker.process.sentinel], timeout=1.0)
            is_over = worker.is_dead or worker.silent > _START_SECONDS  # asked before it is read
            for report in worker.read():
                if isinstance(report, Refused):
                    raise report.error()
        return worker.ready

    def give(self, task: Task) -> None:
        """Hands a video to a free worker, a new one if need be; only while `busy` < `jobs`."""
        slot = next((slot for slot, worker in self._workers.items() if worker.task is None), None)
        if slot is None:
            slot = next(slot for slot in range(self.jobs) if slot not in self._workers)
            self._spawn(slot, self._device_of(slot))
        self._workers[slot].give(task)

    def events(self, timeout: float) -> list[Event]:
        """What happened, after waiting for it for so many seconds at most."""
        signs = [sign for w in self._workers.values() for sign in (w.reports, w.process.sentinel)]
        wait(signs, timeout=timeout)
        return [event for slot in list(self._workers) for event in self._events_of(slot)]

    def _events_of(self, slot: int) -> Iterator[Event]:
        worker = self._workers[slot]
        dead = worker.is_dead  # asked first: what it said before it died is in the pipe by then
        for report in worker.read():
            if isinstance(report, Frames) and worker.task is not None:
                yield Moved(worker.task, report)
            elif isinstance(report, VideoResult | Failure) and worker.task is not None:
                spoiled = isinstance(report, Failure) and report.spoiled
                yield Ended(worker.finished(spoiled=spoiled), report)
            elif isinstance(report, Ready):
                self._failed_starts = 0
                if other := difference(self.ready, report):
                    yield from self._halt(slot, other)
                    return
                if worker.task is not None:
                    worker.begin()
        if dead or worker.refusal is not None:
            yield from self._bury(slot, worker.cause_of_death())
        elif worker.task is not None and worker.silent > self._patience(worker):
            yield from self._bury(slot, stalled(self._options.stall_seconds))
        elif worker.task is None and (worker.spoiled or worker.videos >= self._options.recycle):
            self._end(slot)

    def _patience(self, worker: _Worker) -> float:
        return _START_SECONDS if worker.ready is None else self._options.stall_seconds

    def _halt(self, slot: int, reason: str) -> Iterator[Halted]:
        """Ends a worker that cannot work as the first one does."""
        task = self._workers[slot].task
        self._end(slot)
        if task is not None:
            yield Halted(task, reason)

    def _bury(self, slot: int, reason: str) -> Iterator[Ended | Halted]:
        """Ends a worker; its video has failed, unless the worker never got as far as that."""
        worker = self._workers[slot]
        if worker.refusal is not None and self._failed_starts >= _MAX_FAILED_STARTS - 1:
            yield from self._halt(slot, reason)
            return
        task, began = worker.task, worker.ready is not None
        self._end(slot)
        if task is None:
            return
        self._failed_starts += not began
        if began or self._failed_starts >= _MAX_FAILED_STARTS:
            yield Ended(task, Failure("failed", reason, worker.diary_end()))
        else:
            self.give(task)

    def _spawn(self, slot: int, device: str) -> _Worker:
        settings = Settings(
            options=self._convert,
            device=device,
            threads=0 if self.jobs == 1 else max(1, available_cores() // self.jobs),
            memory=self._options.memory,
            diary=self._options.diary.with_name(f"{self._options.diary.name}.{slot}.log"),
        )
        self._workers[slot] = _Worker(settings)
        return self._workers[slot]

    def _end(self, slot: int) -> None:
        self._workers.pop(slot).end()

    def _device_of(self, slot: int) -> str:
        if self.ready.device == "cuda" and self._convert.device in _ANY_GPU:
            return f"cuda:{slot % self.ready.gpus}"
        return self._convert.device


class _Worker:
    """One worker process as the parent sees it.

    Attributes:
        process: the process.
        reports: where its reports come out.
        task: what it is at, None when it is free.
        ready: what it said when it had its model, None before.
        refusal: why it cannot work.
        videos: how many it has done.
        spoiled: whether it must not get another one.
    """

    def __init__(self, settings: Settings) -> None:
        self.task: Task | None = None
        self.ready: Ready | None = None
        self.refusal: Refused | None = None
        self.videos = 0
        self.spoiled = False
        self._diary = settings.diary
        self._last_sign = time.monotonic()
        # Two one-way pipes: a two-way one would be a socket.
        tasks, self._tasks = _CONTEXT.Pipe(duplex=False)
        self.reports, reports = _CONTEXT.Pipe(duplex=False)
        self.process = _CONTEXT.Process(
            target=work, args=(tasks, reports, settings), name="vid2kp worker", daemon=True
        )
        with _interrupt_held_back():
            self.process.start()
        tasks.close()
        reports.close()

    @property
    def is_dead(self) -> bool:
        """Whether the process has ended."""
        return not self.process.is_alive()

    @property
    def silent(self) -> float:
        """Seconds since its last report or its last task."""
        return time.monotonic() - self._last_sign

    def give(self, task: Task) -> None:
        """Hands it a video, or keeps it for when it has its model."""
        self.task = task
        self._last_sign = time.monotonic()
        if self.ready is not None:
            self.begin()

    def begin(self) -> None:
        """Lets it begin what it was given; it has its model, and the right one."""
        with contextlib.suppress(OSError):  # it has died: that is found by whoever looks next
            self._tasks.send(self.task)

    def read(self) -> list[Report]:
        """The reports that have come in."""
        reports: list[Report] = []
        with contextlib.suppress(EOFError, OSError):
            while self.reports.poll():
                reports.append(self.reports.recv())
        for report in reports:
            self._last_sign = time.monotonic()
            if isinstance(report, Ready):
                self.ready = report
            elif isinstance(report, Refused):
                self.refusal = report
        return reports

    def finished(self, *, spoiled: bool) -> Task:
        """Marks it free and counts the video that it has done."""
        assert self.task is not None
        self.spoiled = spoiled
        task, self.task = self.task, None
        self.videos += 1
        return task

    def cause_of_death(self) -> str:
        """Why it is no more, in words for the user."""
        if self.refusal is not None:
            return self.refusal.reason
        self.process.join()
        return cause_of_death(self.process.exitcode or 0)

    def diary_end(self) -> str:
        """The last that its libraries said."""
        return end_of_diary(self._diary)

    def end(self) -> None:
        """Ends the process by force."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self._tasks.close()
        self.reports.close()


def cause_of_death(code: int) -> str:
    """Why a process ended, in words for the user, by its exit code: below 0 that is a signal."""
    if code >= 0:
        return f"Its process ended with code {code}; see the private log."
    name = signal.Signals(-code).name
    if name in _WISHES:
        return f"Its process was ended from outside ({name})."
    if name == "SIGKILL":
        return "The system ended its process (SIGKILL), most likely for lack of memory."
    return f"Its process crashed ({name}), most likely in the decoder."


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Ctrl-C waits until the block is over, and never reaches a process started in it.

    Between its first instruction and the moment it can ignore the signal itself, a worker would
    die of it with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
