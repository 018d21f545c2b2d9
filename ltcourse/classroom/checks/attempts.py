"""Attempts that are made up for the check of the hypothesis (lesson 08): in each trial another condition decides."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.pruning.restarts import State


@dataclass(frozen=True, eq=False)
class Attempt:
    """One training of a network, or of a subnetwork of it.

    mask: name → booleans. initial: the weights that it began from, name → tensor, 0 where they are pruned, and the
    biases, where the network has some.
    iterations: when it was evaluated. validation_loss, test_accuracy (0 to 1): at each of these.
    Lesson 08, "Question 1".
    """

    mask: Mask
    initial: State
    iterations: tuple[int, ...]
    validation_loss: tuple[float, ...]
    test_accuracy: tuple[float, ...]

    @property
    def early_stop(self) -> int:
        """The position of the smallest validation loss, the first of equally small ones."""
        return self.validation_loss.index(min(self.validation_loss))


@dataclass(frozen=True)
class Trial:
    """A dense network and the subnetworks of it that were tried."""

    case: str
    dense: Attempt
    subnetworks: Mapping[str, Attempt]
    small: float

    def given(self) -> tuple[Attempt, list[Attempt], float]:
        """Return what the reader's function is asked about: copies, so that nothing of it can change."""
        return *copy.deepcopy((self.dense, list(self.subnetworks.values()))), self.small


_FIRST = {"fc1.weight": (8, 10), "fc2.weight": (4, 5)}  # 80 and 20 weights


