"""The workers of a batch on a Ray cluster: started, given videos, watched, replaced."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, Final

from vid2kp.batch.crew import Crew, CrewOptions, Ended, Event, Halted, Moved, alike, difference
from vid2kp.batch.worker import (
    Failure,
    Ready,
    Refused,
    Settings,
    Task,
    end_of_diary,
    stalled,
)
from vid2kp.cluster.actor import Actor, Converter
from vid2kp.cluster.site import Site
from vid2kp.convert import ConvertOptions, VideoResult
from vid2kp.errors import UsageError, Vid2kpError

_CORES_PER_JOB: Final = 4
_START_SECONDS: Final = 600.0
_ASK_SECONDS: Final = 0.5
_MAX_DEATHS: Final = 3
"""Actors that one video may outlive: a machine that goes is no fault of the video."""


class RayCrew(Crew):
    """The workers of one run as Ray actors; a `Crew`.

    A video whose actor dies is given to a new one, `_MAX_DEATHS` times.

    Args:
        address: see `ray_crew`.
        convert: options of the conversions.
        options: how the workers are kept.
    """

    ready: Ready

    def __init__(self, address: str, convert: ConvertOptions, options: CrewOptions) -> None:
        self.jobs = min(options.jobs, options.most)
        self._address = address
        self._convert = convert
        self._options = options
        self._actors: dict[int, Actor] = {}
        self._deaths: dict[str, int] = {}
        self._site: Site | None = None
        self._gpus = 0.0  # that may be used

    def close(self) -> None:
        """Ends the actors by force, and the cluster if it was made here."""
        for slot in list(self._actors):
            self._end(slot)
        if self._site is not None:
            self._site.leave()

    @property
    def tasks(self) -> list[Task]:
        """What the actors are at."""
        return [actor.task for actor in self._actors.values() if actor.task is not None]

    def start(self) -> Ready:
        """Joins the cluster, starts the first actor and waits until it has its model.

        Raises:
            ModelError: the model is missing or damaged.
            UsageError: the cluster cannot be reached, or has no such device.
            Vid2kpError: it died again and again, or the cluster has no room for it.
        """
        self._join()
        for _ in range(_MAX_DEATHS):
            answer = self._first_answer(self._spawn(0))
            if isinstance(answer, Refused):
                raise answer.error()
            if isinstance(answer, Ready):
                self.ready, self._convert = answer, alike(self._convert, answer)
                return answer
            self._end(0)
        raise Vid2kpError(
            "The conversion could not be started: its process died at once.",
            hint="Every machine of the cluster needs the same vid2kp.",
        )

    def _first_answer(self, actor: Actor) -> Ready | Refused | VideoResult | Failure | None:
        begun = time.monotonic()
        while not self._ray.wait([actor.pending], timeout=1.0)[0]:
            if time.monotonic() - begun > _START_SECONDS:
                raise Vid2kpError(
                    "The cluster has started no worker for a long time.",
                    hint="Its cores or GPUs may all be in use; ray status shows them.",
                )
        return self._answer(actor)

    def give(self, task: Task) -> None:
        """Hands a video to a free actor, a new one if need be; only while `busy` < `jobs`."""
        slot = next((slot for slot, actor in self._actors.items() if actor.task is None), None)
        if slot is None:
            slot = next(slot for slot in range(self.jobs) if slot not in self._actors)
            self._spawn(slot)
        actor = self._actors[slot]
        actor.task = task
        if actor.ready is not None:
            self._begin(actor)

    def events(self, timeout: float) -> list[Event]:
        """What happened, after waiting for it for so many seconds at most."""
        self._move_up()
        self._ask()
        waiting = [
            reference
            for actor in self._actors.values()
            for reference in (actor.pending, actor.asked)
            if reference is not None
        ]
        if waiting:
            self._ray.wait(waiting, timeout=min(timeout, _ASK_SECONDS))
        else:
            time.sleep(min(timeout, _ASK_SECONDS))
        return [event for slot in list(self._actors) for event in self._events_of(slot)]

    @property
    def _there(self) -> Site:
        assert self._site is not None, "start comes first"
        return self._site

    @property
    def _ray(self) -> Any:
        return self._there.ray

    # -- the cluster --------------------------------------------------------------------------

    def _join(self) -> None:
        site = self._site = Site(self._address)
        if self._convert.device == "cpu":
            self._gpus = 0.0
        elif self._convert.device != "auto" and not site.gpus:
            raise UsageError("The cluster has no GPU.", hint="Use --device cpu.")
        else:
            self._gpus = site.gpus
        if self._options.spread:
            suited = self._gpus or site.cores // min(_CORES_PER_JOB, site.node)
            self.jobs = min(int(suited), self._options.most)
        # An actor without a core of its own would wait for ever.
        self.jobs = max(1, min(self.jobs, int(site.cores)))

    @property
    def _share(self) -> dict[str, float]:
        """Of the cluster's cores and GPUs, for one actor; several may share a GPU."""
        cores = max(1, int(min(self._there.cores // self.jobs, self._there.node)))
        if not self._gpus:
            return {"num_cpus": cores, "num_gpus": 0}
        on_one = math.ceil(self.jobs / self._gpus)
        return {
            "num_cpus": min(cores, _CORES_PER_JOB),
            "num_gpus": 1 if on_one == 1 else math.floor(10_000 / on_one) / 10_000,
        }

    # -- actors -------------------------------------------------------------------------------

    def _spawn(self, slot: int) -> Actor:
        share = self._share
        settings = Settings(
            options=self._convert,
            device="cuda" if self._gpus else "cpu",
            threads=int(share["num_cpus"]),
            memory=self._options.memory,
            diary=self._options.diary.with_name(f"{self._options.diary.name}.{slot}.log"),
        )
        # Two threads: one converts, the other says how far it is.
        remote = self._ray.remote(Converter).options(max_concurrency=2, max_restarts=0, **share)
        handle = remote.remote(settings)
        self._actors[slot] = Actor(handle, settings.diary, handle.prepare.remote())
        return self._actors[slot]

    def _begin(self, actor: Actor) -> None:
        actor.pending = actor.handle.convert.remote(actor.task)
        actor.reports = 0
        actor.sign()

    def _end(self, slot: int) -> None:
        actor = self._actors.pop(slot)
        # With the cluster gone there is nothing to end.
        if self._ray.is_initialized():
            self._ray.kill(actor.handle, no_restart=True)

    def _move_up(self) -> None:
        """Gives what waits for a machine of a busy cluster to an actor that has become free."""
        waiting = [a for a in self._actors.values() if a.ready is None and a.task is not None]
        free = [a for a in self._actors.values() if a.ready is not None and a.task is None]
        for late, ready in zip(waiting, free, strict=False):
            ready.task, late.task = late.task, None
            self._begin(ready)

    def _ask(self) -> None:
        """Asks those who convert how far they are, a few times a second."""
        now = time.monotonic()
        for actor in self._actors.values():
            is_converting = actor.ready is not None and actor.task is not None
            if is_converting and actor.asked is None and now - actor.last_asked > _ASK_SECONDS:
                actor.asked, actor.last_asked = actor.handle.moved.remote(), now

    def _is_here(self, reference: Any) -> bool:
        return reference is not None and bool(self._ray.wait([reference], timeout=0)[0])

    def _answer(self, actor: Actor) -> Ready | Refused | VideoResult | Failure | None:
        """The answer that has come in; None from an actor that has died."""
        try:
            answer: Ready | Refused | VideoResult | Failure = self._ray.get(actor.pending)
        except self._ray.exceptions.RayError:
            return None
        actor.pending = None
        actor.sign()
        if isinstance(answer, Ready):
            actor.ready = answer
        return answer

    def _events_of(self, slot: int) -> Iterator[Event]:
        actor = self._actors[slot]
        if self._is_here(actor.asked):
            yield from self._moved(actor)
        if self._is_here(actor.pending):
            yield from self._answered(slot, self._answer(actor))
        elif self._is_stalled(actor):
            yield from self._bury(slot, stalled(self._options.stall_seconds), final=True)
        elif actor.task is None and (actor.spoiled or actor.videos >= self._options.recycle):
            self._end(slot)

    def _is_stalled(self, actor: Actor) -> bool:
        # Until it has its model it may be waiting for a machine of a busy cluster.
        is_converting = actor.ready is not None and actor.task is not None
        return is_converting and actor.silent > self._options.stall_seconds

    def _moved(self, actor: Actor) -> Iterator[Moved]:
        try:
            reports, frames = self._ray.get(actor.asked)
        except self._ray.exceptions.RayError:
            return  # it has died, as its other answer says as well
        finally:
            actor.asked = None
        if actor.task is not None and reports != actor.reports:
            actor.reports = reports
            actor.sign()
            yield Moved(actor.task, frames)

    def _answered(
        self, slot: int, answer: Ready | Refused | VideoResult | Failure | None
    ) -> Iterator[Ended | Halted]:
        actor = self._actors[slot]
        if isinstance(answer, Ready):
            if other := difference(self.ready, answer):
                yield from self._halt(slot, other)
            elif actor.task is not None:
                self._begin(actor)
        elif isinstance(answer, Refused):
            yield from self._halt(slot, answer.reason)
        elif answer is None:
            yield from self._bury(slot, "Its process on the cluster died again and again.")
        elif actor.task is not None:
            task, actor.task = actor.task, None
            actor.videos += 1
            actor.spoiled = isinstance(answer, Failure) and answer.spoiled
            self._deaths.pop(task.pseudonym, None)
            yield Ended(task, answer)

    def _halt(self, slot: int, reason: str) -> Iterator[Halted]:
        """Ends an actor that cannot work as the first one does."""
        task = self._actors[slot].task
        self._end(slot)
        if task is not None:
            yield Halted(task, reason)

    def _bury(self, slot: int, reason: str, *, final: bool = False) -> Iterator[Ended]:
        """Ends an actor; its video goes to a new one, unless too many have died of it."""
        actor = self._actors[slot]
        self._end(slot)
        if actor.task is None:
            return
        deaths = self._deaths[actor.task.pseudonym] = self._deaths.get(actor.task.pseudonym, 0) + 1
        if final or deaths >= _MAX_DEATHS:
            yield Ended(actor.task, Failure("failed", reason, end_of_diary(actor.diary)))
        else:
            actor.task.remove_parts()
            self.give(actor.task)
