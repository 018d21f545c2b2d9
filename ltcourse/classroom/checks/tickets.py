"""Checks of the exercises of lesson 03, on tickets; `checks` offers them beside its own.

An answer that is wrong is set beside the classic mistakes, so that the one that it fits can be named.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask, Weights
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.pruning.restarts import State

Train = Callable[[nn.Module, Mask], float]
Batches = list[tuple[Tensor, Tensor]]


def imp_round(function: Callable[[nn.Module, State, Mask, float, Train], Mask]) -> Verdict:
    """Check exercise 1 of lesson 03: (network, initial, mask, rate, train) → the next mask, and the network reset."""
    # no count of weights is a half, and no two weights are equally large
    cases = [((4, 2), 1.0, 0.5), ((4, 5), 0.5, 0.2), ((4, 6, 3), 0.5, 0.3), ((5, 8, 4), 0.3, 0.2)]

    def findings() -> Iterator[Finding]:
        for sizes, share, rate in cases:
            network, initial, mask, train = before_a_round(sizes, share)
            received, right = list[Mask](), copy.deepcopy(network)
            train(right, mask)
            trained = snapshot(right)
            expected = criteria.magnitude(trained, mask, rate)

            def noted(network: nn.Module, mask: Mask, train: Train = train, received: list[Mask] = received) -> float:
                received.append(verdict.copied(mask))
                return train(network, mask)

            yours = verdict.tensors(verdict.ask(function, network, initial, mask, rate, noted))
            case = f"{' → '.join(map(str, sizes))} neurons, {share:.0%} kept before, rate {rate}"
            wrong = verdict.wrong_masks(yours, mask) or _wrong_training(received, mask, yours)
            wrong = wrong or wrong_choice(yours, mask, rate, trained, initial)
            yield Finding(f"{case}: the next mask", verdict.show(yours), verdict.show(expected), wrong)
            yield _compare_reset(f"{case}: the network afterwards", network, expected, initial, trained)

    return verdict.judge("exercise 1, a round of iterative pruning", findings())


def rounds_until(function: Callable[[float, list[int], float], int]) -> Verdict:
    """Check exercise 2 of lesson 03: (density, sizes, rate) → the rounds that leave at most this density."""
    lenet = [235_200, 30_000, 1_000]
    # in each, a half rounded up instead of to an even number of weights would come to the same
    cases = [
        (1.0, [4, 2], 0.5),
        (0.625, [16, 16], 0.5),  # exactly reached
        (0.3, [10, 34], 0.2),  # each of the usual mistakes comes to another number of rounds
        (0.3, [28, 28], 0.2),
        (0.25, [60, 30, 20], 0.2),
        (0.1, [100, 300], 0.2),
        *((density, lenet, 0.2) for density in (0.8, 0.36, 0.212, 0.21, 0.036)),
    ]

    def findings() -> Iterator[Finding]:
        for density, sizes, rate in cases:
            yours = verdict.ask(function, density, list(sizes), rate)
            expected = _rounds(density, sizes, rate)
            wrong = _wrong_rounds(yours, expected, density, sizes, rate)
            yield Finding(f"{sizes} weights down to {density:.1%}, rate {rate}", f"{yours}", f"{expected}", wrong)

    return verdict.judge("exercise 2, how many rounds", findings())


def train_ticket(function: Callable[[nn.Module, torch.optim.Optimizer, State, Mask, Batches], float]) -> Verdict:
    """Check exercise 3 of lesson 03: (network, optimizer, initial, mask, batches) → the loss of the last step."""

    def findings() -> Iterator[Finding]:
        for name in verdict.OPTIMIZERS:
            network, optimizer, initial, mask, batches = _trained_densely(name)
            right, losses = _ticket(name)
            for again in (False, True):
                alive: list[tuple[float, str]] = []

                def look(network: nn.Module, _: Any, mask: Mask = mask, alive: list = alive) -> None:
                    if torch.is_grad_enabled():
                        alive.append(_largest_pruned(network, mask))

                hook = network.register_forward_pre_hook(look)
                try:
                    loss = verdict.ask(function, network, optimizer, initial, mask, list(batches))
                finally:
                    hook.remove()
                look(network, None)
                found, wrong = _compare_ticket(name, network, right, alive, len(batches), again)
                case = f"{name}: the network, {'trained once more' if again else 'trained'}"
                yield Finding(case, found, "pruned weights 0, the others within 1e-05", wrong)
                if not again:
                    yield _compare_last_loss(f"{name}: the loss", loss, losses, right, batches)

    return verdict.judge("exercise 3, training a ticket", findings())


def early_stop(function: Callable[[list[int], list[float]], int]) -> Verdict:
    """Check exercise 4 of lesson 03: (iterations, losses) → the iteration of the smallest loss, the first of equals."""
    noise = torch.randn(40, generator=torch.Generator().manual_seed(6)).tolist()
    curve = [round(0.6 * math.exp(-i / 4) + 0.004 * i + 0.1 + 0.015 * z, 4) for i, z in enumerate(noise)]
    cases = [
        ([100], [0.5]),
        ([100, 200, 300], [0.5, 0.4, 0.3]),
        ([100, 200, 300], [0.3, 0.4, 0.5]),
        ([20, 40, 60, 80, 100], [0.6, 0.4, 0.5, 0.2, 0.3]),
        ([50, 100, 150, 200, 250], [0.6, 0.2, 0.5, 0.2, 0.3]),
        ([10, 20, 50, 100, 200, 500], [2.3, 1.7, 0.9, 0.31, 0.29, 0.42]),
        (list(range(50, 2050, 50)), curve),
        ([100, 200, 300, 400], [0.3, 0.2041, 0.2038, 0.2036]),
        (list(range(100, 2100, 100)), [0.5, 0.4, *[0.41 + 0.001 * i for i in range(16)], 0.39, 0.4]),
    ]

    def findings() -> Iterator[Finding]:
        for iterations, losses in cases:
            yours = verdict.ask(function, list(iterations), list(losses))
            expected = iterations[min(range(len(losses)), key=losses.__getitem__)]
            wrong = _wrong_stop(yours, expected, iterations, losses)
            shown = f"losses {losses} at {iterations}" if len(losses) < 8 else f"a noisy curve of {len(losses)} losses"
            yield Finding(shown, f"{yours}", f"{expected}", wrong)

    return verdict.judge("exercise 4, the early stop", findings())


# Lesson 03, exercise 1


def before_a_round(sizes: Sequence[int], share: float) -> tuple[nn.Module, State, Mask, Train]:
    """Return a network that holds its initial weights under a mask, all its initial weights, the mask, and training."""
    generator = torch.Generator().manual_seed(4)
    network = verdict.small_network(sizes, seed=5)
    initial = {name: p.detach().clone() for name, p in network.named_parameters()}
    x, y = torch.randn(16, sizes[0], generator=generator), torch.randint(0, sizes[-1], (16,), generator=generator)
    mask = criteria.at_random(seed=1)(initial, masks.dense(network), 1 - share, "layer")

    def train(network: nn.Module, mask: Mask) -> float:
        masks.apply(network, mask)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.3, momentum=0.9)
        return [verdict.step(network, optimizer, mask, x, y) for _ in range(10)][-1]

    masks.apply(network, mask)
    return network, initial, mask, train


def _wrong_training(received: Sequence[Mask], old: Mask, yours: Mask) -> str:
    if not received:
        return "`train` was never called: a round trains the network before it prunes"
    if len(received) > 1:
        return f"`train` was called {len(received)} times: a round trains once, and the next round begins with training"
    if verdict.same(received[0], yours) and not verdict.same(yours, old):
        return "you pruned before training: train under the mask that you are given, then choose the next one"
    if not verdict.same(received[0], old):
        return "`train` was not called with the mask that your function was given"
    return ""


_ZEROS_AGAIN = (
    "the weights that are already pruned are 0, so they count as the smallest again, and too few new ones go: take the "
    "share of the weights that are left, and rank only these, with magnitudes[mask]"
)


def wrong_choice(yours: Mask, old: Mask, rate: float, trained: Weights, first: Weights) -> str:
    """Return what is wrong with the mask that follows `old`: each layer loses the share `rate` of what it has left."""
    for name, m in old.items():
        if back := int((yours[name] & ~m).sum()):
            return f"{back} pruned weights of {name} are back: prune a share of what is left, and keep the rest pruned"
    left = {name: int(m.sum()) for name, m in old.items()}
    gone = {name: left[name] - int(m.sum()) for name, m in yours.items()}
    right = {name: round(rate * n) for name, n in left.items()}
    if gone != right:
        if any(not m.all() for m in old.values()) and gone == {
            name: max(round(rate * m.numel()) - int((~m).sum()), 0) for name, m in old.items()
        }:
            return _ZEROS_AGAIN
        if not any(gone.values()):
            return "nothing was pruned: each layer loses a share of what it has left"
        if gone == {name: round(rate * m.numel()) for name, m in old.items()}:
            return f"it prunes {rate:.0%} of all weights of a layer, not of the remaining ones"
        if gone == {name: left[name] - n for name, n in right.items()}:
            return f"it keeps {rate:.0%} of the remaining weights and prunes the others: the other way round"
        if sum(gone.values()) == round(rate * sum(left.values())):
            return "it prunes the share of all layers together: each layer loses its own share"
        last = list(old)[-1]
        if gone == right | {last: round(rate / 2 * left[last])}:
            return f"it prunes {last} at half the rate: here every layer loses the share {rate}"
        name = next(name for name in gone if gone[name] != right[name])
        return f"it prunes {gone[name]} of the {left[name]} remaining weights of {name}, and should prune {right[name]}"
    if verdict.same(yours, criteria.magnitude(trained, old, rate)):
        return ""
    magnitude = {name: trained[name].abs() for name in old}
    mistakes = {
        "it prunes the smallest of the initial weights, not of the trained ones": {n: first[n].abs() for n in old},
        "it prunes the largest magnitudes: the smallest go": {n: -magnitude[n] for n in old},
        "it prunes the most negative weights: magnitude has no sign": trained,
        "it prunes the weights that training moved least: the smallest go": {
            n: (trained[n] - first[n]).abs() for n in old
        },
    }
    for wrong, scores in mistakes.items():
        if verdict.same(yours, criteria.select(scores, old, rate)):
            return wrong
    gap = max(float(magnitude[n][m & ~yours[n]].max() - magnitude[n][yours[n]].min()) for n, m in old.items())
    return f"it prunes a weight whose trained magnitude is {gap:.3g} larger than one that it keeps"


def _compare_reset(case: str, network: nn.Module, mask: Mask, first: Weights, trained: Weights) -> Finding:
    """Compare with the initial weights under the next mask, and tell why they are not that."""
    expected = "the initial weights under the next mask"
    now = {name: p.detach() for name, p in network.named_parameters()}
    target = {name: w * mask.get(name, True) for name, w in first.items()}
    far, worst = verdict.furthest(now, target)
    if far <= 1e-7:
        return Finding(case, "largest difference 0", expected)

    def survivors(state: Weights) -> State:
        return {name: state[name][m] for name, m in mask.items()}

    biases = {name: w for name, w in now.items() if name not in mask}
    if verdict.close(survivors(now), survivors(trained)):
        wrong = "not reset: the survivors still have their trained values"
    elif not verdict.close(survivors(now), survivors(first)):
        wrong = "the survivors are not at their initial values: take them from `initial`, and do not draw them anew"
    elif verdict.close(biases, trained):
        wrong = "the weights were reset, but not the biases: `initial` holds them too"
    elif not verdict.close(biases, first):
        wrong = "the biases are not at their initial values: only weights are pruned"
    else:
        wrong = "the network was reset without the next mask: pruned weights must be 0"
    return Finding(case, f"largest difference {far:.2g}, in {worst}", expected, wrong)


# Lesson 03, exercise 2


def _left(sizes: Sequence[float], rounds: int, rate: float, output: float, whole: Callable[[float], float]) -> float:
    """How many weights are left. output: rate of the last layer. whole: what makes the count pruned whole."""
    left = list(sizes)
    for _ in range(rounds):
        pruned = [rate * n for n in left[:-1]] + [output * left[-1]]
        left = [n - whole(p) for n, p in zip(left, pruned, strict=True)]
    return sum(left)


def _rounds(
    density: float,
    sizes: Sequence[int],
    rate: float,
    output: float | None = None,
    whole: Callable[[float], float] = round,
) -> int:
    """The rounds that lead to the density, -1 where none do."""
    output = rate / 2 if output is None else output
    enough = (r for r in range(200) if _left(sizes, r, rate, output, whole) <= density * sum(sizes))
    return next(enough, -1)


def _wrong_rounds(yours: Any, expected: int, density: float, sizes: Sequence[int], rate: float) -> str:
    rounds = verdict.number(yours)
    if rounds is None:
        return f"the rounds are a number, and this is {type(yours).__name__}"
    if rounds == expected:
        return ""
    if not rounds.is_integer() or not 0 <= rounds <= 1000:
        return "rounds are whole, and not negative: count them"

    def leave(rounds: int) -> str:
        return f"{rounds} rounds leave {_left(sizes, rounds, rate, rate / 2, round) / sum(sizes):.2%}"

    if rounds in [_rounds(density, sizes, rate, rate, whole) for whole in (round, float)]:
        return f"the last layer is pruned at half the rate, and yours at the full rate: {leave(int(rounds))}"
    if rounds == _rounds(density, sizes, rate, rate / 2, whole=float):
        return f"weights are whole: round the count that a layer loses, each round; {leave(expected)}"
    mistakes = {
        "a round prunes a share of the weights that are left, not of all": math.ceil((1 - density) / rate),
        "this counts the first layer alone: all weights together are to reach the density": _rounds(
            density, sizes[:1], rate, rate
        ),
        "the lower rate is that of the last layer, not of the first": _rounds(density, sizes[::-1], rate),
        "the count that a layer loses is rounded up: round it to the nearest": _rounds(
            density, sizes, rate, whole=math.ceil
        ),
        "the count that a layer loses is rounded down: round it to the nearest": _rounds(
            density, sizes, rate, whole=math.floor
        ),
    }
    if wrong := verdict.fitting(rounds, mistakes, ""):
        return f"{wrong}; {leave(int(rounds))}"
    if rounds < expected:
        return f"too few: {leave(int(rounds))}"
    if _left(sizes, expected, rate, rate / 2, round) == density * sum(sizes):
        return f"too many: {leave(expected)}, and at most {density:.1%} includes exactly {density:.1%}"
    return f"too many: {leave(expected)}, and that is enough"


# Lesson 03, exercise 3


def _trained_densely(name: str) -> tuple[nn.Module, torch.optim.Optimizer, State, Mask, Batches]:
    """Return a trained network, its optimizer full of memories, the initial weights, a mask, and batches."""
    generator = torch.Generator().manual_seed(11)  # of the losses, the last is not always the smallest, or the middle
    network = verdict.small_network((4, 6, 3), seed=2)
    initial = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = verdict.OPTIMIZERS[name](network.parameters())
    # AdamW does not take this default back, and type(optimizer)(…, **optimizer.defaults) is a right answer
    optimizer.defaults.pop("decoupled_weight_decay", None)
    batches = [
        (torch.randn(8, 4, generator=generator), torch.randint(0, 3, (8,), generator=generator)) for _ in range(4)
    ]
    everything = masks.dense(network)
    for x, y in batches[1:] + batches[1:]:
        verdict.step(network, optimizer, everything, x, y)
    mask = criteria.magnitude(snapshot(network), everything, 0.5)
    return network, optimizer, initial, mask, batches[:3]


def _ticket(
    name: str, *, reset: str = "all", fresh: bool = True, clear: str = "before", hold: str = "weights"
) -> tuple[nn.Module, list[float]]:
    """Train a ticket and return the losses: rightly by default, and with the classic mistakes on request."""
    network, optimizer, initial, mask, batches = _trained_densely(name)
    with torch.no_grad():
        for parameter, p in network.named_parameters():
            if reset == "all" or (reset == "weights" and parameter in mask):
                p.copy_(initial[parameter])
    masks.apply(network, mask)
    if fresh:
        optimizer.state.clear()
    losses = []
    for x, y in batches:
        if clear == "before":
            optimizer.zero_grad()
        loss = cross_entropy(network(x), y)
        loss.backward()
        if hold == "gradients":
            for parameter, m in mask.items():
                network.get_parameter(parameter).grad.mul_(m)  # type: ignore[union-attr]
        optimizer.step()
        if clear == "after":
            optimizer.zero_grad()
        if hold == "weights":
            masks.apply(network, mask)
        losses.append(loss.item())
    return network, losses


_UNHELD = "masking the gradient is not enough: the optimizer remembers earlier gradients, and they move pruned weights"
_STALE = "the optimizer still remembers the dense training: clear optimizer.state, or build a fresh one"
_NOT_RESET = "the network was not reset: it continued from the trained weights"
_BIASES = "the weights were reset, but not the biases: `initial` holds them too"
_ADDED = "the gradients of the steps add up: clear the old ones before each step"
_LEFT = "the last gradient of the dense training was still there in the first step: clear it before"
_MISTAKES: tuple[tuple[str, dict[str, Any]], ...] = (
    (_UNHELD, {"hold": "gradients", "fresh": False}),
    (_STALE, {"fresh": False}),
    *((_NOT_RESET, {"reset": "nothing", "fresh": fresh}) for fresh in (True, False)),
    *((_BIASES, {"reset": "weights", "fresh": fresh}) for fresh in (True, False)),
    *((_ADDED, {"clear": "never", "fresh": fresh}) for fresh in (True, False)),
    *((_LEFT, {"clear": "after", "fresh": fresh}) for fresh in (True, False)),
)


def _largest_pruned(network: nn.Module, mask: Mask) -> tuple[float, str]:
    """The magnitude of the pruned weight that is furthest from 0, and whose weight it is; a NaN is further than any."""
    pruned = {name: network.get_parameter(name).detach()[~m].abs() for name, m in mask.items()}
    found = [(float(w.max()), name) for name, w in pruned.items()]
    return max(found, key=lambda pair: math.inf if math.isnan(pair[0]) else pair[0])


def _compare_ticket(
    name: str, network: nn.Module, right: nn.Module, alive: Sequence[tuple[float, str]], steps: int, again: bool
) -> tuple[str, str]:
    """Return what was found, and what is wrong. alive: the largest pruned weight, before each step and at the end."""
    now = snapshot(network)
    far, worst = verdict.furthest(now, snapshot(right))
    # "not …": a NaN is never right
    back = next((i for i, (largest, _) in enumerate(alive) if not largest <= 0), None)
    if back is None and far <= 1e-5:
        return f"pruned weights 0, largest difference of the others {far:.1g}", ""
    if back is None:
        found = f"pruned weights 0, largest difference of the others {far:.2g}, in {worst}"
        wrong = f"this is not where {steps} steps from the initial weights lead"
    else:
        largest, where = alive[back]
        found = f"a pruned weight of {where} is {largest:.3g} after step {back}"
        wrong = "pruned weights came back to life: mask after every step, not only at the start"
        if back == 0:
            wrong = "the network was reset without the mask: pruned weights must be 0 before the first step, too"
    if again:
        return found, f"{wrong}: something of the first call is left"
    fits = (mistake for mistake, how in _MISTAKES if verdict.close(now, snapshot(_ticket(name, **how)[0])))
    return found, next(fits, wrong)


def _compare_last_loss(case: str, loss: Any, losses: Sequence[float], right: nn.Module, batches: Batches) -> Finding:
    yours = verdict.number(loss)
    expected = f"{losses[-1]:.4f}"
    if yours is None:
        return Finding(case, type(loss).__name__, expected, "the loss is a number: return loss.item()")
    if abs(yours - losses[-1]) <= 1e-5:
        return Finding(case, f"{yours:.4f}", expected)
    x, y = batches[-1]
    mistakes = {
        "this is the loss of the first step: return that of the last": losses[0],
        "this is the mean of the losses: return that of the last step": sum(losses) / len(losses),
        "this is the sum of the losses: return that of the last step": sum(losses),
        "this is the loss after the last step: return the one that it began with": cross_entropy(right(x), y).item(),
        **{f"this is rounded to {d} digits: return the loss as it is": round(losses[-1], d) for d in range(1, 5)},
    }
    wrong = next((m for m, v in mistakes.items() if abs(yours - v) <= 1e-5), "this is not the loss of the last step")
    return Finding(case, f"{yours:.4f}", expected, wrong)


# Lesson 03, exercise 4


def _wrong_stop(yours: Any, expected: int, iterations: Sequence[int], losses: Sequence[float]) -> str:
    found = verdict.number(yours)
    if found is None:
        return f"an iteration is a number, and this is {type(yours).__name__}"
    if found == expected:
        return ""
    smallest = min(losses)
    last = max(i for i, loss in enumerate(losses) if loss == smallest)
    local = next((i for i, (loss, later) in enumerate(pairwise(losses)) if later > loss), len(losses) - 1)
    mistakes = {
        "this is the index of the smallest loss: return the iteration there": losses.index(smallest),
        "this is the smallest loss: return its iteration": smallest,
        "of equally small losses, this is the last: the first one counts": iterations[last],
        "this is the last iteration: the loss was smaller before": iterations[-1],
        "this is the largest loss: accuracy would be largest, loss is smallest": iterations[losses.index(max(losses))],
        "this is the first local minimum: the loss falls further later": iterations[local],
    }
    otherwise = f"the smallest loss, {smallest}, is at iteration {expected}"
    if found in iterations:
        otherwise = f"the loss at iteration {found:.0f} is {losses[iterations.index(int(found))]}; {otherwise}"
    return verdict.fitting(found, mistakes, otherwise)