def _made(
    kept: tuple[int, int] = (16, 4),
    stop: int = 200,
    reached: float = 0.95,
    *,
    every: int = 100,
    evaluations: int = 6,
    later: float = 0.0,
    peak: float = 0.0,
    seed: int = 0,
    trained: float = 0.0,
    also: int | None = None,
    shapes: Mapping[str, tuple[int, int]] = _FIRST,
    begin: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({}),
) -> Attempt:
    """Make up a training: its smallest loss at `stop`, its accuracy there, and how it began.

    later, peak: what the accuracy gains after that, for good and for one evaluation. also: an iteration at which the
    loss is as small. seed, trained: of the weights, and how far they had moved. shapes: of the layers. begin: what
    becomes of the initial weights of a layer.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(shape, generator=generator) + trained for name, shape in shapes.items()}
    biases = {f"fc{i}.bias": torch.full((w.shape[0],), trained) for i, w in enumerate(drawn.values(), 1)}
    mask = {}
    for (name, w), count in zip(drawn.items(), kept, strict=True):
        mask[name] = masks.keep_largest(torch.rand(w.shape, generator=torch.Generator().manual_seed(1)), count)
    iterations = tuple(every * i for i in range(1, evaluations + 1))
    losses = tuple(0.2 if i == also else round(0.2 + abs(i - stop) / 4000, 4) for i in iterations)
    accuracies = tuple(
        round(reached - (stop - i) / 10_000 if i <= stop else reached + later + peak * (i == stop + every), 4)
        for i in iterations
    )
    begun = {name: begin.get(name, Tensor.clone)(w) for name, w in drawn.items()}
    initial = {name: w * mask[name] for name, w in begun.items()} | biases
    return Attempt(mask, initial, iterations, losses, accuracies)


def made_trials() -> Iterator[Trial]:
    """Yield trials in which one condition after the other decides."""
    dense = _made((80, 20), 300, 0.94)
    small = 0.25

    def trial(case: str, *subnetworks: Attempt, dense: Attempt = dense, small: float = small) -> Trial:
        names = ["subnetwork"] if len(subnetworks) == 1 else ["first subnetwork", "second subnetwork"]
        return Trial(case, dense, dict(zip(names, subnetworks, strict=False)), small)

    yield trial("a fifth of the weights, faster, more accurate", _made())
    yield trial("a fifth of the weights, more accurate, but slower", _made(stop=400))
    yield trial("a fifth of the weights, faster, but 0.1 points less accurate", _made(reached=0.939))
    yield trial("all weights, in another order of the examples: faster, more accurate", _made((80, 20)))
    yield trial("a fifth of the weights, drawn anew: faster, more accurate", _made(seed=1))
    yield trial("a fifth of the weights, as they were after some training: faster, more accurate", _made(trained=0.1))
    for case, begin in _other_beginnings():
        yield trial(f"a fifth of the weights, {case}: faster, more accurate", _made(begin=begin))
    yield trial("as many iterations, more accurate", _made(stop=300))
    yield trial("faster, the same accuracy", _made(reached=0.94))
    yield trial("exactly `small`, faster, more accurate", _made((16, 9)))
    yield trial("0.26 of the weights: 24 of 80 and 2 of 20", _made((24, 2)))
    yield trial("0.2 of the weights: 10 of 80 and 10 of 20", _made((10, 10)))
    yield trial("0.36 of the weights: 16 of 80 and all 20 of 20", _made((16, 20)))
    yield trial("0.42 of the weights: 40 of 80 and 2 of 20", _made((40, 2)))
    yield trial("0.24 of the weights, and `small` is 0.235", _made((18, 6)), small=0.235)
    wide = {"fc1.weight": (50, 40), "fc2.weight": (40, 20)}
    shown = "701 of 2,800 weights, and `small` is 0.25"
    yield trial(shown, _made((501, 200), shapes=wide), dense=_made((2000, 800), 300, 0.94, shapes=wide))
    yield trial("a fifth of the weights, faster, but 0.01 points less accurate", _made(reached=0.9399))
    yield trial("two fifths of the weights, and `small` is 0.5", _made((32, 8)), small=0.5)
    yield trial("a fifth of the weights, and `small` is 0.125", _made(), small=0.125)
    yield trial("more accurate at the end, but not at the smallest validation loss", _made(reached=0.93, later=0.03))
    yield trial(
        "the dense network is more accurate at its end, but not at its smallest validation loss",
        _made(),
        dense=_made((80, 20), 300, 0.94, later=0.03),
    )
    yield trial("more accurate for a moment, but not at the smallest validation loss", _made(reached=0.93, peak=0.03))
    yield trial("faster, though it went on for longer", _made(evaluations=9))
    yield trial("slower, though it went on for less long", _made(stop=400, evaluations=4))
    yield trial("faster, and evaluated more often", _made(stop=250, every=50, evaluations=8))
    yield trial("slower, and evaluated less often", _made(stop=400, every=200))
    yield trial("its loss is as small once more, later", _made(also=500))
    yield trial("a first one that is slower, a second one that is not", _made(stop=400), _made())
    yield trial("a first one that is faster, a second one that is less accurate", _made(), _made(reached=0.9))
    yield trial("one that is faster, another that is more accurate", _made(reached=0.9), _made(stop=400))
    yield trial("a ticket, and beside it one of weights drawn anew that is as good", _made(), _made(seed=1))
    yield trial("no subnetwork was tried")


def _other_beginnings() -> Iterator[tuple[str, dict[str, Callable[[Tensor], Tensor]]]]:
    """Yield initial weights that resemble those of the dense network, by layer, and are not the same."""
    one, both = ["fc2.weight"], list(_FIRST)

    def anew(w: Tensor) -> Tensor:
        return torch.randn(w.shape, generator=torch.Generator().manual_seed(2))

    def exchanged(w: Tensor) -> Tensor:
        """The same values at other places, all of them kept: what a mask keeps of these has the same sum."""
        keep = masks.keep_largest(torch.rand(w.shape, generator=torch.Generator().manual_seed(1)), w.numel() // 5)
        changed = w.clone()
        changed[keep] = w[keep].flip(0)
        return changed

    yield "the last layer drawn anew", dict.fromkeys(one, anew)
    yield "the first layer drawn anew", dict.fromkeys(both[:1], anew)
    yield "twice as large", dict.fromkeys(both, lambda w: 2 * w)
    yield "the same values at other places", dict.fromkeys(both, exchanged)
    yield "with other signs", dict.fromkeys(both, torch.neg)
    yield "each 0.02 larger", dict.fromkeys(both, lambda w: w + 0.02)
    yield "each 0.0002 larger", dict.fromkeys(both, lambda w: w + 0.0002)
