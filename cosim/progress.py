"""Progress on a terminal: what is being done, how far it is and how long it will still take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Stages:
    """Shows one line per stage; where the output is no terminal, one plain line when a stage begins and ends."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A stage without a count."""
        with self.counted(title):
            yield

    @contextmanager
    def counted(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """A stage that reports ``(done, total)``."""
        if not self.console.is_terminal:
            self.console.print(f"{title} …", highlight=False)
            yield lambda done, total: None
            return
        columns = (
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
            total = bar.tasks[0].total
            bar.update(task, completed=total or 1, total=total or 1)
