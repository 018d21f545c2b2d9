"""The check of the third review question: the algorithm that finds the supermask (lesson 08).

An answer that is wrong is set beside the usual mistakes, so that the one that it fits can be named.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise, permutations
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, relu

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.digits import digits, judged
from ltcourse.classroom.checks.supermasks import wrong_mask
from ltcourse.classroom.checks.tickets import Batches
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.display.tables import percent
from ltcourse.networks import masks
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.networks.masks import Mask, Weights
from ltcourse.pruning.restarts import State

Forward = Callable[[Weights, Tensor], Tensor]


Popup = Callable[[Forward, State, State, float, float, Batches], tuple[Mask, State]]


def find_supermask(function: Popup) -> Verdict:
    """Check question 3 of lesson 08: (forward, weights, scores, k, lr, batches) → the supermask and the scores."""
    # no count is a half, and no k: a share kept must not look like a share pruned
    cases = [((3, 2), 0.3, 0.1, 1), ((4, 6, 3), 0.3, 0.2, 3), ((5, 8, 4), 0.65, 0.3, 6)]
    # with learning rate 0, so that it does not matter which of the equal scores are chosen
    ties = [((4, 6, 3), 0.3, 0.0, 1), ((5, 8, 4), 0.65, 0.0, 2)]

    def findings() -> Iterator[Finding]:
        for sizes, k, lr, steps in (*cases, *ties):
            search = _search(sizes, k, lr, steps)
            case = f"{' → '.join(map(str, sizes))} neurons, k = {k}, {steps} step{'s' * (steps > 1)}"
            if not lr:
                search = replace(search, scores={name: (3 * s).round() / 3 for name, s in search.scores.items()})
                case += " of learning rate 0, equal scores"
            yield from _compare_popup(case, function, search)
        yield _compare_on_digits(function)

    return verdict.judge("exercise 3, finding a supermask", findings())


# Question 3: the algorithm that finds the supermask


@dataclass(frozen=True, eq=False)
class _Search:
    """What edge-popup is given."""

    weights: State
    scores: State
    k: float
    lr: float
    batches: Batches = field(default_factory=list)

    def count(self, name: str) -> int:
        return round(self.k * self.weights[name].numel())


def _forward(weights: Weights, x: Tensor) -> Tensor:
    *hidden, last = weights.values()
    for w in hidden:
        x = relu(linear(x, w))
    return linear(x, last)


def _drawn(sizes: Sequence[int], seed: int) -> tuple[State, State]:
    """Draw the weights and the scores of a network of dense layers."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {f"fc{i}.weight": (out, into) for i, (into, out) in enumerate(pairwise(sizes), 1)}
    weights = {name: kaiming_normal(torch.empty(shape), generator) for name, shape in shapes.items()}
    scores = {name: (2 * torch.rand(s, generator=generator) - 1) * s[1] ** -0.5 for name, s in shapes.items()}
    return weights, scores


def _search(sizes: Sequence[int], k: float, lr: float, steps: int) -> _Search:
    generator = torch.Generator().manual_seed(12)
    x, y = (
        torch.randn(steps, 8, sizes[0], generator=generator),
        torch.randint(0, sizes[-1], (steps, 8), generator=generator),
    )
    return _Search(*_drawn(sizes, seed=13), k, lr, list(zip(x, y, strict=True)))


