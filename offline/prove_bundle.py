"""Proves that the bundle for this machine does what it says: ``make bundle-test``.

In a namespace where no network exists, with an empty home folder, from a bundle that cannot be
written and into a folder with spaces in its name, it installs, converts the example with the
scripts that people use, and has the results proven. Then it installs again over that, and shows
that a bundle in which one byte was changed is refused and leaves the installation as it was.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pack import SUMS, write_sums
from targets import Target

DIST = Path(__file__).resolve().parents[1] / "dist"
VICTIM = "annotated_doc-*.whl"  # the wheel that is tampered with: pip looks at it first


class Unproven(Exception):
    """Something is not as the bundle says; the text says what."""


@dataclass(frozen=True)
class Place:
    """Where the proof happens: everything lies under one temporary folder."""

    root: Path
    bundle: Path

    @property
    def home(self) -> Path:
        """The user's folder, which stays empty."""
        return self.root / "empty home"

    @property
    def program(self) -> Path:
        """Where the program goes."""
        return self.root / "pro gram"

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command without a network, and with a bundle that cannot be written."""
        bundle = shlex.quote(str(self.bundle))
        closed = f"mount --bind {bundle} {bundle} && mount -o remount,bind,ro {bundle}"
        return subprocess.run(
            ["unshare", "-rmn", "sh", "-c", f'{closed} && exec "$@"', "sh", *map(str, command)],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), "PYTHON": base_python()},
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def install(self, bundle: Path) -> subprocess.CompletedProcess[str]:
        """Runs a bundle's script as a person does."""
        return self.run("sh", bundle / "install.sh", self.program)


def main() -> int:
    """The command line; its exit code."""
    here = Target("linux", f"{sys.version_info.major}.{sys.version_info.minor}")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", help="a bundle's folder; else this one's")
    given: Path | None = parser.parse_args().bundle
    found = [given] if given else sorted(DIST.glob(f"vid2kp-*-offline-{here.name}"))
    if len(found) != 1:
        print(f"{len(found)} bundles for {here.name} are in dist/; name one.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="vid2kp bundle ") as folder:
        place = Place(Path(folder).resolve(), found[0].resolve())
        place.home.mkdir()
        try:
            prove(place)
        except Unproven as error:
            print(f"NOT PROVEN: {error}", file=sys.stderr)
            return 1
    print("All holds.")
    return 0


def prove(place: Place) -> None:
    """Every proof, a line for each.

    Raises:
        Unproven: one of them fails.
    """
    expect(place.run("cat", "/proc/net/dev"), says=["lo:"], never=["eth", "en", "wl"])
    told("there is no network but the loopback, which is down")
    expect(place.run("touch", place.bundle / "written"), code=1)
    told("the bundle cannot be written")
    began = time.monotonic()
    done = place.install(place.bundle)
    expect(done, says=["5 of 5", "vid2kp is installed in"])
    seconds = time.monotonic() - began
    told(f"it installs into an empty folder with a space in its name, in {seconds:.0f} s")
    told(f"the installation takes {megabytes(place.program):,.0f} MB")
    results = convert(place)
    told("its convert.sh converts the example, and vid2kp verify finds nothing")
    for bundle, says in tampered(place):
        before = listing(place.program)
        expect(place.install(bundle), code=1, says=["NOT installed", *says])
        if listing(place.program) != before:
            raise Unproven("A refused bundle changed the installation.")
        told(f"a changed file is refused: {says[0]}")
    expect(place.install(place.bundle), says=["vid2kp is installed in"])
    if sorted(path.name for path in place.program.glob("program-*")) != ["program-2"]:
        raise Unproven("The second installation did not take the place of the first.")
    told("it installs again over that, and one program is left")
    expect(place.run(place.program / "vid2kp", "verify", results), says=["all holds"])
    told("the new program verifies the results of the old one")
    if left := list(place.home.iterdir()):
        raise Unproven(f"Something was written into the home folder: {left}")
    told("the home folder is still empty")


def convert(place: Place) -> Path:
    """Converts the example as a person would; the folder of results."""
    video = place.root / "videos of ward 7" / "a video.mp4"
    video.parent.mkdir()
    shutil.copyfile(place.bundle / "example" / "video.mp4", video)
    expect(place.run(place.program / "convert.sh", video), says=["To hand over:"])
    results = video.parent / "vid2kp-results"
    expect(place.run(place.program / "vid2kp", "verify", results), says=["all holds"])
    return results


def tampered(place: Place) -> Iterable[tuple[Path, list[str]]]:
    """Bundles with one byte changed, each with what must be said of it.

    In the first the checksums tell; in the second whoever changed it has mended those too, and
    the hashes by which the wheels are installed tell.
    """
    bundle = place.root / "tampered bundle"
    shutil.copytree(place.bundle, bundle, copy_function=link)
    (wheel,) = (bundle / "wheels").glob(VICTIM)
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.unlink()  # it is a link to the true one
    wheel.write_bytes(content)
    yield bundle, [f"wheels/{wheel.name}"]
    (bundle / SUMS).unlink()
    write_sums(bundle)
    yield bundle, ["DO NOT MATCH THE HASHES"]


def link(source: str, goal: str) -> None:
    """A second name for a file, or a copy of it on another disk."""
    try:
        os.link(source, goal)
    except OSError:
        shutil.copy2(source, goal)


def expect(
    done: subprocess.CompletedProcess[str],
    *,
    code: int = 0,
    says: Iterable[str] = (),
    never: Iterable[str] = (),
) -> None:
    """Compares how a command ended, and what it said, with what it should."""
    said = done.stdout + done.stderr
    good = done.returncode == code and all(text in said for text in says)
    if not good or any(text in said for text in never):
        command = shlex.join(map(str, done.args[6:]))
        raise Unproven(f"{command}\nended with {done.returncode} and said:\n{said}")


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of every file: what would differ if one was touched."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    statuses = [(str(path), path.stat()) for path in files]
    return [(name, status.st_size, status.st_mtime_ns) for name, status in statuses]


def megabytes(folder: Path) -> float:
    """What the files of a folder take, in units of a million bytes."""
    return sum(size for _, size, _ in listing(folder)) / 1e6


def base_python() -> str:
    """The Python that this environment was made with."""
    return str(Path(sys.base_prefix) / "bin" / Path(sys.executable).resolve().name)


def told(text: str) -> None:
    """Shows what holds."""
    print(f"ok  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
