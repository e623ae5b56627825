"""The spine: what one conversion writes, and that it writes nothing else."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest

from vid2kp.convert import ConvertOptions, convert_video, make_estimator
from vid2kp.errors import UnreadableVideo, UsageError
from vid2kp.files import fix_folder_times
from vid2kp.privacy.manifest import COUNTS, LIBRARIES, OPTIONS, read_manifest
from vid2kp.privacy.verify import verify
from vid2kp.tracks.index import INDEX_SCHEMA, write_index
from vid2kp.tracks.load import load_tracks
from vid2kp.training.synthetic_video import VideoOptions, write_video

PSEUDONYM = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    options = VideoOptions(seconds=0.8, fps=25, width=240, height=180)
    return write_video(folder, seed=4, options=options).video


@pytest.fixture(scope="module")
def estimator():
    return make_estimator(ConvertOptions(device="cpu"))


def test_deliverables_agree_with_each_other(clip: Path, tmp_path: Path, estimator):
    seen: list[tuple[int, int | None]] = []
    result = convert_video(
        clip,
        tmp_path / PSEUDONYM,
        pseudonym=PSEUDONYM,
        estimator=estimator,
        options=ConvertOptions(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.status == "done" and result.frames == 20
    assert sorted(p.name for p in (tmp_path / PSEUDONYM).iterdir()) == [
        "frames.parquet",
        "manifest.json",
        "skeleton.mp4",
        "tracks.parquet",
    ]
    assert result.tracks_path is not None
    tracks = load_tracks(result.tracks_path)
    assert len(tracks.time) == 20 and tracks.individuals == ("infant",)
    assert np.allclose(tracks.time, np.arange(20) / 25, atol=1e-4)
    frames = tracks.frames
    assert frames is not None and (frames["rotation"] == 0).all()
    assert (frames["view_width"] == frames["view_height"]).all(), "a square crop"
    low = np.nanmin(tracks.to_numpy()[0][:, 0], axis=(0, 1))
    assert frames["view_x"].iloc[0] < low[0] and frames["view_y"].iloc[0] < low[1]
    manifest, files = read_manifest(tmp_path / PSEUDONYM)
    assert manifest.counts["frames"] == 20 and len(files) == 3
    assert manifest.key_id is None and manifest.model_sha256 == estimator.card.sha256
    assert seen[-1] == (20, 20) and [done for done, _ in seen] == sorted(d for d, _ in seen)


def test_batch_size_does_not_change_a_deliverable(clip: Path, tmp_path: Path):
    """fp32: the same keypoints to a hundredth of a pixel, the same rows."""
    found = []
    for size in (1, 5, 16):
        options = ConvertOptions(precision="fp32", batch_size=size, video=False)
        folder = tmp_path / f"{size}"
        convert_video(
            clip, folder, pseudonym=PSEUDONYM, estimator=make_estimator(options), options=options
        )
        found.append(load_tracks(folder / "tracks.parquet").to_numpy()[0])
    for other in found[1:]:
        assert np.array_equal(np.isnan(found[0]), np.isnan(other))
        assert np.nanmax(np.abs(found[0] - other)) < 0.01


def test_the_manifest_says_what_was_done(clip: Path, tmp_path: Path, estimator):
    """Whole frames are looked at for everybody's sake, and the key of a pseudonym is named."""
    convert_video(
        clip,
        tmp_path / PSEUDONYM,
        pseudonym=PSEUDONYM,
        estimator=estimator,
        options=ConvertOptions(people="all", rotate="90", video=False),
        key_id="0123456789abcdef",
    )
    manifest, _ = read_manifest(tmp_path / PSEUDONYM)
    assert manifest.options["zoom"] == "off" and manifest.options["people"] == "all"
    assert manifest.options["rotate"] == "90"
    assert manifest.counts["crop_changes"] == 0
    assert manifest.key_id == "0123456789abcdef"


def test_an_older_deliverable_stays_when_the_new_one_fails(tmp_path: Path, estimator):
    folder = tmp_path / PSEUDONYM
    folder.mkdir()
    (folder / "tracks.parquet").write_bytes(b"old")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(UnreadableVideo):
        convert_video(
            broken, folder, pseudonym=PSEUDONYM, estimator=estimator, options=ConvertOptions()
        )
    assert (folder / "tracks.parquet").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == [PSEUDONYM, "broken.mp4"]


