"""The manifest of one video: what was made, by what, with which options, and its hashes.

It is built from an allow-list: known names, each with a flag, a number or a short token, and
sentences of fixed patterns that say why the status is what it is. No name, path, host, user, date
or hash of the source has a place in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from vid2kp.errors import PrivacyError
from vid2kp.files import write_text
from vid2kp.privacy.pseudonym import PSEUDONYM
from vid2kp.privacy.reasons import REASON as REASON
from vid2kp.privacy.reasons import manifest_reason
from vid2kp.tracks.footer import SHA256, Scalar, is_scalar, is_token
from vid2kp.tracks.schema import (
    CLEAN_FILE,
    FRAMES_FILE,
    MANIFEST_FILE,
    ROTATIONS,
    STATUSES,
    TRACKS_FILE,
    VIDEO_FILE,
)

MANIFEST_VERSION: Final = 1

DELIVERABLES: Final = (TRACKS_FILE, FRAMES_FILE, CLEAN_FILE, VIDEO_FILE)
"""Files that a manifest answers for; no other file may lie beside it."""

NOTICE: Final = (
    "vid2kp removes pixels, sound, file metadata and file names and replaces identities by random "
    "pseudonyms. Its output is pseudonymised health data, not anonymous data: whoever holds the "
    "original video or the link table can match it. Skeleton tracks of adults have been used to "
    "re-identify people; for infants nobody has measured it. Whether an output meets HIPAA Safe "
    "Harbor, Expert Determination or the GDPR's anonymity is the organisation's decision; the "
    "verification report is evidence for it."
)
"""The honest wording; README, report and manifest have it from here."""

COUNTS: Final = (
    "frames", "frames_with_infant", "frames_ambiguous", "frames_swapped", "frames_suspect",
    "frames_lost", "people", "crop_changes", "turn_changes", "rotation",
)  # fmt: skip
"""What is counted of a video, by name."""

LIBRARIES: Final = ("av", "numpy", "opencv-python-headless", "pyarrow", "torch")
"""The libraries whose versions are named."""

_MOST_COUNTED: Final = (1 << 31) - 1
_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
_VERSION: Final = re.compile(
    r"[0-9]{1,6}(?:\.[0-9]{1,8}){0,5}(?:(?:a|b|rc)[0-9]{1,8})?(?:\.post[0-9]{1,8})?"
    r"(?:\.dev[0-9]{1,10})?(?:\+[a-z0-9.]{1,40})?"
)
"""As PEP 440 has it; a build may name itself after a plus sign."""


def _one_of(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


OPTIONS: Final[Mapping[str, Callable[[object], bool]]] = {
    "clean": _is_flag,
    "drop_face": _is_flag,
    "duration": _is_seconds,
    "normalise": _is_flag,
    "people": _one_of("infant", "all"),
    "precision": _one_of("fp32", "bf16", "fp16"),
    "relative_only": _is_flag,
    "rotate": _one_of("auto", "0", "90", "180", "270"),
    "start": _is_seconds,
    "video": _is_flag,
    "zoom": _one_of("auto", "off"),
}
"""The options of `convert.ConvertOptions` that can change a deliverable, and what they may be."""


@dataclass(frozen=True)
class Manifest:
    """What the manifest of one video says beside the hashes of its files.

    Attributes:
        pseudonym: of the video; the name of its folder.
        status: one of `schema.STATUSES`.
        model_name: name of the model.
        model_sha256: of its weights, "" for none.
        tool_version: version of vid2kp.
        reason: why the status is not ``done``, and why the infant was taken for the infant;
            see `reasons.manifest_reason`.
        counts: how many frames, suspect frames and so on; of `COUNTS`.
        options: the effective options of the conversion; of `OPTIONS`.
        render: the options of the skeleton video, by the names of `render.RenderOptions`; what
            they may be is checked by `verify`, which draws with them.
        libraries: versions of `LIBRARIES`.
        privacy_profile: (name, version) of the rules the files were made under.
        key_id: id of the key in the keyed mode, None for random pseudonyms.
    """

    pseudonym: str
    status: str
    model_name: str
    model_sha256: str
    tool_version: str
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Scalar] = field(default_factory=dict)
    render: Mapping[str, Scalar] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    privacy_profile: tuple[str, str] = ("pseudonymised", "1")
    key_id: str | None = None

    def __post_init__(self) -> None:
        for name, value in self._checks().items():
            if not value:
                raise PrivacyError(f"The manifest's {name} is not allowed.")

    def _checks(self) -> dict[str, bool]:
        return {
            "pseudonym": _matches(PSEUDONYM, self.pseudonym),
            "status": self.status in STATUSES,
            "model name": is_token(self.model_name),
            "model sha256": self.model_sha256 == "" or _matches(SHA256, self.model_sha256),
            "tool version": is_token(self.tool_version),
            "reason": _matches(manifest_reason(), self.reason),
            "counts": _counts_allowed(self.counts),
            "options": isinstance(self.options, dict)
            and all(name in OPTIONS and OPTIONS[name](v) for name, v in self.options.items()),
            "render": _tokens(self.render) and all(map(is_scalar, self.render.values())),
            "libraries": isinstance(self.libraries, dict)
            and all(n in LIBRARIES and _matches(_VERSION, v) for n, v in self.libraries.items()),
            "privacy profile": len(self.privacy_profile) == 2
            and all(is_token(part) for part in self.privacy_profile),
            "key id": self.key_id is None or _matches(_KEY_ID, self.key_id),
        }

    def to_json(self, files: Mapping[str, FileHash]) -> str:
        """The manifest as JSON for people, always the same text for the same content."""
        content = {
            "manifest_version": MANIFEST_VERSION,
            "notice": NOTICE,
            "pseudonym": self.pseudonym,
            "pseudonyms": {
                "mode": "random" if self.key_id is None else "keyed",
                "key_id": self.key_id,
            },
            "status": self.status,
            "reason": self.reason,
            "counts": dict(self.counts),
            "model": {"name": self.model_name, "sha256": self.model_sha256},
            "tool": {"name": "vid2kp", "version": self.tool_version},
            "privacy_profile": dict(zip(("name", "version"), self.privacy_profile, strict=True)),
            "options": dict(self.options),
            "render": dict(self.render),
            "libraries": dict(self.libraries),
            "files": {
                name: {"bytes": file.bytes, "sha256": file.sha256} for name, file in files.items()
            },
        }
        return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


@dataclass(frozen=True)
class FileHash:
    """Size in bytes and SHA-256 (hex) of a file."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileHash:
        """Size and hash of a file on disk."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return cls(file.tell(), digest.hexdigest())


def shaping_libraries() -> dict[str, str]:
    """Versions of the installed libraries on which the bytes of the deliverables depend."""
    return {name: version(name) for name in LIBRARIES if name != "torch"}


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Hashes the deliverables in a folder and writes its manifest, the last file of a video.

    Returns:
        the path of the manifest.

    Raises:
        OutputError: the folder is missing, full or read-only.
    """
    path = Path(folder) / MANIFEST_FILE
    present = [name for name in DELIVERABLES if (Path(folder) / name).exists()]
    files = {name: FileHash.of(Path(folder) / name) for name in present}
    write_text(path, manifest.to_json(files))
    return path


