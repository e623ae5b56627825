"""Motion JPEG pictures of which a part was never coded: FFmpeg shows old memory there, unmarked."""

from __future__ import annotations

import re

_FRAME_OR_SCAN = re.compile(rb"\xff[\xc0-\xc2\xda]")
_SCAN = 0xDA


def has_all_scans(data: bytes) -> bool:
    """Whether every component that a JPEG picture announces is in one of its scans.

    Args:
        data: a picture, or the two fields of one, as ITU-T T.81 has it (Annex B.2.2 and B.2.3).
    """
    announced: set[int] = set()
    scanned: set[int] = set()
    for found in _FRAME_OR_SCAN.finditer(data):
        at = found.start()
        if data[at + 1] == _SCAN:
            count = sum(data[at + 4 : at + 5])
            scanned.update(data[at + 5 : at + 5 + 2 * count : 2])
        else:
            count = sum(data[at + 9 : at + 10])
            announced.update(data[at + 10 : at + 10 + 3 * count : 3])
    return announced <= scanned
