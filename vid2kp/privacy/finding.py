"""What a check of deliverables says when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass


class NotAllowed(Exception):
    """A file holds something that is not on the allow-list.

    The text says what, in words of this project only: what was found may be a name.
    """


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: the file, by its name in the output folder; a name that no deliverable has is
            not repeated.
        check: the name of the check, see `verify.CHECKS`.
        what: what was found, without any text that was found.
    """

    where: str
    check: str
    what: str
