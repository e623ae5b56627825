"""Hostile files, odd names, and things that are no files: nothing but the named video is read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import broken_media
import media
import pytest
from media import Clip, make
from reading import naive_decode, read_all

from vid2kp.errors import UnreadableVideo
from vid2kp.video.probe import probe
from vid2kp.video.read import ReadOptions


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("plain") / "plain.ts")


# -- playlists, pictures, text -----------------------------------------------------------------


def test_a_concat_script_reads_no_other_file(tmp_path: Path) -> None:
    other = make(tmp_path / "other.ts")
    path = broken_media.ffconcat(tmp_path / "evil.mp4", other)
    assert len(naive_decode(path)) == 24  # the frames of the other file
    with pytest.raises(UnreadableVideo):
        read_all(path)


@pytest.mark.parametrize("target", ["other.ts", "http://127.0.0.1:9/x.ts"])
def test_an_hls_playlist_reads_nothing(tmp_path: Path, target: str) -> None:
    make(tmp_path / "other.ts")
    path = broken_media.m3u8(tmp_path / "evil.mp4", target)
    with pytest.raises(UnreadableVideo):
        read_all(path)


def test_prose_is_no_video(tmp_path: Path) -> None:
    path = broken_media.plain_text(tmp_path / "notes.txt")
    assert naive_decode(path)  # the tty demuxer
    with pytest.raises(UnreadableVideo):
        read_all(path)


def test_a_photograph_is_no_video(tmp_path: Path) -> None:
    path = broken_media.jpeg(tmp_path / "photo.jpg")
    assert len(naive_decode(path)) == 1
    for name in ("photo.jpg", "photo.mp4"):
        path.replace(path := tmp_path / name)
        with pytest.raises(UnreadableVideo):
            read_all(path)


@pytest.mark.parametrize("data", [b"", b"\0" * 4096, b"ftyp", b"\x00\x00\x00\x18ftypmp42"])
def test_empty_and_blank_files_are_unreadable(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "empty.mp4"
    path.write_bytes(data)
    with pytest.raises(UnreadableVideo):
        read_all(path)


def test_an_mp4_without_its_index_is_unreadable(tmp_path: Path) -> None:
    path = broken_media.without_index(make(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    # FFmpeg's error is a ValueError, which a handler for OSError lets through.
    with pytest.raises(ValueError):
        naive_decode(path)
    with pytest.raises(UnreadableVideo):
        read_all(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = media.make_sound(tmp_path / "sound.m4a")
    with pytest.raises(UnreadableVideo, match="no video stream"):
        probe(path)


def test_cover_art_alone_is_no_video(tmp_path: Path) -> None:
    path = media.make_sound(tmp_path / "song.mp4", cover=True)
    with av.open(str(path)) as container:
        assert container.streams.best("video") is not None
    with pytest.raises(UnreadableVideo, match="no video stream"):
        probe(path)


def test_an_unknown_codec_is_said(tmp_path: Path) -> None:
    path = make(tmp_path / "odd.avi", Clip(codec="mpeg4"))
    data = path.read_bytes().replace(b"FMP4", b"QQ12").replace(b"XVID", b"QQ12")
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context is None
    with pytest.raises(UnreadableVideo, match="format"):
        probe(path)


# -- bombs -------------------------------------------------------------------------------------


def test_a_picture_over_the_limit_is_refused_before_decoding(plain: Path) -> None:
    limit = media.WIDTH * media.HEIGHT
    assert read_all(plain, ReadOptions(max_pixels=limit)).summary.frames == 24
    with pytest.raises(UnreadableVideo, match=f"{media.WIDTH} x {media.HEIGHT}"):
        read_all(plain, ReadOptions(max_pixels=limit - 1))


def test_a_picture_that_grows_over_the_limit_is_damage(tmp_path: Path) -> None:
    small = make(tmp_path / "1.ts")
    large = make(tmp_path / "2.ts", Clip(width=640, height=384))
    path = media.joined(tmp_path / "grow.ts", [small, large])
    seen = read_all(path, ReadOptions(max_pixels=200 * 100))
    assert set(seen.sizes) == {(media.WIDTH, media.HEIGHT)}
    assert seen.summary.status == "damaged"


_READ_AND_MEASURE = """
import sys
from pathlib import Path
from vid2kp.errors import UnreadableVideo
from vid2kp.video.probe import probe
try:
    probe(sys.argv[1])
except UnreadableVideo as error:
    print(error.message)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""