def read_manifest(folder: Path) -> tuple[Manifest, dict[str, FileHash]]:
    """The manifest of a folder and the hashes that it gives for its files.

    Raises:
        PrivacyError: there is none, or it holds more or other than the allow-list.
    """
    try:
        data = (Path(folder) / MANIFEST_FILE).read_bytes()
        text = data.decode("ascii")
        content = json.loads(text)
        manifest, files = _from_content(content), _files_from(content["files"])
    except OSError as error:
        raise PrivacyError(f"The manifest cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PrivacyError("The manifest is not one of vid2kp.") from None
    # Comparing the text leaves no room for unknown keys, wrong types or hidden spaces.
    if manifest.to_json(files) != text:
        raise PrivacyError("The manifest holds more than its allow-list.")
    return manifest, files


def _from_content(content: dict[str, Any]) -> Manifest:
    profile = content["privacy_profile"]
    return Manifest(
        pseudonym=content["pseudonym"],
        status=content["status"],
        model_name=content["model"]["name"],
        model_sha256=content["model"]["sha256"],
        tool_version=content["tool"]["version"],
        reason=content["reason"],
        counts=content["counts"],
        options=content["options"],
        render=content["render"],
        libraries=content["libraries"],
        privacy_profile=(profile["name"], profile["version"]),
        key_id=content["pseudonyms"]["key_id"],
    )


def _files_from(content: dict[str, Any]) -> dict[str, FileHash]:
    files = {name: FileHash(entry["bytes"], entry["sha256"]) for name, entry in content.items()}
    for name, file in files.items():
        if name not in DELIVERABLES or type(file.bytes) is not int:
            raise ValueError("not a deliverable")
        if not _matches(SHA256, file.sha256):
            raise ValueError("not a hash")
    return files


def _counts_allowed(counts: Mapping[str, int]) -> bool:
    if not isinstance(counts, dict) or not set(counts) <= set(COUNTS):
        return False
    if not all(type(number) is int and 0 <= number <= _MOST_COUNTED for number in counts.values()):
        return False
    of_frames = [number for name, number in counts.items() if name.startswith("frames_")]
    is_whole = max(of_frames, default=0) <= counts.get("frames", _MOST_COUNTED)
    return is_whole and counts.get("rotation", 0) in ROTATIONS


def _tokens(mapping: Mapping[str, object]) -> bool:
    return isinstance(mapping, dict) and all(is_token(name) for name in mapping)


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None