WATCHED = """
import json, os, sys
from pathlib import Path

written = set()
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        mode, flags = arguments[1], arguments[2] or 0
        if (mode and set(mode) & set("wxa+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.add(os.fspath(arguments[0]))
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system"):
        written.add(event)
from vid2kp.convert import ConvertOptions, convert_video, make_estimator
estimator = make_estimator(ConvertOptions(device="cpu"))
sys.addaudithook(watch)
convert_video(Path(sys.argv[1]), Path(sys.argv[2]), pseudonym=sys.argv[3], estimator=estimator,
              options=ConvertOptions())
print(json.dumps(sorted(w if isinstance(w, str) else os.fsdecode(w) for w in written)))
"""


def test_no_frame_touches_a_disk(clip: Path, tmp_path: Path):
    """Every file that is opened for writing is a deliverable, or the nameless spool of numbers."""
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, str(clip), str(out / PSEUDONYM), PSEUDONYM],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    opened = [Path(p) for p in json.loads(done.stdout.splitlines()[-1])]
    assert opened, "the watch works"
    stray = [p for p in opened if not p.is_relative_to(out) and p != Path("/dev/null")]
    assert not stray
    kinds = {p.name.lstrip(".").split(".")[0] for p in opened if p.is_relative_to(out)}
    allowed = {"tracks", "frames", "skeleton", "manifest", PSEUDONYM}
    assert {k for k in kinds if not k.startswith("tmp")} <= allowed | {""}
    assert sum(p.stat().st_size for p in (out / PSEUDONYM).iterdir()) < 20 * 240 * 180 / 4, (
        "less than a quarter of a byte per pixel of the source"
    )


@pytest.mark.parametrize("name", ["start", "duration"])
@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_what_is_no_time_is_refused_at_once(name: str, seconds: float) -> None:
    with pytest.raises(UsageError, match=f"The {name} is no time. Give seconds"):
        ConvertOptions(**{name: seconds})


@pytest.mark.parametrize(
    "options",
    [
        {"drop_face": True},
        {"normalise": True},
        {"relative_only": True, "people": "all"},
        {"drop_face": True, "normalise": True, "relative_only": True},
    ],
)
def test_privacy_options_hold_back_what_they_say(
    options: dict[str, bool], clip: Path, tmp_path: Path, estimator
):
    out = tmp_path / "out"
    result = convert_video(
        clip,
        out / PSEUDONYM,
        pseudonym=PSEUDONYM,
        estimator=estimator,
        options=ConvertOptions(**options),
    )
    manifest, _ = read_manifest(out / PSEUDONYM)
    told = {name: getattr(result, name) for name in INDEX_SCHEMA.names if hasattr(result, name)}
    row = told | dict(manifest.counts) | dict(result.quality)
    write_index(out / "index.parquet", [row])
    fix_folder_times(out)
    assert verify(out).findings == ()
    assert set(manifest.counts) == set(COUNTS)
    assert set(manifest.options) == set(OPTIONS) - {"duration"}
    assert set(manifest.libraries) == set(LIBRARIES)
    tracks = load_tracks(out / PSEUDONYM / "tracks.parquet")
    footer = tracks.footer
    steps = [name for name in options if name != "people"]
    assert [step.name for step in footer.processing] == ["estimate", *steps]
    assert all(manifest.options[name] is True for name in steps)
    assert manifest.privacy_profile == footer.privacy_profile
    positions, _ = tracks.to_numpy()
    assert np.isfinite(positions[:, 0]).any()
    hips = [footer.skeleton.index(f"{side}_hip") for side in ("right", "left")]
    if "relative_only" in options:
        assert np.nanmax(np.abs(positions[:, 0, hips].mean(axis=1))) < 1e-3
    if "normalise" in options:
        assert footer.position_unit == "torso"
        assert np.nanmax(np.abs(positions)) < 10
    if "drop_face" in options:
        assert np.isnan(positions[:, :, list(footer.skeleton.face)]).all()
    assert tracks.frames is not None
    assert tracks.frames["view_x"].isna().all() == (steps != ["drop_face"])


def test_the_time_of_day_in_a_recording_is_not_told(tmp_path: Path, estimator):
    """Recorders may count from 1970 or from their own start, not from the first frame."""
    midnight = 1_700_000_000_000
    times = tuple(midnight + 40 * i for i in range(6))
    clip = media.make(
        tmp_path / "clip.mkv",
        media.Clip(frames=6, times=times, time_base=Fraction(1, 1000)),
    )
    with av.open(str(clip)) as container:
        assert next(container.decode(video=0)).pts == midnight
    convert_video(
        clip,
        tmp_path / PSEUDONYM,
        pseudonym=PSEUDONYM,
        estimator=estimator,
        options=ConvertOptions(video=False),
    )
    rows = load_tracks(tmp_path / PSEUDONYM / "tracks.parquet").frames
    assert rows is not None
    assert rows["pts"].tolist() == [40 * i for i in range(6)]
