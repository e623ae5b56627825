"""``vid2kp doctor``: is this machine fit for the work, how fast is it, and does it stay offline."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer

import vid2kp
from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen, VerboseFlag
from vid2kp.errors import Vid2kpError

DECODERS = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mjpeg", "prores", "wmv2")
ENCODERS = ("libx264",)
LIBRARIES = ("torch", "av", "cv2", "numpy", "pyarrow", "pandas", "scipy", "safetensors")


@dataclass(frozen=True)
class Check:
    """One line of the examination.

    Attributes:
        subject: what was looked at.
        ok: None where there is nothing to judge.
        finding: what was found, for people.
    """

    subject: str
    ok: bool | None
    finding: str


@dataclass
class SocketWatch:
    """Counts what Python does with the network while it is on."""

    on: bool = False
    events: list[str] = field(default_factory=list)

    def __call__(self, event: str, arguments: object) -> None:
        """An audit hook, see `sys.addaudithook`."""
        if self.on and event.startswith("socket."):
            self.events.append(event)


def doctor(
    as_json: JsonFlag = False, quiet: QuietFlag = False, verbose: VerboseFlag = False
) -> None:
    """Check versions, devices, codecs and models, measure speed, and prove to be offline."""
    screen = Screen(as_json=as_json, quiet=quiet, verbose=verbose)
    with _watched() as watch:
        screen.note("Looking at this machine; that takes a few seconds …")
        checks = [*_system(), *_codecs(), *_devices(), *_models()]
    checks += _offline(watch)
    screen.table(
        ("", "subject", "finding"),
        [(_mark(check.ok), check.subject, check.finding) for check in checks],
    )
    fit = all(check.ok is not False for check in checks)
    screen.line("All is well." if fit else "Something needs a look; see the lines marked ✗.")
    screen.document({"ok": fit, "checks": [asdict(check) for check in checks]})
    raise typer.Exit(0 if fit else 1)


@contextmanager
def _watched() -> Iterator[SocketWatch]:
    watch = SocketWatch()
    sys.addaudithook(watch)  # hooks cannot be taken away again, only told to be still
    watch.on = True
    try:
        yield watch
    finally:
        watch.on = False


def _mark(ok: bool | None) -> str:
    return "·" if ok is None else ("✓" if ok else "✗")


def _system() -> Iterator[Check]:
    from importlib import import_module

    yield Check("vid2kp", None, vid2kp.__version__)
    yield Check("python", sys.version_info >= (3, 11), platform.python_version())
    yield Check("system", None, f"{platform.system()} {platform.machine()}")
    versions = [f"{name} {import_module(name).__version__}" for name in LIBRARIES]
    yield Check("libraries", None, ", ".join(versions))
    yield Check("memory", *_memory())


def _memory() -> tuple[bool, str]:
    import psutil

    memory = psutil.virtual_memory()
    text = f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f} GiB"
    return memory.available > 2**30, text


def _codecs() -> Iterator[Check]:
    import av

    versions = ".".join(map(str, av.library_versions["libavcodec"]))
    readable = [name for name in DECODERS if _has_codec(name, "r")]
    missing = [name for name in DECODERS if name not in readable]
    text = f"libavcodec {versions} reads {', '.join(readable)}"
    yield Check("decoders", "h264" in readable, text + _lacking(missing))
    writable = [name for name in ENCODERS if _has_codec(name, "w")]
    yield Check("encoder", bool(writable), ", ".join(writable) or "none for H.264")


def _lacking(names: list[str]) -> str:
    return f"; not {', '.join(names)}" if names else ""


def _has_codec(name: str, mode: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, "w" if mode == "w" else "r")
    except UnknownCodecError:
        return False
    return True


def _devices() -> Iterator[Check]:
    import torch

    from vid2kp.pose.estimate import cpu_has_bf16

    features = torch.backends.cpu.get_cpu_capability() + (", bf16" if cpu_has_bf16() else "")
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    yield Check("cpu", None, f"{threads}, {features}")
    if not torch.cuda.is_available():
        yield Check("gpu", None, "none that torch can use; the CPU does the work")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = properties.total_memory / 2**30
        yield Check(f"gpu cuda:{index}", None, f"{properties.name}, {memory:.0f} GiB")


def _models() -> Iterator[Check]:
    from vid2kp.pose.weights import check_model, list_models

    listed = list_models()
    if not listed:
        yield Check("models", False, "none is installed; install vid2kp again")
    for model in listed:
        try:
            card = check_model(model.name)
        except Vid2kpError as error:
            yield Check(f"model {model.name}", False, str(error))
        else:
            yield Check(f"model {card.name}", True, f"sha256 {card.sha256[:12]}…, as its card says")
            yield _speed(card.name)


def _speed(name: str, *, seconds: float = 2.0) -> Check:
    """Frames per second of the network and the parser on this machine, without decoding."""
    import numpy as np

    from vid2kp.pose.estimate import Estimator
    from vid2kp.pose.weights import load_model

    estimator = Estimator(load_model(name))
    size = estimator.card.input_size
    grey = np.full((estimator.batch_size, size, size, 3), 128, np.uint8)
    estimator.find(grey)  # the first call prepares kernels
    begin, images, elapsed = time.perf_counter(), 0, 0.0
    while elapsed < seconds:
        estimator.find(grey)
        images += len(grey)
        elapsed = time.perf_counter() - begin
    rate = images / elapsed
    text = (
        f"{rate:.0f} frames/s at {size} × {size} on {estimator.device} in {estimator.precision}; "
        f"the network's part of a minute at 30 frames/s takes {1800 / rate:.0f} s"
    )
    return Check(f"speed {name}", None, text)


def _offline(watch: SocketWatch) -> Iterator[Check]:
    used = sorted(set(watch.events))
    text = f"Python did {', '.join(used)}" if used else "no socket was used during these checks"
    yield Check("offline", not used, text)
    handles = Path("/proc/self/fd")
    if handles.is_dir():
        sockets = sum(_is_socket(handle) for handle in handles.iterdir())
        yield Check("open sockets", sockets == 0, f"{sockets} in this process (from /proc/self/fd)")
        hint = "unshare -rn vid2kp convert … runs where no network exists, with the same results"
        yield Check("proof", None, hint)


def _is_socket(handle: Path) -> bool:
    try:
        return str(handle.readlink()).startswith("socket:")
    except OSError:  # the handle of the listing itself is gone by now
        return False