def _popup(
    search: _Search,
    bugs: Collection[str] = (),
    *,
    momentum: float = 0.0,
    order: Sequence[int] = (),
    summed: bool = False,
    softmax: bool = False,
) -> tuple[Mask, State]:
    """Return the supermask and the scores: the right ones, or those with some of the bugs.

    momentum: of the steps; with 1, gradients add up. order: of the batches, if it is not theirs. summed: the loss.
    softmax: once more before it.
    """
    weights, scores = verdict.copied(search.weights), verdict.copied(search.scores)
    memory = {name: torch.zeros_like(s) for name, s in scores.items()}
    batches = [search.batches[i] for i in order] if order else search.batches
    mask = _chosen(search, scores, weights, bugs)
    for x, y in batches[: 1 if "one batch" in bugs else None]:
        mask = mask if "once" in bugs else _chosen(search, scores, weights, bugs)
        used = {name: w if "all used" in bugs else w.where(mask[name], 0) for name, w in weights.items()}
        for w in used.values():
            w.requires_grad_()
        logits = _forward(used, x)
        loss = cross_entropy(logits.softmax(1) if softmax else logits, y, reduction="sum" if summed else "mean")
        for (name, w), g in zip(used.items(), torch.autograd.grad(loss, list(used.values())), strict=True):
            w.requires_grad_(False)
            step = g if "weight" in bugs else g * weights[name]
            if "sign" not in bugs:
                step = step * scores[name].sign()
            if "dead" in bugs:
                step = step.where(mask[name], 0)
            memory[name] = momentum * memory[name] + step
            scores[name] = scores[name] + (search.lr if "up" in bugs else -search.lr) * memory[name]
    return (mask if "late" in bugs else _chosen(search, scores, weights, bugs)), scores


def _chosen(search: _Search, scores: State, weights: State, bugs: Collection[str]) -> Mask:
    ranked = {name: s if "signed" in bugs else s.abs() for name, s in scores.items()}
    return {
        name: masks.top(s, s.numel() - search.count(name) if "share" in bugs else search.count(name))
        for name, s in ranked.items()
    }


_BUGS = {
    "sign": "edges are ranked by |s|, but the gradient of s lacks the factor sign(s)",
    "dead": "the scores of unused edges do not change, so none can come back",
    "all used": "all weights are in use in the forward pass: use only those with the largest |scores|",
    "weight": "the weight is missing in the gradient of its score: |s| acts on the loss through weight · |s|",
    "up": "the scores go up the gradient: subtract it",
    "share": "k is taken as the share pruned, but it is the share kept",
    "signed": "the scores are ranked as they are: rank by |score|",
    "one batch": "it learns from the first batch only",
    "once": "the mask is chosen once: choose it anew in every step, since the scores have changed",
    "late": "the mask was chosen from the scores before the last step: choose it from those that you return",
}


def _compare_popup(case: str, function: Popup, search: _Search) -> Iterator[Finding]:
    weights, scores = verdict.copied(search.weights), verdict.copied(search.scores)
    seen: list[State] = []

    def noted(given: Weights, x: Tensor) -> Tensor:
        seen.append({name: w.detach().clone() for name, w in given.items()})
        return _forward(given, x)

    given = noted, weights, scores, search.k, search.lr, list(search.batches)
    yours = _read(verdict.ask(function, *given, in_place=[scores]))
    mask, learned = _popup(search)
    wrong = _wrong_pair(yours, search)
    shown = verdict.show(yours) if wrong else f"scores {verdict.show(yours[1])}"
    wrong = wrong or _wrong_forward(seen, search) or _wrong_scores(yours, search)
    yield Finding(f"{case}: the scores", shown, f"scores {verdict.show(learned)}", wrong)
    shown = f"{verdict.show(yours[0])}, no weight changed"
    yield Finding(f"{case}: the mask", shown, verdict.show(mask), _wrong_supermask(yours, search))


def _read(yours: Any) -> Any:
    """The mask and the scores as dicts of tensors, where there are two results."""
    parts = verdict.sequence(yours)
    return yours if parts is None or len(parts) != 2 else tuple(map(verdict.tensors, parts))


