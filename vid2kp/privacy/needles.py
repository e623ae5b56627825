"""Looks for traces of the sources in every byte of the deliverables.

The needles are what could tell where a recording came from: names of files and folders, values of
tags, hashes. They are looked for in any letter case and in the encodings that files use. What the
deliverables themselves are made of (names of columns, say) is no trace, nor is what is so short
that it turns up by chance; how many needles were left out for that is said.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html.entities import codepoint2name
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vid2kp.errors import UnreadableVideo
from vid2kp.privacy.vocabulary import vocabulary
from vid2kp.video.container import open_source

SHORTEST: Final = 5
"""Bytes of the shortest needle: four turn up by chance in every few megabytes."""

_PREFIX: Final = 4
_ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "gb18030")

# What the bytes of a tag or a name that is no UTF-8 may mean: cameras write what their region does.
_LEGACY: Final = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "latin-1")
_ENTITIES: Final = {code: f"&{name};" for code, name in codepoint2name.items() if code > 127}
_CHUNK: Final = 1 << 22
_DATE: Final = re.compile(r"(\d{4})[-:/.](\d{2})[-:/.](\d{2})(?!\d)")


@dataclass(frozen=True)
class Needles:
    """What is looked for.

    Attributes:
        texts: lower-case byte strings, each with what it is ("file name", …).
        left_out: how many were too short or too common.
        unread: how many sources could not be opened, so that only their names are looked for.
    """

    texts: Mapping[bytes, str]
    left_out: int
    unread: int

    @property
    def longest(self) -> int:
        """Bytes of the longest."""
        return max(map(len, self.texts), default=0)


def needles_of(sources: Iterable[Path]) -> Needles:
    """The needles of these sources.

    Args:
        sources: paths of recordings; those that are there are opened for their tags and hashes.
    """
    texts: dict[bytes, str] = {}
    left_out: set[bytes] = set()
    common = vocabulary()
    unread = 0
    for source in sources:
        found = list(_names(source))
        try:
            found += _tags(source)
            found += _hashes(source)
        except (OSError, UnreadableVideo):
            unread += 1
        for text, kind in found:
            needle = text.lower()
            if len(needle) < SHORTEST or needle in common:
                left_out.add(needle)
            else:
                texts.setdefault(needle, kind)
    return Needles(texts, len(left_out), unread)


def scan(path: Path, needles: Needles) -> set[str]:
    """Which kinds of needles a file holds, in any letter case.

    The pages of a Parquet file are compressed, so its words are looked at besides.

    Raises:
        OSError: it cannot be read.
    """
    found: set[str] = set()
    if not needles.texts:
        return found
    finder = _Finder(needles)
    if path.suffix == ".parquet":
        found |= finder.kinds_in(_words(path))
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(_CHUNK):
            found |= finder.kinds_in(tail + chunk)
            tail = chunk[-(needles.longest - 1) :]
    return found


def _words(path: Path) -> bytes:
    """All texts of the columns and the footer of a Parquet file; none of a damaged one."""
    texts: set[str] = set()
    with path.open("rb") as opened, contextlib.suppress(pa.ArrowException, OSError, ValueError):
        with pq.ParquetFile(opened) as file:
            footer = file.metadata.metadata or {}
            names = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
            for group in range(file.num_row_groups):
                for column in file.read_row_group(group, columns=names).columns:
                    texts.update(filter(None, column.unique().to_pylist()))
        return b"\n".join([*(text.encode() for text in texts), *footer.keys(), *footer.values()])
    return b""


class _Finder:
    """Finds many needles at once by their first four bytes."""

    def __init__(self, needles: Needles) -> None:
        self._by_prefix: dict[int, list[tuple[bytes, str]]] = {}
        for text, kind in needles.texts.items():
            prefix = int.from_bytes(text[:_PREFIX], "little")
            self._by_prefix.setdefault(prefix, []).append((text, kind))
        self._prefixes = np.array(sorted(self._by_prefix), dtype=np.uint32)
        self._first_two = np.zeros(1 << 16, dtype=bool)
        self._first_two[self._prefixes & 0xFFFF] = True

    def kinds_in(self, data: bytes) -> set[str]:
        data = data.lower()
        octets = np.frombuffer(data, dtype=np.uint8)
        if len(octets) < _PREFIX:
            return set()
        pairs = octets[:-1].astype(np.uint16) | octets[1:].astype(np.uint16) << 8
        at = np.flatnonzero(self._first_two[pairs[:-2]])
        starts = pairs[at].astype(np.uint32) | pairs[at + 2].astype(np.uint32) << 16
        hits = at[np.isin(starts, self._prefixes)]
        return {
            kind
            for i in hits.tolist()
            for text, kind in self._by_prefix[int.from_bytes(data[i : i + _PREFIX], "little")]
            if data.startswith(text, i)
        }


def _names(source: Path) -> Iterator[tuple[bytes, str]]:
    for name, kind in (
        (source.name, "file name"),
        (source.stem, "file name"),
        *((folder.name, "folder name") for folder in source.parents if folder.name),
    ):
        yield from ((text, kind) for text in _encoded(name))


def _tags(source: Path) -> list[tuple[bytes, str]]:
    """Values of the container's, the streams' and the chapters' tags."""
    with open_source(source, raw_tags=True) as opened:
        container = opened.container
        values = [*container.metadata.values()]
        for stream in container.streams:
            values += stream.metadata.values()
        for chapter in container.chapters():
            values += chapter["metadata"].values()
    values += [day for value in values for day in _days(value)]
    return [(text, "tag value") for value in values for text in _encoded(value.strip())]


def _days(value: str) -> Iterator[str]:
    """Of a point in time the day alone tells enough, however it is written."""
    if found := _DATE.match(value):
        year, month, day = found.groups()
        for sign in ("-", ":", "/", ".", ""):
            yield sign.join((year, month, day))
            yield sign.join((day, month, year))


def _hashes(source: Path) -> list[tuple[bytes, str]]:
    """Digests of the whole file, as bytes and as hex digits."""
    digests = [hashlib.new(name, usedforsecurity=False) for name in ("sha256", "sha1", "md5")]
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in digests:
                digest.update(chunk)
    raw = [digest.digest() for digest in digests]
    return [(text, "hash") for value in raw for text in (value, value.hex().encode())]


@lru_cache(maxsize=1024)  # recordings share their folders
def _encoded(name: str) -> frozenset[bytes]:
    """The text in every encoding in which it could be written; bytes that are no text as well."""
    raw = name.encode("utf-8", "surrogateescape")
    texts = {raw}
    for reading in _readings(name, raw):
        for encoding in _ENCODINGS:
            with contextlib.suppress(UnicodeEncodeError):
                texts.add(reading.encode(encoding))
    return frozenset(texts)


def _readings(name: str, raw: bytes) -> Iterator[str]:
    """The text in each letter case and normal form, as pages write it too.

    Where it is no text: what its bytes mean in the encodings of the regions.
    """
    if any("\ud800" <= sign <= "\udfff" for sign in name):
        for encoding in _LEGACY:
            with contextlib.suppress(UnicodeDecodeError):
                yield raw.decode(encoding)
        return
    yield name
    if name.isascii():
        return  # one normal form, no entities, and letter case is no matter to the search
    for form in ("NFC", "NFD"):
        normal = unicodedata.normalize(form, name)
        for case in (normal, normal.lower(), normal.upper(), normal.title()):
            yield case
            yield "".join(_ENTITIES.get(ord(sign), sign) for sign in case)
            yield "".join(
                sign if sign.isascii() else "".join(f"%{byte:02X}" for byte in sign.encode())
                for sign in case
            )
