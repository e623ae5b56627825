"""Body keypoint tracks of infants from clinical video, with no pixel leaving the process.

::

    import vid2kp

    if __name__ == "__main__":  # convert works in a process of its own
        result = vid2kp.convert("clip.mp4", "out/")
        tracks = vid2kp.load_tracks(result.tracks_path)

The names below are loaded when they are first used: importing vid2kp takes no time.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vid2kp.api import convert as convert
    from vid2kp.batch.run import run as convert_batch
    from vid2kp.convert import ConvertOptions, VideoResult
    from vid2kp.errors import Vid2kpError
    from vid2kp.export.common import ExportOptions
    from vid2kp.export.formats import export_run, export_tracks
    from vid2kp.pose.estimate import Estimator
    from vid2kp.pose.people import People
    from vid2kp.pose.skeleton import Skeleton, get_skeleton
    from vid2kp.pose.weights import load_model
    from vid2kp.render.report import write_report
    from vid2kp.render.skeleton_video import render_video
    from vid2kp.tracks.clean import clean_tracks
    from vid2kp.tracks.load import Tracks, load_tracks

__version__ = "0.1.0"

__all__ = [
    "ConvertOptions",
    "Estimator",
    "ExportOptions",
    "People",
    "Skeleton",
    "Tracks",
    "Vid2kpError",
    "VideoResult",
    "clean_tracks",
    "convert",
    "convert_batch",
    "export_run",
    "export_tracks",
    "get_skeleton",
    "load_model",
    "load_tracks",
    "render_video",
    "write_report",
]

_HOMES = {
    "ConvertOptions": "vid2kp.convert",
    "Estimator": "vid2kp.pose.estimate",
    "ExportOptions": "vid2kp.export.common",
    "People": "vid2kp.pose.people",
    "Skeleton": "vid2kp.pose.skeleton",
    "Tracks": "vid2kp.tracks.load",
    "Vid2kpError": "vid2kp.errors",
    "VideoResult": "vid2kp.convert",
    "clean_tracks": "vid2kp.tracks.clean",
    "convert": "vid2kp.api",
    "convert_batch": "vid2kp.batch.run:run",
    "export_run": "vid2kp.export.formats",
    "export_tracks": "vid2kp.export.formats",
    "get_skeleton": "vid2kp.pose.skeleton",
    "load_model": "vid2kp.pose.weights",
    "load_tracks": "vid2kp.tracks.load",
    "render_video": "vid2kp.render.skeleton_video",
    "write_report": "vid2kp.render.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, _, original = _HOMES[name].partition(":")
    value = getattr(import_module(home), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(ModuleType):
    """This package: the function `convert` is not hidden by the module of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system makes every module an attribute of its package.
        if not (name == "convert" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
