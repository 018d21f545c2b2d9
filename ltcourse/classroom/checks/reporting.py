"""Checks of the exercises of lesson 10: the number that a write-up reports, and the control that it names."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks.masks import Mask, Weights
from ltcourse.pruning.restarts import State


def honest_choice(function: Callable[[list[float], list[float]], float]) -> Verdict:
    """Check exercise 1 of lesson 10: (validation, test), by try → the test accuracy of the best try on validation."""
    cases = [
        ([0.9], [0.8]),
        ([0.92, 0.95, 0.9, 0.94, 0.93], [0.92, 0.91, 0.9, 0.96, 0.93]),
        ([0.95, 0.93, 0.9], [0.94, 0.95, 0.91]),
        ([0.9, 0.94, 0.94, 0.92], [0.91, 0.9, 0.93, 0.95]),  # of equal ones the first counts
        ([0.952, 0.961, 0.958, 0.949, 0.96], [0.957, 0.951, 0.962, 0.948, 0.953]),
        ([0.9512, 0.9534, 0.9521], [0.9631, 0.9608, 0.9617]),
    ]

    def findings() -> Iterator[Finding]:
        for validation, test in cases:
            yours = verdict.ask(function, list(validation), list(test))
            best = validation.index(max(validation))
            mistakes = _choices(validation, test)
            case = f"validation {validation}, test {test}"
            yield verdict.compare_number(case, "an accuracy", yours, test[best], mistakes, ".4f")

    return verdict.judge("exercise 1, an honest choice", findings())


def was_redrawn(function: Callable[[State, State, Mask], bool]) -> Verdict:
    """Check exercise 2 of lesson 10: (ticket, control, mask) → whether each layer's kept weights were drawn anew."""

    def findings() -> Iterator[Finding]:
        for case, ticket, control, mask in _controls():
            yours = verdict.ask(function, ticket, control, mask)
            expected = _redrawn(ticket, control, mask)
            wrong = ""
            if (answer := verdict.truth(yours)) is None:
                wrong = f"the result is True or False, and this is {type(yours).__name__}"
            elif answer is not expected:
                wrong = _told(ticket, control, mask)
            yield Finding(case, f"{yours}"[:80], f"{expected}", wrong)

    return verdict.judge("exercise 2, a control that is one", findings())


def accuracy_of_batches(function: Callable[[list[float], list[int]], float]) -> Verdict:
    """Check exercise 3 of lesson 10: (accuracies, sizes) of the batches → the accuracy over all examples."""
    cases = [
        ([0.9], [10]),
        ([0.8, 0.9, 0.7], [10, 10, 10]),
        ([1.0, 0.5], [6, 2]),
        ([0.9, 0.95, 0.25], [100, 100, 4]),
        ([0.5, 0.97, 0.96, 0.98], [16, 256, 256, 256]),
        ([0.975, 0.9625, 1.0, 0.0], [80, 80, 80, 1]),
    ]

    def findings() -> Iterator[Finding]:
        for accuracies, sizes in cases:
            yours = verdict.ask(function, list(accuracies), list(sizes))
            total = sum(sizes)
            right = sum(a * n for a, n in zip(accuracies, sizes, strict=True))
            mistakes = {
                "this is the mean of the batches' means: a small batch counts as much as a large one": sum(accuracies)
                / len(accuracies),
                "this is the number of right answers: divide it by the number of examples": right,
                "this divides by the number of batches: divide by the number of examples": right / len(sizes),
                "this leaves the last batch out": sum(a * n for a, n in zip(accuracies[:-1], sizes, strict=False))
                / max(total - sizes[-1], 1),
                "this takes all batches to be as large as the first": right / (sizes[0] * len(sizes)),
                "this is in percent: an accuracy is from 0 to 1": 100 * right / total,
                "this is the best batch alone": max(accuracies),
                "this is the last batch alone": accuracies[-1],
            }
            case = f"accuracies {accuracies} of batches of {sizes}"
            yield verdict.compare_number(case, "an accuracy", yours, right / total, mistakes, ".4f")

    return verdict.judge("exercise 3, the accuracy over all examples", findings())


