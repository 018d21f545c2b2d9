"""The pruning loop: train, prune, restart, repeat (slides S2 and S7).

Han's pruning and the lottery ticket are one loop that differs in one argument, `restart`: Han goes on from the trained
weights (`keep`), the lottery ticket returns the survivors to their first values (`to_init`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from ltcourse.data import Dataset
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import same, snapshot
from ltcourse.networks.weights import copied, has_scores, refuse_meta
from ltcourse.pruning.criteria import Criterion, Rate, magnitude
from ltcourse.pruning.restarts import Restart, State, to_init
from ltcourse.quantities import whole
from ltcourse.training import History, Recipe, train
from ltcourse.training.checkpoints import kept_in
from ltcourse.training.loop import refuse_unfit, span


@dataclass(frozen=True, eq=False)
class Round:
    """One round of the loop: a mask, and the network as it was after training under that mask.

    number: 0 is the dense network. mask: name to booleans. state: all parameters and buffers after training.
    history: what the training recorded. Two rounds are equal if all of this is.
    Lesson 01, "Repeat".
    """

    number: int
    mask: Mask
    state: State
    history: History

    @property
    def density(self) -> float:
        """P_m, the share of weights kept, 0 to 1."""
        return masks.density(self.mask)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Round):
            return NotImplemented
        alike = same(self.mask, other.mask) and same(self.state, other.state)
        return alike and (self.number, self.history) == (other.number, other.history)

    def __str__(self) -> str:
        return f"round {self.number} · P_m {self.density:.1%} · {self.history}"


def prune_iteratively(
    network: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    rate: Rate = 0.2,
    rounds: int = 12,
    criterion: Criterion = magnitude,
    scope: str = "layer",
    restart: Restart = to_init,
    retrain: Recipe | None = None,
    seed: int = 0,
    after: Round | None = None,
) -> Iterator[Round]:
    """Train, prune, restart, repeat: yield the dense network as round 0, then `rounds` rounds, each as it finishes.

    network: with its initial weights θ₀; it is trained in place. rate: share of the remaining weights to prune per
    round, 0 to 1, one for all layers or one per layer (`criteria.layer_rates`). criterion, scope: which weights go
    (`criteria`). restart: where the next round begins (`restarts`). retrain: the recipe of rounds 1 and later where it
    differs. seed: of the order of the examples, the same in every round, so that rounds differ in the mask alone.
    after: a round that was yielded before; the loop continues after it, to the same result as an unbroken run.
    Raises ValueError, before anything is trained, for bad rates, names or masks, and for a network that cannot be
    pruned (`masks.prunable`), trained (`training.train`) or, by `redraw`, drawn anew.
    Source: Han et al. 2015, Sec. 3 (`keep`); Frankle & Carbin 2019, Sec. 1 and App. B, Strategy 1 (`to_init`).
    Lesson 01, "Repeat".
    """
    refuse_unfit(data)
    for used in (recipe, retrain or recipe):
        span(used, 0, None)
    masks.dense(network)  # refuses a network without weights of its own, of which no snapshot could be taken
    refuse_meta(network)
    rounds, seed = whole("rounds", rounds, 0), whole("seed", seed)
    θ0 = snapshot(network)

    @cache
    def at(iteration: int) -> State:
        return θ0 if iteration == 0 else _weights_at(iteration, network, θ0, data, recipe, seed)

    try_out(network, recipe, retrain or recipe, θ0, rate, criterion, scope, restart)
    _refuse_unsaved(network, data, recipe, seed)
    if after is None:
        history = train(network, data, recipe, seed=seed)  # 1, 2: train the dense network
        after = Round(0, masks.dense(network), snapshot(network), history)
        yield after
    masks.check(after.mask, network)
    for number in range(after.number + 1, rounds + 1):
        network.load_state_dict(after.state)  # whatever was done with the network since
        weights = {name: p.detach() for name, p in masks.prunable(network).items()}
        mask = further(criterion, weights, after.mask, rate, scope)  # 3: prune
        state, begin = restart(network, at, number)  # 4: return the survivors to where the next round begins
        network.load_state_dict(state)
        history = train(network, data, retrain or recipe, mask=mask, seed=seed, begin=begin)  # 2: train again
        after = Round(number, mask, snapshot(network), history)
        yield after


def sensitivity(
    network: nn.Module,
    shares: Sequence[float],
    accuracy: Callable[[nn.Module], float],
    criterion: Criterion = magnitude,
) -> dict[str, list[float]]:
    """Prune one layer at a time, without retraining, and return the accuracy at each share kept, by layer.

    shares: of the layer's weights kept, 0 to 1. accuracy: what to judge a network by, on the validation set, since what
    the scan decides may not be decided on the test set. The network is left as it was.
    Source: Han et al. 2015, Sec. 4 and Fig. 6.
    Lesson 01, "Which layer can spare most?".
    """
    for share in shares:
        masks.check_share(share, "share")
    found: dict[str, list[float]] = {}
    for layer, parameter in masks.some(masks.prunable(network)).items():
        weights = parameter.detach().clone()
        whole = {layer: torch.ones_like(weights, dtype=torch.bool)}
        found[layer] = []
        try:
            for share in shares:
                mask = criterion({layer: weights}, whole, 1 - share, "layer")
                parameter.data.copy_(weights * mask[layer])
                found[layer].append(accuracy(network))
        finally:
            parameter.data.copy_(weights)
    return found


def try_out(
    network: nn.Module,
    recipe: Recipe,
    retrain: Recipe,
    θ0: State,
    rate: Rate,
    criterion: Criterion,
    scope: str,
    restart: Restart,
) -> None:
    """Raise ValueError, before the first training, for a network, rate, criterion or restart that fails after it."""

    def at(iteration: int) -> State:
        if iteration > recipe.iterations:
            raise ValueError(f"cannot rewind to iteration {iteration:,} of a training of {recipe.iterations:,}")
        return θ0

    if has_scores(network):
        raise ValueError(
            "the weights are frozen under scores: take them off with supermasks.release(network), then prune"
        )
    for what, chosen, example in (
        ("criterion", criterion, "criteria.magnitude"),
        ("restart", restart, "restarts.to_init"),
    ):
        if not callable(chosen):
            raise ValueError(f"the {what} is {chosen!r}: give the function itself, such as {example}")
    _refuse_held(network)
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    masks.check(further(criterion, weights, masks.dense(network), rate, scope), network)
    begins = restart(network, at, 1)
    if not isinstance(begins, tuple) or len(begins) != 2 or not isinstance(begins[0], Mapping):
        raise ValueError(
            f"a restart returns the weights that a round begins with and the iteration that they count as, and this "
            f"one returns a {type(begins).__name__}: write return state, 0"
        )
    begin = whole("the iteration of the restart", begins[1], 0)
    if begin >= retrain.iterations:
        raise ValueError(
            f"a round that begins at iteration {begin:,} of a training of {retrain.iterations:,} has nothing left to "
            "train: rewind to an earlier iteration, or train the rounds for longer"
        )


def further(criterion: Criterion, weights: masks.Weights, mask: Mask, rate: Rate, scope: str) -> Mask:
    """Return the mask of a criterion; raises ValueError if it keeps a weight that `mask` has removed."""
    smaller = criterion(weights, mask, rate, scope)
    masks.refuse_misfit(smaller, mask)
    for name, m in mask.items():
        if (smaller[name] & ~m).any():
            raise ValueError(
                f"this criterion brings back weights of {name!r} that were pruned before: let it return a part of the "
                "mask that it is given, as criteria.select(scores, mask, rate, scope) does"
            )
    return smaller


def _refuse_held(network: nn.Module) -> None:
    """Refuse weights that a hook on their gradient may hold at 0, as a mask of one's own does."""
    for name, p in masks.prunable(network).items():
        if (p._backward_hooks or p._post_accumulate_grad_hooks) and not p.detach().all():
            raise ValueError(
                f"some of {name!r} are 0 and a hook changes its gradient, so that nobody knows which are pruned: take "
                "the hook off with its remove(), and let the pruning loop, or train(…, mask=mask), hold them at 0"
            )


def _refuse_unsaved(network: nn.Module, data: Dataset, recipe: Recipe, seed: int) -> None:
    """Refuse buffers that training moves and that are not saved with the weights, so that no restart puts them back.

    A copy is trained for one step, where there are such buffers and the network can be copied.
    """
    saved = network.state_dict().keys()
    unsaved = {name for name, _ in network.named_buffers() if name not in saved}
    if not unsaved:
        return
    probe = copied(network)
    with torch.random.fork_rng(), kept_in(None):
        train(probe, data, recipe.but(iterations=1, evaluate_every=1), seed=seed)
    for name, buffer in probe.named_buffers():
        if name in unsaved and not torch.equal(buffer, network.get_buffer(name)):
            raise ValueError(
                f"the buffer {name!r} changes in training and is not saved with the weights, so that no round could "
                "begin where it was: register it with persistent=True"
            )


def _weights_at(iteration: int, network: nn.Module, θ0: State, data: Dataset, recipe: Recipe, seed: int) -> State:
    """Return the weights at an early iteration of the dense training, by running that part of it again."""
    early = copied(network)
    early.load_state_dict(θ0)
    train(early, data, recipe, seed=seed, end=iteration)  # the schedule stays that of the whole run
    return snapshot(early)
