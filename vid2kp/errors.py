"""Every exception a user can meet, each saying what to do about it.

The text of these exceptions may reach the screen and the deliverables, so it never holds a
path, a file name or a tag of the source (see docs/privacy.md); what was found where goes to
the private log beside the output.
"""

from __future__ import annotations


class Vid2kpError(Exception):
    """Base of every error that vid2kp raises on purpose.

    Args:
        message: one line for the user: what is wrong.
        hint: one line: what to do about it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(Vid2kpError):
    """The call cannot be carried out as it was given; nothing was done."""


class UnreadableVideo(Vid2kpError):
    """The file is not a video that can be decoded (status ``unreadable``)."""


class ModelError(Vid2kpError):
    """A model file is missing, damaged, or not what its card says."""


class TracksError(Vid2kpError):
    """A tracks or frames file does not follow the schema."""


class AnnotationError(Vid2kpError):
    """An annotation file or its images cannot be used."""


class TrainingError(Vid2kpError):
    """A run of training came to nothing; its last checkpoint is as it was."""


class OutputError(Vid2kpError):
    """A deliverable could not be written (disk full, no permission).

    Attributes:
        errno: the system's number of what went wrong, None where it gave none.
    """

    errno: int | None = None


class PrivacyError(Vid2kpError):
    """Going on would break a privacy rule, so nothing is delivered."""
