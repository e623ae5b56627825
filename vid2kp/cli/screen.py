"""What a command shows: results on standard output, everything else on standard error.

Results are rich tables on a terminal, plain aligned lines in a pipe, and one JSON document with
``--json``. Nothing here is ever given the name or the path of a source video.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vid2kp.errors import Vid2kpError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks.")]
VerboseFlag = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]

_AS_IT_STANDS: Final[dict[str, Any]] = {"highlight": False, "emoji": False}
"""Texts hold paths, in which ``:smile:`` is no picture."""

_STYLES = {
    "done": "green",
    "skipped": "dim",
    "ok": "green",
    "yes": "green",
    "truncated": "yellow",
    "damaged": "yellow",
    "no_infant": "yellow",
    "ambiguous": "yellow",
    "no": "yellow",
    "unreadable": "red",
    "failed": "red",
}


@dataclass(frozen=True)
class Screen:
    """The two streams of one command.

    Attributes:
        as_json: results are one JSON document; tables are left out.
        quiet: no progress and no remarks.
        verbose: remarks of the second kind are shown too.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    @cached_property
    def out(self) -> Console:
        """Standard output."""
        from rich.console import Console

        return Console(**_AS_IT_STANDS)

    @cached_property
    def err(self) -> Console:
        """Standard error."""
        from rich.console import Console

        return Console(stderr=True, **_AS_IT_STANDS)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = ""
    ) -> None:
        """Show rows under column names; numbers stand on the right."""
        if self.as_json:
            return
        texts = [[_text(cell) for cell in row] for row in rows]
        right = [
            bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))
        ]
        if self.out.is_terminal:
            self._rich_table(columns, texts, right, title)
        else:
            self._plain_table(columns, texts, right, title)

    def line(self, text: str = "") -> None:
        """One line of the result."""
        if not self.as_json:
            self.out.print(text, markup=False, soft_wrap=True)

    def document(self, content: object) -> None:
        """The result as JSON, when that was asked for; numbers that are not finite become null."""
        if self.as_json:
            text = json.dumps(_jsonable(content), indent=2, ensure_ascii=False, allow_nan=False)
            self.out.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """A remark beside the result."""
        if not self.quiet:
            self.err.print(text, markup=False, soft_wrap=True)

    def detail(self, text: str) -> None:
        """A remark for ``--verbose``."""
        if self.verbose:
            self.note(text)

    def error(self, error: Vid2kpError) -> None:
        """What is wrong and what to do about it, in one line each."""
        show_error(error.message, error.hint)

    @contextmanager
    def progress(self, *columns: str) -> Iterator[Progress]:
        """A progress display: live on a terminal, silent elsewhere.

        Args:
            columns: format strings over the task, as in ``rich.progress.TextColumn``.
        """
        from rich.progress import BarColumn, Progress, TextColumn

        from vid2kp.cli.pace import TimeLeft

        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *(TextColumn(column) for column in columns),
            TimeLeft(),
            console=self.err,
            transient=True,
            disable=self.quiet or not self.err.is_terminal,
        ) as progress:
            yield progress

    def _rich_table(
        self, columns: Sequence[str], texts: list[list[str]], right: list[bool], title: str
    ) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left")
        for name, is_right in zip(columns, right, strict=True):
            table.add_column(name, justify="right" if is_right else "left", overflow="fold")
        for row in texts:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        self.out.print(table)

    def _plain_table(
        self, columns: Sequence[str], texts: list[list[str]], right: list[bool], title: str
    ) -> None:
        if title:
            self.line(title)
        lines = [list(columns), *texts]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        for line in lines:
            cells = (
                cell.rjust(width) if is_right else cell.ljust(width)
                for cell, width, is_right in zip(line, widths, right, strict=True)
            )
            self.line("  ".join(cells).rstrip())


def show_error(message: str, hint: str = "") -> None:
    """One line on standard error for what is wrong and one for what to do about it."""
    from rich.console import Console

    console = Console(stderr=True, **_AS_IT_STANDS)
    console.print("Error: ", style="bold red", end="")
    console.print(message, markup=False, soft_wrap=True)
    if hint:
        console.print(hint, markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """A time span for people: ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _is_number(cell: object) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _text(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:,.1f}" if abs(cell) >= 10 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def counted(count: int, thing: str) -> str:
    """A number of things in words: ``1 video``, ``1,200 videos``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
