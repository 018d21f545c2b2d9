"""A lesson before the lecture: what each cell takes on this machine, beside the minutes that are planned."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from ltcourse.stage import lecture
from ltcourse.stage.lecture import Section, clock

_RECORDED = re.compile(r"\b(?:load_or_run|if_recorded|recorded)\(")
_LIVE = re.compile(r"\b(?:watch|train|Runner|live|sweep|compare|explore)\(")
_PATIENCE = 10  # seconds from which on an audience waits


@dataclass(frozen=True)
class Timing:
    """A cell of code, run: its index in the notebook, what it is, and its seconds.

    kind: "recorded" where it shows a run of the repository, "live" where it trains or draws as the audience looks on,
    "" where it only looks at what is there. skip: whether it is among what can be left out when late.
    """

    index: int
    kind: str
    seconds: float
    first_line: str
    skip: bool


def rehearse(notebook: Path, budget: str) -> Iterator[tuple[Section, list[Timing]]]:
    """Run a lesson top to bottom, and yield each section with the timings of its cells, as they are done.

    The notebook's file stays as it is. Raises ValueError where a cell fails.
    """
    lesson = lecture.read(notebook)
    kernels = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
    client = NotebookClient(
        lesson,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels),
        timeout=None,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    with client.setup_kernel(env={**os.environ, "LTCOURSE_BUDGET": budget, "LTCOURSE_ANSWERS": "off"}, cleanup_kc=True):
        for section in lecture.sections(lesson):
            timings = []
            for index, cell in section.cells:
                if cell.cell_type == "code":
                    timings.append(_run(client, cell, index, section.skip))
            yield section, timings


def _run(client: NotebookClient, cell: NotebookNode, index: int, skip: bool) -> Timing:
    begun = time.perf_counter()
    try:
        client.execute_cell(cell, index)
    except CellExecutionError as error:
        raise ValueError(f"cell {index + 1} fails ({error.ename}: {error.evalue}): see it in `ltcourse lab`") from error
    except DeadKernelError as error:
        raise ValueError(f"the kernel died in cell {index + 1}: out of memory?") from error
    lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#")]
    return Timing(
        index,
        kind(cell.source),
        time.perf_counter() - begun,
        lines[0] if lines else "",
        skip or "skip-when-late" in lecture.tags(cell),
    )


def kind(source: str) -> str:
    """Return what a cell of code is: "recorded", "live", or "" for neither."""
    return "recorded" if _RECORDED.search(source) else "live" if _LIVE.search(source) else ""


class Rehearsed:
    """What a rehearsal found, section by section, as it is found: iterate over it once, then ask for the sums."""

    def __init__(self, sections: Iterable[tuple[Section, list[Timing]]]):
        self._sections = sections
        self.done: list[tuple[Section, list[Timing]]] = []

    def __iter__(self) -> Iterator[tuple[Section, list[Timing]]]:
        for found in self._sections:
            self.done.append(found)
            yield found

    @property
    def planned(self) -> float:
        """The minutes of the plan."""
        return sum(section.minutes for section, _ in self.done)

    @property
    def waited(self) -> float:
        """The seconds that all cells take."""
        return sum(t.seconds for _, timings in self.done for t in timings)

    def starts(self) -> list[tuple[Section, Timing, float]]:
        """Return, for each cell that an audience would wait for, the minute of the plan at which to start it.

        That is when its section begins, or earlier where the cell would not be done a minute before the section ends:
        a kernel runs one cell after the other. Below 0: before the lecture.
        """
        found = []
        after = float("inf")  # the minute at which the next of these cells is started
        end = self.planned
        for section, timings in reversed(self.done):
            begin = end - section.minutes
            waits = [t for t in timings if t.seconds >= _PATIENCE]
            for i, t in reversed(list(enumerate(waits))):
                before = sum(earlier.seconds for earlier in waits[:i]) / 60
                after = min(begin + before, min(end - 1, after) - t.seconds / 60)
                found.append((section, t, after))
            end = begin
        return found[::-1]


def report(rehearsed: Rehearsed, minutes: float = lecture.MINUTES) -> Iterator[str]:
    """Yield the lines to print: the cells of each section against its plan, then the whole against the lecture."""
    spare: list[tuple[str, float]] = []
    slow: list[str] = []
    begin = 0.0
    for section, timings in rehearsed:
        runs = sum(t.seconds for t in timings)
        about = f" ({section.about})" if section.numbers and section.heading else ""
        mark = "   [skip when late]" if section.skip else ""
        plan = f"from {clock(60 * begin)}, plan {clock(60 * section.minutes)}"
        yield f"\n{section.heading}{about}: {plan}, cells run {clock(runs)}{mark}"
        for t in timings:
            waits = "  <- the audience waits" if t.seconds >= _PATIENCE else ""
            yield f"  cell {t.index + 1:3d}  {t.seconds:6.1f} s  {t.kind:8s}  {t.first_line[:70]}{waits}"
        if section.skip:
            spare.append((section.heading, section.minutes))
        if section.minutes and runs > 60 * section.minutes:
            slow.append(f"{section.heading}: its cells alone run {clock(runs)} of {clock(60 * section.minutes)}")
        begin += section.minutes
    yield f"\n{_sum(rehearsed.planned, rehearsed.waited, minutes, 'a lecture')}"
    for section, t, minute in rehearsed.starts():
        when = f"at minute {clock(60 * minute)}" if minute >= 0 else "before the lecture"
        yield f"start cell {t.index + 1} {when}: it runs {clock(t.seconds)} ({section.heading})"
    yield from (f"slower than its plan: {line}" for line in slow)
    if spare:
        names = ", ".join(f"{heading} ({m:g} min)" for heading, m in spare)
        yield f"skip when late: {names}; that saves {sum(m for _, m in spare):g} minutes"


def total(rehearsals: list[tuple[str, Rehearsed]], minutes: float = lecture.MINUTES) -> Iterator[str]:
    """Yield the lines that sum up several lessons, each planned for a lecture of so many minutes."""
    yield "\nall together"
    for name, one in rehearsals:
        yield f"  {name}: plan {clock(60 * one.planned)}, cells run {clock(one.waited)}"
    planned, waited = (sum(values) for values in zip(*((r.planned, r.waited) for _, r in rehearsals), strict=True))
    yield _sum(planned, waited, minutes * len(rehearsals), f"{len(rehearsals)} lectures")


def _sum(planned: float, waited: float, minutes: float, what: str) -> str:
    over = planned - minutes
    said = f"{abs(over):g} minutes {'too long' if over > 0 else 'to spare'}" if over else "exactly as long"
    return f"plan {clock(60 * planned)} of {what} of {minutes:g} minutes, {said}; the cells run {clock(waited)} of that"
