"""Interlaced pictures made progressive, one frame per frame, with FFmpeg's bwdif."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from vid2kp.video.order import Row


class Deinterlacer:
    """Passes rows through and deinterlaces their pictures from the first interlaced one on.

    bwdif looks one picture ahead, so rows come out one later; their order never changes.
    """

    def __init__(self, time_base: Fraction) -> None:
        """Starts idle.

        Args:
            time_base: of the stream, seconds per unit of pts.
        """
        self.active = False
        self._time_base = time_base
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None
        self._waiting: deque[Row] = deque()

    def push(self, row: Row) -> Iterator[Row]:
        """Takes a row and yields those that are ready.

        Raises:
            av.FFmpegError: the filter cannot work on this picture.
        """
        picture = row.picture
        if picture is None:
            self._waiting.append(row)
            yield from self._lost_at_head()
            return
        self.active = self.active or picture.interlaced_frame
        if not self.active:
            yield row
            return
        shape = (picture.width, picture.height, picture.format.name)
        if shape != self._shape:
            yield from self.flush()
            self._graph, self._shape = _bwdif(picture, self._time_base), shape
        self._waiting.append(row)
        assert self._graph is not None
        self._graph.vpush(picture)
        yield from self._ready()

    def flush(self) -> Iterator[Row]:
        """Yields the rows still inside; the next picture starts afresh."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
        self._graph, self._shape = None, None
        yield from self._waiting
        self._waiting.clear()

    def _ready(self) -> Iterator[Row]:
        assert self._graph is not None
        yield from self._lost_at_head()
        while self._waiting:
            try:
                progressive = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield replace(self._waiting.popleft(), picture=progressive)
            yield from self._lost_at_head()

    def _lost_at_head(self) -> Iterator[Row]:
        while self._waiting and self._waiting[0].picture is None:
            yield self._waiting.popleft()


def _bwdif(picture: VideoFrame, time_base: Fraction) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=time_base
    )
    # send_frame: one frame per frame; deint=interlaced leaves progressive pictures alone.
    bwdif = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph
