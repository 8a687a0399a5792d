"""What a command shows people: one line per stage, a progress bar on a terminal, tables of plain columns.

Everything goes to one stream (stdout, or stderr when stdout carries JSON); without a terminal there are no bars, no
colours and no cursor movements, only lines.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

Report = Callable[[int, int, str], None]
"""How far: done, of how many (0 when unknown), and what is being done."""

PLAIN_STEP_SECONDS = 10.0
WIDTH = 110
INDENT = 4
STATUS_STYLES = {"PASS": "bold green", "FAIL": "bold red", "PENDING": "bold yellow"}


class Screen:
    """Writes stages to a console."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self.console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console = Console(stderr=to_stderr, highlight=False, soft_wrap=True, width=WIDTH)
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self.started

    def title(self, text: str) -> None:
        """The first line."""
        self.console.print(f"[bold]{text}[/]")

    def done(self, text: str, detail: str = "") -> None:
        """A stage has succeeded."""
        self._line("✓", "green", text, detail)

    def warn(self, text: str, detail: str = "") -> None:
        """A stage ended with something to look at."""
        self._line("!", "yellow", text, detail)

    def fail(self, text: str, detail: str = "") -> None:
        """A proof failed."""
        self._line("✗", "red", text, detail)

    def note(self, text: str) -> None:
        """A line that belongs to the stage above."""
        self.console.print(Text(" " * INDENT + text))

    def result(self, ok: bool, text: str, detail: str = "") -> None:
        """`done` or `fail`."""
        (self.done if ok else self.fail)(text, detail)

    @contextmanager
    def progress(self, text: str, unit: str) -> Iterator[Report]:
        """Reports how far a stage is: a bar on a terminal, elsewhere a line every ten seconds."""
        if self.console.is_terminal:
            with self._bar() as bar:
                task = bar.add_task(text, total=None, detail="")

                def report(done: int, total: int, detail: str) -> None:
                    bar.update(task, completed=done, total=total or None, detail=detail)

                yield report
        else:
            yield self._lines(text, unit)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        """Rows under a header; all but the `left` first columns are right-aligned figures."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for number, column in enumerate(columns):
            widest = max(len(cell) for cell in (column, *(row[number] for row in rows)))
            if number < left:
                table.add_column(column, no_wrap=True, overflow="ellipsis")
            else:
                table.add_column(column, justify="right", no_wrap=True, min_width=widest)
        for row in rows:
            table.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in row))
        self.console.print(Padding(table, (0, 0, 0, INDENT), expand=False))

    def _line(self, mark: str, colour: str, text: str, detail: str) -> None:
        line = Text.assemble((mark, f"bold {colour}"), " ", text)
        if detail:
            line.append(f"  {detail}", style="dim")
        self.console.print(line)

    def _bar(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("[dim]{task.fields[detail]}[/]"),
            console=self.console,
            transient=True,
        )

    def _lines(self, text: str, unit: str) -> Report:
        began = last = time.monotonic()
        first: int | None = None

        def report(done: int, total: int, detail: str) -> None:
            nonlocal last, first
            first = done if first is None else first
            if time.monotonic() - last >= PLAIN_STEP_SECONDS:
                last = time.monotonic()
                reached = f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"
                self.note(f"{text}: {reached}{_pace(done - first, total - done, last - began)} {detail}".rstrip())

        return report


class _RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Nothing until it is known."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")


def _pace(done: int, left: int, seconds: float) -> str:
    """How many a second, and how long the rest takes at that pace; nothing before anything is done."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    return f", {rate:,.0f}/s" + (f", {left / rate:,.0f} s left" if left > 0 else "")