def _choices(validation: Sequence[float], test: Sequence[float]) -> dict[str, float]:
    """What the usual ways to choose come to."""
    last = max(i for i, v in enumerate(validation) if v == max(validation))
    return {
        "this is the best test accuracy: it chooses on the test set": max(test),
        "this is the validation accuracy, which was chosen to be large: report that on the test set": max(validation),
        "this is the mean over the tries: choose one by its validation accuracy": sum(test) / len(test),
        "this is the last try: choose by the validation accuracy": test[-1],
        "this is the first try: choose by the validation accuracy": test[0],
        "of equally good tries, this is the last: the first one counts": test[last],
        "this is the try of the smallest validation accuracy": test[validation.index(min(validation))],
    }


def _controls() -> Iterator[tuple[str, State, State, Mask]]:
    """Yield tickets and what was called a control of them."""
    generator = torch.Generator().manual_seed(21)
    shapes = {"fc1.weight": (4, 6), "fc2.weight": (3, 4)}

    def drawn() -> State:
        weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        return weights | {"fc1.bias": torch.zeros(4), "fc2.bias": torch.zeros(3)}

    ticket, anew = drawn(), drawn()
    mask = {name: torch.rand(shape, generator=generator) < 0.5 for name, shape in shapes.items()}
    mask["fc1.weight"][0, 0] = mask["fc2.weight"][0, 0] = True
    one = {"fc": torch.tensor([[0.5, -1.0]])}, {"fc": torch.tensor([[0.25, 2.0]])}
    yield "one layer, drawn anew", *one, {"fc": torch.tensor([[True, False]])}
    yield "one layer, the same weights", one[0], verdict.copied(one[0]), {"fc": torch.tensor([[True, True]])}
    yield (
        "one layer: the pruned weight is new, the kept one is not",
        {"fc": torch.tensor([[0.5, 0.0]])},
        {"fc": torch.tensor([[0.5, 2.0]])},
        {"fc": torch.tensor([[True, False]])},
    )
    yield "two layers, both drawn anew", ticket, anew, mask
    yield "two layers, the same weights", ticket, verdict.copied(ticket), mask
    yield "two layers, only the first drawn anew", ticket, ticket | {"fc1.weight": anew["fc1.weight"]}, mask
    yield "two layers, only the last drawn anew", ticket, ticket | {"fc2.weight": anew["fc2.weight"]}, mask
    behind = {name: anew[name].where(~m, ticket[name]) for name, m in mask.items()}
    yield "two layers, only pruned weights are new", ticket, ticket | behind, mask
    signs = {name: w.abs() * ticket[name].sign() for name, w in anew.items()}
    yield "two layers, drawn anew with the ticket's signs", ticket, signs, mask
    sums = verdict.copied(anew)
    for name, m in mask.items():  # the first kept weight makes up for the difference
        first = tuple(m.nonzero()[0].tolist())
        sums[name][first] += ticket[name][m].sum() - anew[name][m].sum()
    yield "two layers, drawn anew with the ticket's sums", ticket, sums, mask
    biases = {name: w + 1 for name, w in ticket.items() if name not in mask}
    yield "two layers, only the biases are new", ticket, ticket | biases, mask
    held = {name: w * mask.get(name, True) for name, w in ticket.items()}
    yield "two layers, the same weights, one of them stored under the mask", ticket, held, mask
    empty = {**mask, "fc2.weight": torch.zeros(3, 4, dtype=torch.bool)}
    yield "two layers drawn anew, and one of them keeps nothing", ticket, anew, empty


def _same_layers(ticket: Weights, control: Weights, mask: Mask) -> list[str]:
    """The layers in which the control has the ticket's own kept weights."""
    return [name for name, m in mask.items() if m.any() and torch.equal(ticket[name][m], control[name][m])]


def _redrawn(ticket: Weights, control: Weights, mask: Mask) -> bool:
    return not _same_layers(ticket, control, mask)


def _told(ticket: Weights, control: Weights, mask: Mask) -> str:
    """Say what is so."""
    if same := _same_layers(ticket, control, mask):
        elsewhere: Any = [n for n, w in control.items() if not torch.equal(w, ticket[n])]
        also = f", whatever is new elsewhere ({', '.join(elsewhere)})" if elsewhere else ""
        return f"the kept weights of {', '.join(same)} are the ticket's own{also}: this is no control"
    return "the kept weights of every layer are new; pruned weights, biases, and layers that keep nothing do not count"
