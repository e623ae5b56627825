"""The kinds of machine that a bundle can be made for, and what each means to a wheel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Platform = Literal["linux", "windows"]
PLATFORMS: tuple[Platform, ...] = ("linux", "windows")

_OLDEST_GLIBC, _GLIBC = 5, 28
"""Minor versions of glibc 2: wheels made for any from the first to the second are taken.

2.28 is what PyTorch asks for, and what RHEL 8, Debian 10 and Ubuntu 18.10 came with.
"""


@dataclass(frozen=True)
class Target:
    """One kind of machine: an operating system on a 64-bit Intel or AMD processor, and a Python.

    Attributes:
        platform: the operating system.
        python: version of CPython, as in ``3.12``.
    """

    platform: Platform
    python: str

    @property
    def name(self) -> str:
        """What the bundle's folder calls it, as in ``linux-python3.12``."""
        return f"{self.platform}-python{self.python}"

    @property
    def machine(self) -> str:
        """What `platform.machine` says there."""
        return "x86_64" if self.platform == "linux" else "AMD64"

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The oldest C library that the bundle runs with; None where it is another one."""
        return (2, _GLIBC) if self.platform == "linux" else None

    @property
    def torch_build(self) -> str:
        """What the version of PyTorch's build for processors ends with.

        For Linux there are builds of one version for graphics cards too, several GB large, and
        the plain version number means one of those. For Windows it means the one wanted here.
        """
        return "+cpu" if self.platform == "linux" else ""

    def pip_options(self) -> list[str]:
        """Options by which ``pip download`` takes wheels of this target alone."""
        digits = self.python.replace(".", "")
        tags = [f"manylinux_2_{minor}_x86_64" for minor in range(_GLIBC, _OLDEST_GLIBC - 1, -1)]
        platforms = [*tags, "manylinux2014_x86_64"] if self.platform == "linux" else ["win_amd64"]
        abis = [f"cp{digits}", "abi3", "none"]
        return [
            "--only-binary=:all:",
            "--implementation=cp",
            f"--python-version={self.python}",
            *(f"--abi={abi}" for abi in abis),
            *(f"--platform={platform}" for platform in platforms),
        ]

    def marker_environment(self) -> dict[str, str]:
        """What the conditions in the metadata of wheels are asked of (PEP 508).

        pip itself asks them of the machine it runs on, even when it downloads for another.
        """
        on_linux = self.platform == "linux"
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix" if on_linux else "nt",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux" if on_linux else "Windows",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux" if on_linux else "win32",
        }
