"""The same tasks on the machines of a Ray cluster (extra ``cluster``).

Each worker is a Ray actor that converts one video after the other, from the disk that all machines
share to the same disk. What crosses the network is a path, a handful of numbers while it is being
converted, and a small record at the end; frames do not, and nothing enters Ray's object store.
Ray's statistics of use are switched off, and a cluster made here listens on the loopback alone.
"""

from __future__ import annotations

from functools import partial

from vid2kp.batch.crew import CrewMaker
from vid2kp.cluster.crew import RayCrew
from vid2kp.cluster.site import check_address, load_ray

__all__ = ["ray_crew"]


def ray_crew(address: str) -> CrewMaker:
    """Makes the workers of a batch on a Ray cluster; for `vid2kp.batch.run`.

    Args:
        address: ``local`` for a cluster of this machine alone, made for the run; ``auto`` for the
            one that is running on this machine; or ``host:port`` of a cluster's head.

    Raises:
        UsageError: it is no such address, or Ray is not installed.
    """
    check_address(address)
    load_ray(address)
    return partial(RayCrew, address)