def _wrong_pair(yours: Any, search: _Search) -> str:
    """What keeps a result from being a mask and the scores, "" if it is."""
    if not isinstance(yours, tuple) or len(yours) != 2:
        return f"return two dicts, the mask and the scores: this is {type(yours).__name__}"
    mask, scores = yours
    if isinstance(mask, dict) and verdict.wrong_masks(scores, search.weights) == "":
        return "they are swapped: the mask comes first, then the scores"
    if wrong := verdict.wrong_masks(mask, search.weights):
        return wrong
    if not isinstance(scores, dict) or scores.keys() != search.scores.keys():
        return f"the scores are a dict of {sorted(search.scores)}, and this is {verdict.show(scores)}"
    for name, s in search.scores.items():
        if not isinstance(scores[name], Tensor) or scores[name].shape != s.shape:
            return f"the scores of {name} are a tensor of shape {tuple(s.shape)}"
        if not scores[name].is_floating_point():
            return f"the scores of {name} should be {s.dtype}, and are {scores[name].dtype}"
    return ""


def _wrong_forward(seen: Sequence[State], search: _Search) -> str:
    """What is wrong with the weights that `forward` was given, "" if nothing is, or if it was never called."""
    right = {name: search.count(name) for name in search.weights}
    for number, given in enumerate(seen, 1):
        where = f"step {number}, in the forward pass"
        in_use = {}
        for name, w in search.weights.items():
            if name not in given or given[name].shape != w.shape:
                return f"{where}: there is no weight {name} of shape {tuple(w.shape)}"
            in_use[name] = given[name].abs() > 1e-6
            if not (far := verdict.distance(given[name][in_use[name]], w[in_use[name]])) <= 1e-4:
                return (
                    f"{where}: a weight of {name} is {far:.2g} away from the random one: a weight is in use as it was "
                    "drawn, or not at all"
                )
        counts = {name: int(m.sum()) for name, m in in_use.items()}
        if all(bool(m.all()) for m in in_use.values()):
            return f"{where}: {_BUGS['all used']}"
        if counts != right and sum(counts.values()) == _together(search):
            return f"{where}: the layers are ranked together: each keeps its own share k"
        for name, m in in_use.items():
            if number == 1 and (wrong := wrong_mask(m, search.scores[name], search.k, right[name])):
                return f"{where}, {name}: {wrong}"
            if counts[name] != right[name]:
                return f"{where}: {counts[name]} weights of {name} are in use, and should be {right[name]}"
    return ""


def _together(search: _Search) -> int:
    """How many weights are kept where all layers are ranked together."""
    return round(search.k * sum(w.numel() for w in search.weights.values()))


def _wrong_scores(yours: tuple[Mask, State], search: _Search) -> str:
    if _near(yours[1], _popup(search)[1]):
        return ""
    if _near(yours[1], search.scores):
        return "no score has moved: nothing was learned"
    right = _popup(search)[1]
    if _near(yours[1], {name: s.abs() for name, s in right.items()}):
        return "these are the |scores|: return the scores with their signs"
    if _near(yours[1], {name: s.where(yours[0][name], 0) for name, s in right.items()}):
        return "the scores of unused edges are 0: return all scores as they were learned"
    for way, how in _ways(len(search.batches)):
        if _near(yours[1], _popup(search, **how)[1]):
            return way
    for many in (1, 2, 3):
        for bugs in combinations([bug for bug in _BUGS if bug != "late"], many):
            if _near(yours[1], _popup(search, bugs)[1]):
                return "; ".join(_BUGS[bug] for bug in bugs)
    moved = torch.cat([(yours[1][name] - s).abs().flatten() for name, s in search.scores.items()])
    if torch.allclose(moved, torch.full_like(moved, search.lr), rtol=1e-2):
        return "each score moves by lr, whatever its gradient, as with Adam or a sign: take a step of plain SGD"
    far, worst = verdict.furthest(yours[1], _popup(search)[1])
    still = {name: int((yours[1][name] == s).sum()) for name, s in search.scores.items()}
    return f"largest difference {far:.3g}, in {worst} (scores that did not move: {still})"