# Not ru_maxrss: that also counts what the parent held when it made this process.


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_decompression_bomb_stays_small_and_is_reported(tmp_path: Path) -> None:
    path = broken_media.bomb(tmp_path / "bomb.mov")
    assert path.stat().st_size < 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", _READ_AND_MEASURE, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    reason, kilobytes = done.stdout.splitlines()
    assert "No picture" in reason
    assert int(kilobytes) < 1_000_000


# -- tags --------------------------------------------------------------------------------------


def test_a_tag_that_is_not_utf8_does_not_stop_reading(tmp_path: Path) -> None:
    name = "王小明".encode("gbk")
    path = broken_media.with_tag_bytes(tmp_path / "gbk.avi", name)
    with pytest.raises(UnicodeDecodeError):
        naive_decode(path)
    assert read_all(path).numbers == list(range(24))


def test_tags_are_known_by_name_only(tmp_path: Path) -> None:
    path = media.make_dirty(tmp_path / "dirty.mp4")
    info = probe(path)
    assert {"title", "artist", "comment"} <= {tag.lower() for tag in info.identifying_tags}
    said = repr(info)
    assert not any(value in said for value in media.NEEDLES.values())
    assert media.SUBTITLE_NEEDLE not in said
    assert media.CHAPTER_NEEDLE not in said


# -- names -------------------------------------------------------------------------------------

ODD_NAMES = [
    b"2024:01:02.mp4",
    b"http:baby.mp4",
    b"concat:a|b.mp4",
    b"-rf.mp4",
    b"two\nlines.mp4",
    "视频 录像.mp4".encode(),
    "👶🏽.mp4".encode(),
    b"n" * 240 + b".mp4",
    b"frame%03d.mp4",
    b"caf\xe9.mp4",
    b" .mp4",
    b"UPPER.MP4",
    b"no suffix",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name[:12]))
def test_odd_names_are_only_names(
    tmp_path: Path, plain: Path, name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = os.fsdecode(name)
    try:
        Path(relative).write_bytes(plain.read_bytes())
    except OSError:
        pytest.skip("this file system has no such names")
    for path in (relative, Path(relative), tmp_path / relative):
        assert read_all(path, images=False).summary.frames == 24


def test_a_colon_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "plain.mp4").rename(tmp_path / "a:b.mp4")
    with pytest.raises(av.FFmpegError):
        naive_decode("a:b.mp4")
    assert read_all("a:b.mp4").summary.frames == 24


@pytest.mark.parametrize("name", ["nothing.mp4", "a\0b.mp4", "http://127.0.0.1:9/x.mp4", ""])
def test_what_is_no_file_is_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableVideo):
        probe(os.path.join(tmp_path, name))  # noqa: PTH118


# -- things that are no files ------------------------------------------------------------------


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.close()


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.skipif(os.name != "posix", reason="POSIX file types")
@pytest.mark.parametrize("special", [make_fifo, make_socket, Path.mkdir, make_loop])
@pytest.mark.timeout(10)
def test_special_files_are_refused_at_once(
    tmp_path: Path, special: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    special(Path("s.mp4"))
    with pytest.raises(UnreadableVideo):
        probe("s.mp4")


@pytest.mark.skipif(os.name != "posix", reason="POSIX devices")
def test_devices_are_refused() -> None:
    with pytest.raises(UnreadableVideo, match="regular file"):
        probe("/dev/zero")


def test_a_link_to_a_video_is_a_video(tmp_path: Path, plain: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(plain)
    assert read_all(link).summary.frames == 24


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(UnreadableVideo, match="may not be read"):
        probe(path)


# -- messages ----------------------------------------------------------------------------------


def test_messages_hold_no_path_and_chain_no_library_error(tmp_path: Path) -> None:
    secret = tmp_path / "Lastname-Firstname.mp4"
    for data in (b"", b"text " * 500, make(tmp_path / "a.mp4").read_bytes()[:600]):
        secret.write_bytes(data)
        with pytest.raises(UnreadableVideo) as caught:
            read_all(secret)
        assert "Lastname" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_nothing_is_written_and_the_file_is_closed(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4")
    before = sorted(tmp_path.iterdir())
    read_all(path)
    assert sorted(tmp_path.iterdir()) == before
    if sys.platform == "linux":
        descriptors = list(Path("/proc/self/fd").iterdir())
        assert not any(fd.exists() and fd.resolve() == path for fd in descriptors)
