"""The cluster: where Ray is imported, joined or made, and left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from vid2kp.batch.claims import is_gone, this_process
from vid2kp.errors import UsageError

LOCAL: Final = "local"
RUNNING: Final = "auto"
_ADDRESS: Final = re.compile(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")

_PREFIX: Final = "vid2kp-"
_OWNER: Final = "owner.json"

_STORE_BYTES: Final = 80 * 2**20  # the least that Ray takes; nothing is put there


def check_address(address: str) -> None:
    """Raises UsageError unless it is ``local``, ``auto`` or ``host:port``."""
    if address not in (LOCAL, RUNNING) and not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"There is no cluster {address!r}.", hint="Use local, auto or HOST:PORT of its head."
        )


def load_ray(address: str) -> Any:
    """The module ``ray``, told what it must know before it is imported.

    Raises:
        UsageError: Ray is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Actors without a GPU are told so by their settings; else Ray warns of a change to come.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address == LOCAL:
        # Read when Ray is imported; without it Ray takes the machine's address for its own.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError:
        raise UsageError(
            "A cluster needs Ray, which is not installed.", hint='pip install "vid2kp[cluster]"'
        ) from None
    return ray


def make_folder() -> Path:
    """A new folder for a cluster of this machine; those whose makers were killed are removed."""
    # Not below OUT.private: names of sockets may have no more than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    for other in folder.parent.glob(f"{_PREFIX}*"):
        # What cannot be read, is unfinished, or has no owner may be another's.
        with contextlib.suppress(OSError, ValueError):
            is_ours = other.lstat().st_uid == folder.stat().st_uid
            owner = other / _OWNER
            silent = time.time() - owner.stat().st_mtime
            if is_ours and is_gone(json.loads(owner.read_bytes()), silent=silent):
                shutil.rmtree(other, ignore_errors=True)
    (folder / _OWNER).write_text(json.dumps(this_process()), encoding="ascii")
    return folder


class Site:
    """A cluster that was joined, or made for the run.

    Args:
        address: see `vid2kp.cluster.ray_crew`.

    Attributes:
        ray: the module.
        cores: of the whole cluster.
        gpus: of the whole cluster.
        node: cores of its smallest machine.

    Raises:
        UsageError: it cannot be reached.
    """

    def __init__(self, address: str) -> None:
        self.ray = load_ray(address)
        self._folder: Path | None = None
        try:
            self._join(address)
        except (ConnectionError, RuntimeError, ValueError, OSError):
            self.leave()
            raise UsageError(
                "The cluster cannot be reached.",
                hint="Check its address, and that the versions of Ray and Python are the same.",
            ) from None
        resources = self.ray.cluster_resources()
        self.cores: float = resources.get("CPU", 0.0)
        self.gpus: float = resources.get("GPU", 0.0)
        nodes = [n["Resources"].get("CPU", 0.0) for n in self.ray.nodes() if n["Alive"]]
        self.node: float = min((cores for cores in nodes if cores), default=1.0)

    def leave(self) -> None:
        """Leaves the cluster, and ends it if it was made here."""
        if self.ray.is_initialized():
            self.ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _join(self, address: str) -> None:
        # Ray would tell the log of the driver, and with it the screen, what actors print.
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        if address != LOCAL:
            self.ray.init(address=address, **quiet)
            return
        self._folder = make_folder()
        self.ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            _temp_dir=str(self._folder),
            **quiet,
        )
        if not self.ray.util.get_node_ip_address().startswith("127."):
            self.leave()
            raise UsageError(
                "Ray was imported before and would listen to the network.",
                hint="Start from a fresh process.",
            )
