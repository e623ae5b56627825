from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vid2kp.errors import OutputError, PrivacyError
from vid2kp.privacy.pseudonym import PSEUDONYM, Key, Links, private_folder

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")


def _key(path: Path, data: bytes = b"k" * 32, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_same_source_and_table_same_pseudonym(tmp_path: Path) -> None:
    source = tmp_path / "SURNAME_1234.mp4"
    first = Links(tmp_path / "OUT.private").pseudonym_for(source)
    assert PSEUDONYM.fullmatch(first)
    assert Links(tmp_path / "OUT.private").pseudonym_for(source) == first
    again = Links(tmp_path / "OUT.private" / "links.csv")
    assert again.pseudonym_for(source) == first
    assert again.sources() == {first: source}


def test_without_the_table_it_is_another(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    drawn = {Links(tmp_path / str(i)).pseudonym_for(source) for i in range(20)}
    assert len(drawn) == 20


def test_a_pseudonym_tells_nothing_of_the_source(tmp_path: Path) -> None:
    links = Links(tmp_path)
    drawn = [links.pseudonym_for(tmp_path / f"{i}.mp4") for i in range(200)]
    assert len(set(drawn)) == 200
    assert drawn != sorted(drawn)


def test_links_to_one_file_are_one_source(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a.mp4")
    links = Links(tmp_path / "private")
    assert links.pseudonym_for(tmp_path / "a.mp4") == links.pseudonym_for(tmp_path / "b.mp4")


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX")
@pytest.mark.parametrize(
    "name",
    ["a,b.mp4", 'a"b.mp4', "a\nb.mp4", "患者.mp4", os.fsdecode(b"\xd5\xc5.mp4"), "é.mp4", " "],
)
def test_every_name_comes_back(name: str, tmp_path: Path) -> None:
    first = Links(tmp_path).pseudonym_for(tmp_path / name)
    again = Links(tmp_path)
    assert again.pseudonym_for(tmp_path / name) == first
    assert again.sources()[first].name == name


@posix
def test_modes_of_the_private_folder(tmp_path: Path) -> None:
    out = tmp_path / "OUT"
    folder = private_folder(out)
    assert folder == tmp_path / "OUT.private"
    folder.chmod(0o755)
    assert stat.S_IMODE(private_folder(out).stat().st_mode) == 0o700
    Links(folder).pseudonym_for(tmp_path / "a.mp4")
    assert stat.S_IMODE((folder / "links.csv").stat().st_mode) == 0o600


@posix
def test_a_table_that_others_may_read_is_refused(tmp_path: Path) -> None:
    Links(tmp_path).pseudonym_for(tmp_path / "a.mp4")
    (tmp_path / "links.csv").chmod(0o640)
    with pytest.raises(PrivacyError, match="Others may read"):
        Links(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "pseudonym,name\n",
        "pseudonym,source\nshort,/a.mp4\n",
        "pseudonym,source\n" + "a" * 26 + ",/a.mp4,2024\n",
        "pseudonym,source\n" + "a" * 26 + ',"/a.mp4\n',
    ],
)
def test_a_damaged_table_is_refused_and_not_overwritten(text: str, tmp_path: Path) -> None:
    table = tmp_path / "links.csv"
    table.write_text(text)
    table.chmod(0o600)
    with pytest.raises(PrivacyError, match="damaged") as caught:
        Links(tmp_path)
    assert "a.mp4" not in str(caught.value)
    assert table.read_text() == text


def test_a_mark_of_a_spreadsheet_program_does_no_harm(tmp_path: Path) -> None:
    first = Links(tmp_path).pseudonym_for(tmp_path / "Müller.mp4")
    table = tmp_path / "links.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    again = Links(tmp_path)
    assert again.pseudonym_for(tmp_path / "Müller.mp4") == first
    second = again.pseudonym_for(tmp_path / "b.mp4")
    assert set(Links(tmp_path).sources()) == {first, second}


def test_a_row_cut_by_a_power_failure_is_dropped(tmp_path: Path) -> None:
    first = Links(tmp_path).pseudonym_for(tmp_path / "a.mp4")
    with (tmp_path / "links.csv").open("a") as file:
        file.write("abc")
    links = Links(tmp_path)
    assert links.pseudonym_for(tmp_path / "a.mp4") == first
    second = links.pseudonym_for(tmp_path / "b.mp4")
    assert set(Links(tmp_path).sources()) == {first, second}


def test_a_table_that_is_read_is_neither_made_nor_written(tmp_path: Path) -> None:
    pseudonym = Links(tmp_path).pseudonym_for(tmp_path / "a.mp4")
    table = tmp_path / "links.csv"
    table.chmod(0o400)
    reader = Links(table, for_reading=True)
    assert reader.sources() == {pseudonym: tmp_path / "a.mp4"}
    with pytest.raises(OutputError):
        reader.pseudonym_for(tmp_path / "b.mp4")
    with pytest.raises(OutputError):
        Links(tmp_path / "none", for_reading=True)
    assert [path.name for path in tmp_path.iterdir()] == ["links.csv"]


def test_processes_share_a_table(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vid2kp.privacy.pseudonym import Links\n"
        "links = Links(Path(sys.argv[1]))\n"
        "for i in range(40): print(links.pseudonym_for(Path(f'/data/{i}.mp4')))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate()[0].split() for process in running]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(set(outputs[0])) == 40
    assert len(Links(tmp_path).sources()) == 40


def test_keyed_mode_needs_no_common_table(tmp_path: Path) -> None:
    key = Key.read(_key(tmp_path / "key"))
    source = tmp_path / "a.mp4"
    one, two = (Links(tmp_path / n, key=key) for n in ("one", "two"))
    assert one.pseudonym_for(source) == two.pseudonym_for(source)
    assert PSEUDONYM.fullmatch(one.pseudonym_for(source))
    assert (one.mode, one.key_id) == ("keyed", key.key_id)
    other = Key.read(_key(tmp_path / "other", b"o" * 32))
    assert Links(tmp_path / "three", key=other).pseudonym_for(source) != one.pseudonym_for(source)
    assert other.key_id != key.key_id


def test_a_table_of_another_key_is_refused(tmp_path: Path) -> None:
    Links(tmp_path / "t").pseudonym_for(tmp_path / "a.mp4")
    key = Key.read(_key(tmp_path / "key"))
    with pytest.raises(PrivacyError, match="not made with this key"):
        Links(tmp_path / "t", key=key).pseudonym_for(tmp_path / "a.mp4")


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o644])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="Others may read"):
        Key.read(_key(tmp_path / "SURNAME", mode=mode))


def test_a_short_or_missing_key_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="shorter than 32 bytes"):
        Key.read(_key(tmp_path / "key", b"k" * 31))
    with pytest.raises(PrivacyError) as caught:
        Key.read(tmp_path / "SURNAME")
    assert "SURNAME" not in str(caught.value)


def test_a_key_does_not_show_its_secret(tmp_path: Path) -> None:
    key = Key.read(_key(tmp_path / "key", b"topsecret" * 4))
    assert "topsecret" not in repr(key)
    assert "topsecret" not in str(Links(tmp_path / "t", key=key).__dict__)


def test_many_sources_at_once_wait_for_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    monkeypatch.setattr(os, "fsync", waits.append)
    links = Links(tmp_path)
    names = [tmp_path / f"{i}.mp4" for i in (1, 2, 1, 3)]
    first = links.pseudonym_for(names[1])
    drawn = links.pseudonyms_for(names)
    assert len(waits) == 2
    assert drawn[1] == first
    assert drawn[0] == drawn[2]
    assert len(set(drawn)) == 3
    assert links.pseudonyms_for([]) == []
    assert Links(tmp_path).pseudonyms_for(names) == drawn
    assert len(waits) == 2