def _ways(steps: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield other ways to take some steps: what is told of each, and how to take them so."""
    yield "the loss is summed over the batch: the cross-entropy is the mean of the examples", {"summed": True}
    yield "cross_entropy takes the logits, as `forward` returns them, and does the softmax itself", {"softmax": True}
    yield "each batch is used twice: take one step on each", {"order": [*range(steps), *range(steps)]}
    if steps == 1:
        return
    yield "the gradients of the steps add up: clear the old ones before each step", {"momentum": 1.0}
    for momentum in (0.9, 0.5, 0.95, 0.99):
        yield f"the steps have a momentum of {momentum}: plain SGD has none", {"momentum": momentum}
    yield "the batches are taken in reverse: take them in the order that is given", {"order": range(steps)[::-1]}
    yield "only the last batch is used: take a step on each", {"order": [steps - 1]}
    for order in permutations(range(steps)) if steps <= 3 else ():
        if list(order) != sorted(order):
            yield "the batches are taken in another order than the one that is given", {"order": order}


def _near(a: State, b: State) -> bool:
    return all(verdict.distance(a[name], b[name]) <= 1e-4 for name in b)


def _wrong_supermask(yours: tuple[Mask, State], search: _Search) -> str:
    mask, scores = yours
    counts = {name: int(m.sum()) for name, m in mask.items()}
    right = {name: search.count(name) for name in mask}
    if counts != right and sum(counts.values()) == _together(search):
        return f"the layers are ranked together, and keep {counts}: each layer keeps its own share k, {right}"
    if verdict.same(mask, {name: masks.top(w.abs(), right[name]) for name, w in search.weights.items()}):
        return "this is the mask of the largest weights: the scores say which edges stay"
    wrong = {name: wrong_mask(m, scores[name].detach(), search.k, right[name]) for name, m in mask.items()}
    name = next((name for name, said in wrong.items() if said), "")
    if not name:
        return ""
    if verdict.same(mask, _popup(search, ["late"])[0]):
        return _BUGS["late"]
    if verdict.same(mask, _chosen(search, search.scores, search.weights, ())):
        return "this is the mask of the scores as they were drawn: choose it from those that were learned"
    return f"{name}: {wrong[name]}"


def _compare_on_digits(function: Popup) -> Finding:
    """Find a supermask of digits, and show what it is worth on images that were not searched with."""
    train, _, test = digits()
    sizes, k = (49, 100, 10), 0.4
    order = torch.randint(len(train), (200, 100), generator=torch.Generator().manual_seed(14))
    search = _Search(*_drawn(sizes, seed=15), k, 1.0, [(train.x[i], train.y[i]) for i in order])
    scores = verdict.copied(search.scores)
    given = _forward, search.weights, scores, k, search.lr, search.batches
    yours = _read(verdict.ask(function, *given, in_place=[scores]))
    case = f"handwritten digits, {' → '.join(map(str, sizes))} neurons, k = {k}, {len(search.batches)} steps"
    if wrong := _wrong_pair(yours, search) or _wrong_supermask(yours, search):
        return Finding(case, verdict.show(yours), "a mask and the scores", wrong)

    def right(mask: Mask) -> float:
        return judged(lambda x: _forward({name: w * mask[name] for name, w in search.weights.items()}, x), test)[1]

    found, lot, ours = right(yours[0]), right(masks.shuffle(yours[0], 0)), right(_popup(search)[0])
    enough = (lot + ours) / 2
    moved = [float((yours[1][n] != s)[~yours[0][n]].float().mean()) for n, s in search.scores.items()]
    shown = f"{percent(found)} of unseen digits right with no weight changed, a random mask {percent(lot)}"
    wrong = (
        ""
        if found >= enough
        else f"this mask is hardly better than a random one; with these steps {percent(ours)} is possible"
    )
    if not wrong and min(moved) == 0:
        wrong = _BUGS["dead"]
    return Finding(case, shown, f"at least {percent(enough)}", wrong)
