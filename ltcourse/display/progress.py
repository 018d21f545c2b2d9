"""Showing long work while it runs: one live line or plot in a notebook, a bar in a terminal, a polite end at Ctrl-C."""

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from matplotlib.figure import Figure
from tqdm import tqdm

from ltcourse.display import alt, stopped

T = TypeVar("T")
INTERVAL = 0.2  # seconds between two redraws: what an eye can follow


class Live(Generic[T]):
    """Iterate over work and show how it goes, in place; Ctrl-C inside the block ends it and keeps what was computed.

    work: anything to iterate over whose items describe themselves with str(); it can have a `summary` to end with.
    total: how many items there will be, for the time left. draw: maps the items so far to a figure, shown below the
    line. The saved notebook keeps the last figure and the last line, without times.

        with Live(prune_iteratively(…), "pruning", total=6) as live:
            for round in live:
                …
        live.items, live.last

    Lesson 00, "A first network".
    """

    def __init__(
        self,
        work: Iterable[T],
        title: str,
        *,
        total: int | None = None,
        draw: Callable[[list[T]], Figure] | None = None,
    ) -> None:
        self.items: list[T] = []
        self.interrupted = False
        self._work, self._title, self._total, self._draw = work, title, total, draw
        self._screen: _Notebook | _Terminal = _Notebook() if in_notebook() else _Terminal(title, total)

    @property
    def last(self) -> T:
        """The last item; raises ValueError if the work was stopped before its first one."""
        if not self.items:
            raise ValueError(f"{self._title} was stopped before its first result: run the cell again")
        return self.items[-1]

    def __enter__(self) -> Self:
        self._begun = self._shown = time.monotonic()
        self._screen.line(f"{self._title} …")
        return self

    def __iter__(self) -> Iterator[T]:
        for item in self._work:
            self.items.append(item)
            if (now := time.monotonic()) - self._shown >= INTERVAL:
                self._shown = now
                self._show(f"{self._title} · {item}{self._left(now)}", drawn=True)
            self._screen.advance()
            yield item

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        try:
            self._finish(kind is None)
        except KeyboardInterrupt:  # while the end is shown: nothing is lost even then
            self.interrupted = True
            self._screen.close()
        if self.interrupted:
            stopped.note(self._title, self._after)
        if isinstance(self._work, Generator):
            self._work.close()  # stopped while it was shown, it would hold what it uses for as long as this is kept
        return self.interrupted and kind in (None, KeyboardInterrupt)

    def _finish(self, well: bool) -> None:
        if self.interrupted:
            at = f" · {self.items[-1]}" if self.items else ""
            of = f" {self._after}" if self._total else ""
            text = f"{self._title}{at} · stopped{of}: what was computed is kept"
            self._show(text, drawn=bool(self.items))
        elif well and self.items:
            closing = getattr(
                self._work, "summary", self.items[-1]
            )  # the last of several at once is a matter of chance
            self._show(f"{self._title} · {closing}", drawn=True)
        self._screen.close()

    @property
    def _after(self) -> str:
        """When it was stopped, in words."""
        of = f" of {self._total}" if self._total else " results"
        return f"after {len(self.items)}{of}"

    def _show(self, line: str, drawn: bool) -> None:
        if drawn and self._draw:
            self._screen.figure(self._draw(self.items))
        self._screen.line(line)

    def _left(self, now: float) -> str:
        if not self._total:
            return ""
        seconds = (now - self._begun) / len(self.items) * (self._total - len(self.items))
        return f" · about {seconds:.0f} s left" if seconds >= 1 else ""


def watch(
    work: Iterable[T], title: str, *, total: int | None = None, draw: Callable[[list[T]], Figure] | None = None
) -> Live[T]:
    """Do all of the work under `Live`, and return it: its `items` and its `last` hold what was computed.

    Lesson 00, "A first network".
    """
    with Live(work, title, total=total, draw=draw) as live:
        for _ in live:
            pass
    return live


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, where output can be shown and changed in place."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def figures_below_cells() -> None:
    """Let a notebook show figures below its cells, where the environment's MPLBACKEND would keep them from it.

    Servers set it for programs that nobody looks at. Without it, what a notebook chose by `%matplotlib` holds.
    """
    chosen = os.environ.get("MPLBACKEND")
    if in_notebook() and chosen and "inline" not in chosen:
        from IPython import get_ipython

        get_ipython().run_line_magic("matplotlib", "inline")


class _Notebook:
    """A line and, below it, a figure, each changed in place."""

    def __init__(self) -> None:
        self._line: Any = None
        self._figure: Any = None
        self._said = ""

    def line(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": text}
        if self._line is None:
            self._line = display(content, raw=True, display_id=True)
        else:
            self._line.update(content, raw=True)

    def figure(self, figure: Figure) -> None:
        from IPython.display import display
        from matplotlib import pyplot

        if self._figure is None:
            self._figure = display(figure, display_id=True)
        else:
            self._figure.update(figure)
        text = alt.of(figure)
        if self._said and self._said != text:
            alt.forget(self._said)
        self._said = text
        pyplot.close(figure)

    def advance(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Terminal:
    """One tqdm bar."""

    def __init__(self, title: str, total: int | None) -> None:
        self._bar = tqdm(total=total, desc=title, leave=True)

    def line(self, text: str) -> None:
        self._bar.set_postfix_str(text.partition(" · ")[2])

    def figure(self, figure: Figure) -> None:
        from matplotlib import pyplot

        pyplot.close(figure)

    def advance(self) -> None:
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


if in_notebook():  # as early as a lesson can be, which imports this first: a cell that trains below may not be watched
    from IPython import get_ipython

    stopped.follow()
    alt.follow(get_ipython())
