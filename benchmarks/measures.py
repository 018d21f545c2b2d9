"""How the benchmarks measure: ways in turns, medians, the limit of matrix products, and the table that they fill."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from ltcourse.experiments import runs
from ltcourse.training.process import threads

README = Path(__file__).parent / "README.md"
_SIZE = 1024


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ours, plain: seconds of the same work. shown: how seconds are printed. share: of the matrix-product limit, 0 to 1;
    None where the work is no products. how: what was measured, in a few words.
    """

    what: str
    ours: float
    plain: float
    shown: Callable[[float], str]
    share: float | None
    how: str

    @property
    def ratio(self) -> float:
        """Our seconds as a multiple of the plain way's."""
        return self.ours / self.plain

    def __str__(self) -> str:
        share = "–" if self.share is None else f"{self.share:.0%}"
        ours, plain = self.shown(self.ours), self.shown(self.plain)
        return f"{self.what} | {ours} | {plain} | {self.ratio:.2f} | {share} | {self.how}"


def milliseconds(seconds: float) -> str:
    """Print a time."""
    return f"{1000 * seconds:.3g} ms"


def seconds(value: float) -> str:
    """Print a longer time."""
    return f"{value:.2f} s"


def a_second(seconds: float) -> str:
    """Print the seconds of one as how many a second."""
    return f"{1 / seconds:.2f} / s"


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begun = perf_counter()
    work()
    return perf_counter() - begun


def in_turns(ways: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Return the median of what each way measures, all of them in turns, so that a busy moment meets all."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            found[name].append(way())
    return {name: statistics.median(values) for name, values in found.items()}


def limit(count: int) -> float:
    """Return the seconds of one floating-point operation in a large matrix product, on so many threads.

    What nothing made of float32 products can beat on this machine; the best of several, as a limit is.
    """
    a, b = (torch.rand(_SIZE, _SIZE) for _ in range(2))
    with threads(count):
        a @ b
        return min(timed(lambda: a @ b) for _ in range(8)) / (2 * _SIZE**3)


def step_flop(network: nn.Module, x: Tensor, y: Tensor) -> int:
    """Count the floating-point operations of the products of a training step, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        cross_entropy(network(x), y).backward()
    return counter.get_total_flops()


def forward_flop(network: nn.Module, x: Tensor) -> int:
    """Count the floating-point operations of the products of an evaluation."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return counter.get_total_flops()


def table(rows: list[Row], minutes: float) -> str:
    """Return the text of benchmarks/README.md."""
    lines = "\n".join(f"| {row} |" for row in rows)
    return f"""# Benchmarks

Written by `make bench`, which takes {minutes:.0f} minutes on a quiet machine; not by hand.

Each line is of one run: the course's way and the plain PyTorch way in turns, the median of several turns. *Ratio*: our
time as a part of the plain way's. *Share of the limit*: the time that the products of the work would take at the speed
of a large matrix product ({_SIZE} × {_SIZE}, float32) on as many threads, as a part of the time that it took. The plain
way is written as a good tutorial or public repository would write it; what it is stands at the head of each file.

| what | ours | plain PyTorch | ratio | share of the limit | how measured |
|:--|--:|--:|--:|--:|:--|
{lines}

{here()}"""


def here() -> str:
    """Return what the numbers of a CPU depend on: its speed, and what `made_by` tells."""
    cores = torch.get_num_threads()
    speeds = {count: f"{1e-9 / limit(count):.0f}" for count in (1, cores)}
    return f"""Matrix products here: {speeds[1]} GFLOP a second on one thread, {speeds[cores]} on {cores}.

{made_by("cpu")}"""


def made_by(device: str) -> str:
    """Return one line: the machine, its GPU if that was measured, the versions, the code, the date."""
    made = runs._provenance("fashion-mnist-mini", device)
    gpu = "" if device == "cpu" else f"{made['device']}, "
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return (
        f"Machine: {gpu}{made['machine']} ({made['system']}). Versions: {versions}. Code: {made['code']}. "
        f"Date: {made['started'][:10]}.\n"
    )
