"""The one place where a video file is opened: regular files only, no other file, no network.

A source is opened as a file object, never by name: whatever its name looks like (a protocol, an
option, a pattern, bytes that are no text), FFmpeg does not see it. Only demuxers of video
containers may look at its bytes, and none may open a second file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from vid2kp.errors import UnreadableVideo
from vid2kp.video.lookalikes import HEAD_BYTES, Lookalike, explain, misleading

MAX_PIXELS = 8192 * 4352
"""Largest coded picture that is decoded: 8K. More is taken for a decompression bomb."""

MAX_SIDE = 16384
"""Longest coded side that is decoded, pixels."""

_MAX_BYTES = 800_000_000  # of all pictures that a decoder holds: a bomb stays under a gigabyte
_ALWAYS_PIXELS = 4096 * 2304  # 4K is decoded, however many bits it has

# Pictures that a decoder may hold at once: those that others are predicted from, as many as the
# bitstream may ask for, and those on their way. Measured with files that ask for most.
_HELD = {"h264": 24, "hevc": 12, "vp9": 12, "libdav1d": 12, "av1": 12, "vvc": 20}
_HELD_BY_OTHERS = 6

# Demuxers of video containers and elementary streams. Left out on purpose: playlists (concat,
# hls, dash), still pictures (image2, *_pipe, mjpeg), text that decodes as video (tty, ansi),
# devices, and raw formats that match anything.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,obu,ivf,"
    "flv,asf,mxf,gxf,ogg,dv,nut,rm,wtv"
)

# Decoders that, at bad data, say nothing and leave old memory where blocks are missing. Told to
# give such a picture up, they do the same every time.
_LEAVES_HOLES = {"hevc", "mjpeg", "mjpegb", "amv", "thp"}

_READ_BYTES = 1 << 18
_MAX_FAILED_READS = 2000

_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails

# FFmpeg's log callback takes locks that can deadlock with the GIL, and its lines hold paths.
av.logging.set_level(None)

READ_ERRORS: tuple[type[Exception], ...] = (av.FFmpegError, OSError, ValueError, EOFError)
"""What PyAV and the file system raise on bad bytes. The texts may hold paths: never show them."""


@dataclass(frozen=True)
class Source:
    """An opened video: the container and the one stream of it that is read."""

    container: InputContainer
    stream: VideoStream


@contextmanager
def open_source(
    path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, raw_tags: bool = False
) -> Iterator[Source]:
    """Opens a video file and chooses its picture stream; closes both on leaving.

    Args:
        path: a regular file, or a link to one.
        max_pixels: larger coded pictures are refused.
        raw_tags: keep the bytes of tags that are no UTF-8, as surrogate escapes; else they are
            replaced by U+FFFD.

    Raises:
        UnreadableVideo: not a regular file, not a video container, no video stream, no decoder,
            or larger than ``max_pixels``.
    """
    with _open_regular_file(Path(path)) as file:
        head = _head(file)
        if kind := misleading(head):
            _refuse(kind)
        tag_errors = "surrogateescape" if raw_tags else "replace"
        container = _open_container(file, head, max_pixels, tag_errors)
        try:
            stream = _choose_stream(container)
            max_pixels = min(max_pixels, _affordable_pixels(stream))
            _check_size(stream, max_pixels)
            _configure_decoder(stream, max_pixels)
            yield Source(container, stream)
        finally:
            container.close()


@contextmanager
def memory_as_unreadable() -> Iterator[None]:
    """Turns running out of memory into a verdict on the video.

    Damaged headers ask for absurd amounts, and a limited process has little to give.
    """
    try:
        yield
    except MemoryError:
        raise UnreadableVideo(
            "Decoding asks for more memory than there is.",
            hint="The file is damaged, or fewer videos have to be read at once.",
        ) from None


@contextmanager
def _open_regular_file(path: Path) -> Iterator[Any]:
    # O_NONBLOCK: opening a FIFO must not wait for its writer. The type is asked of the open file,
    # so that nothing can be put in its place in between.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        _refuse_to_open(error)
    except ValueError:  # a NUL byte in the name
        raise UnreadableVideo("The file name is not valid.") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableVideo("This is not a regular file.", hint="Give a video file.")
        file = os.fdopen(descriptor, "rb", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise
    with file:
        yield file


def _refuse_to_open(error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise UnreadableVideo("There is no such file.", hint="Check the name.") from None
    if isinstance(error, PermissionError):
        raise UnreadableVideo(
            "The file may not be read.", hint="Ask its owner for permission to read it."
        ) from None
    raise UnreadableVideo(
        f"The file cannot be opened ({os.strerror(error.errno or 0)}).",
        hint="Check the disk or the network share.",
    ) from None


def _head(file: Any) -> bytes:
    try:
        head: bytes = file.read(HEAD_BYTES)
        file.seek(0)
    except OSError as error:
        _refuse_to_open(error)
    return head


def _refuse(kind: Lookalike) -> NoReturn:
    raise UnreadableVideo(kind.message, hint=kind.hint) from None


def _refuse_second_file(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a video may not open another file")


def _open_container(file: Any, head: bytes, max_pixels: int, tag_errors: str) -> InputContainer:
    options = {
        "format_whitelist": _FORMATS,
        "protocol_whitelist": "file",
        "max_pixels": _decoder_limit(max_pixels),
        "threads": "1",  # of the decoders that look into the first packets
    }
    try:
        container: InputContainer = av.open(
            file,
            "r",
            options=options,
            metadata_errors=tag_errors,
            buffer_size=_READ_BYTES,
            io_open=_refuse_second_file,
        )
    except MemoryError:
        raise
    except READ_ERRORS:
        if kind := explain(head):
            _refuse(kind)
        raise UnreadableVideo(
            "This is not a video file, or its header is missing or damaged.",
            hint="If it should be one, copy it again from the camera.",
        ) from None
    return container


def _choose_stream(container: InputContainer) -> VideoStream:
    """The best stream of moving pictures; cover art and thumbnails are none."""
    moving = [s for s in container.streams.video if not s.disposition & _PICTURES]
    if not moving:
        raise UnreadableVideo(
            "The file holds no video stream.", hint="It may be a sound recording."
        )
    best = container.streams.best("video")
    stream = next((s for s in moving if best is not None and s.index == best.index), moving[0])
    if stream.codec_context is None:
        raise UnreadableVideo(
            "The video is in a format that cannot be decoded here.",
            hint="Convert it to H.264 and try again.",
        )
    for other in container.streams:
        # Assigning to a stream is passed on to its decoder, and it may have none. PyAV 16 and 17
        # cannot discard: demuxing the one stream is then all that is done.
        if other.index != stream.index and hasattr(other, "discard"):
            other.discard = Discard.all
    return stream


def _affordable_pixels(stream: VideoStream) -> int:
    """The largest picture of which a decoder can hold as many as it may want."""
    decoder = stream.codec_context
    bits = decoder.format.padded_bits_per_pixel if decoder.format is not None else 12
    held = _HELD.get(decoder.codec.name, _HELD_BY_OTHERS)
    return max(_ALWAYS_PIXELS, _MAX_BYTES * 8 // (held * max(bits, 12)))


def _check_size(stream: VideoStream, max_pixels: int) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise UnreadableVideo(
            f"The picture is {width} x {height} pixels, more than is decoded in its format.",
            hint="If it is genuine, scale it down to 4K.",
        )


def _configure_decoder(stream: VideoStream, max_pixels: int) -> None:
    """One thread, limits, and no guessing where guesses would not be marked.

    With several threads FFmpeg copies a picture's error flags while another thread may still be
    decoding it: what counts as damaged would change from run to run. It is videos that are read
    in parallel.
    """
    decoder = stream.codec_context
    decoder.thread_count = 1
    decoder.thread_type = "NONE"
    decoder.options = {"max_pixels": _decoder_limit(max_pixels)}
    if decoder.codec.name in _LEAVES_HOLES:
        decoder.options |= {"err_detect": "explode"}


def _decoder_limit(max_pixels: int) -> str:
    # FFmpeg counts lines padded for its vector code; `_check_size` is the exact limit.
    return str(max_pixels + max_pixels // 20 + 65536)


def packets(
    source: Source, failed: Callable[[], None] | None = None
) -> Iterator[Packet[VideoStream] | None]:
    """Packets of the chosen stream, going on after damage; at the end None, which flushes.

    Args:
        source: an opened video.
        failed: called without arguments for every read that failed.
    """
    failures = 0
    while failures < _MAX_FAILED_READS:
        try:
            for packet in source.container.demux(source.stream):
                failures = 0
                if packet.size:
                    yield packet
                elif packet.dts is None:  # PyAV's own, after the last
                    break
                # else: a sample without data, which a decoder would take for the end
            break
        except IndexError:  # PyAV's flush, where a stream appeared after the header
            break
        except READ_ERRORS:
            failures += 1
            if failed is not None:
                failed()
    yield None
