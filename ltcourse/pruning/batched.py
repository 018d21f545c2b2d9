"""Several networks of one architecture trained as one: their weights stacked, their products batched.

A small network leaves most of a GPU idle. Five of them, five trials of one experiment, take about as long as one. Each
sees what it would see alone, its own weights, mask and order of examples, and ends where it would end alone, up to the
rounding of products that are summed in another order.
"""

import copy
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrize

from ltcourse.data import Dataset, Split
from ltcourse.data.augmentation import changes
from ltcourse.networks import masks as mask_of
from ltcourse.networks.dropout import Dropout
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.networks.weights import tied
from ltcourse.pruning.criteria import Criterion, Rate, magnitude
from ltcourse.pruning.loop import Round, further, try_out
from ltcourse.pruning.restarts import At, Restart, State, to_init
from ltcourse.quantities import whole
from ltcourse.training import History, Recipe
from ltcourse.training.graphs import Replayed, can_replay
from ltcourse.training.loop import Step, batches, refuse_divergence, refuse_unfit, span
from ltcourse.training.process import enough_for, exact, settled

Tensors = dict[str, Tensor]


def train(
    networks: Sequence[nn.Module],
    data: Dataset,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    masks: Sequence[Mask] | None = None,
    begin: int = 0,
    end: int | None = None,
) -> list[History]:
    """Train several networks in place, as one, and return what was recorded of each.

    networks: of one architecture, on one device; batch norm is welcome. seeds: of the order of the examples, one per
    network. masks: one per network. The rest is as of `training.train`.
    Raises ValueError for networks that cannot be stacked: of different architectures, with dropout, or with scores;
    and whatever `training.train` raises.
    """
    begin, end = span(recipe, begin, end)
    refuse_unfit(data)
    _check(networks, seeds, masks)
    for network, mask in zip(networks, masks or (), strict=bool(masks)):
        mask_of.apply(network, mask)
    device = next(networks[0].parameters()).device
    what = f"{len(networks)} networks as one and batches of {recipe.batch}"
    with enough_for(what, "the number of networks or the batch, or train on the CPU"):
        stack = _Stack([network.train() for network in networks])
        try:
            return _train(stack, data.to(device), recipe, seeds, masks, begin, end)
        finally:  # after Ctrl-C too
            stack.hand_back()


def evaluate(networks: Sequence[nn.Module], split: Split) -> list[tuple[float, float]]:
    """Return (loss, accuracy) of each network on a split: the mean cross-entropy in nats, and the share right, 0 to 1.

    Raises ValueError for networks that cannot be stacked.
    """
    _check(networks, range(len(networks)), None)
    modes = [network.training for network in networks]
    try:
        return _Stack([network.eval() for network in networks]).evaluate(split)
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


def _train(
    stack: "_Stack",
    data: Dataset,
    recipe: Recipe,
    seeds: Sequence[int],
    masks: Sequence[Mask] | None,
    begin: int,
    end: int,
) -> list[History]:
    n, device = len(seeds), data.train.x.device
    weights = {name: stack.parameters[name] for name in mask_of.prunable(stack.networks[0])}
    kept = [torch.stack([mask[name] for mask in masks]).to(p) for name, p in weights.items()] if masks else []
    total = torch.zeros(n, device=device)
    step = Step(stack, list(stack.parameters.values()), list(weights.values()), kept, recipe, total)
    do = Replayed(step, step.optimizer) if can_replay(stack.networks[0]) else step
    orders = [batches(len(data.train), recipe.batch, seed, device, skip=begin) for seed in seeds]
    skip = (begin, min(recipe.batch, len(data.train)))
    change = [changes(recipe.augment, data, seed, skip=skip) for seed in seeds]

    histories, best, since = [History() for _ in seeds], stack.copy(), begin
    with settled(stack.parameters.values()):
        for iteration in range(begin + 1, end + 1):
            index = [next(order) for order in orders]
            step.set_lr(recipe.lr_at(iteration))
            do(
                torch.stack([change(data.train.x.index_select(0, i)) for change, i in zip(change, index, strict=True)]),
                data.train.y.index_select(0, torch.cat(index)).view(n, -1),
            )
            if iteration % recipe.evaluate_every == 0 or iteration == recipe.iterations:
                means = (total / (iteration - since)).tolist()
                total.zero_()
                since = iteration
                for i, (loss, accuracy) in enumerate(stack.evaluate(data.validation)):
                    refuse_divergence(means[i] + loss, iteration, recipe, data)
                    histories[i].iterations.append(iteration)
                    histories[i].train_loss.append(means[i])
                    histories[i].validation_loss.append(loss)
                    histories[i].validation_accuracy.append(accuracy)
                    if histories[i].early_stop == iteration:
                        for name, tensor in stack.tensors.items():
                            best[name][i].copy_(tensor[i].detach())
        refuse_divergence(float(total.sum()), end, recipe, data)
        if end == recipe.iterations and end > begin:
            stopped = stack.evaluate(data.test, best)
            for history, last, at_stop in zip(histories, stack.evaluate(data.test), stopped, strict=True):
                history.test_loss, history.test_accuracy = last
                history.early_stop_test_accuracy = at_stop[1]
    return histories


def prune_iteratively(
    networks: Sequence[nn.Module],
    data: Dataset,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    rate: Rate = 0.2,
    rounds: int = 12,
    criterion: Criterion = magnitude,
    scope: str = "layer",
    restart: Restart = to_init,
    retrain: Recipe | None = None,
) -> Iterator[list[Round]]:
    """Train, prune, restart, repeat, with several networks at once: yield one round of each, as all of them finish.

    networks, seeds: as of `train`. The rest is as of `pruning.prune_iteratively`, whose rounds these are up to
    rounding; where two weights are as good as equal, rounding may choose the other one to prune.
    """
    rounds = whole("rounds", rounds, 0)
    _check(networks, seeds, None)
    firsts = [snapshot(network) for network in networks]
    try_out(networks[0], recipe, retrain or recipe, firsts[0], rate, criterion, scope, restart)

    @cache
    def early(iteration: int) -> list[State]:
        copies = [copy.deepcopy(network) for network in networks]
        for network, θ0 in zip(copies, firsts, strict=True):
            network.load_state_dict(θ0)
        train(copies, data, recipe, seeds=seeds, end=iteration)
        return [snapshot(network) for network in copies]

    def at(place: int) -> At:
        return lambda iteration: firsts[place] if iteration == 0 else early(iteration)[place]

    histories = train(networks, data, recipe, seeds=seeds)
    done = [Round(0, mask_of.dense(n), snapshot(n), h) for n, h in zip(networks, histories, strict=True)]
    yield done
    for number in range(1, rounds + 1):
        masks, begin = [], 0
        for place, (network, after) in enumerate(zip(networks, done, strict=True)):
            network.load_state_dict(after.state)  # whatever was done with the network since
            weights = {name: p.detach() for name, p in mask_of.prunable(network).items()}
            masks.append(further(criterion, weights, after.mask, rate, scope))
            state, begin = restart(network, at(place), number)
            network.load_state_dict(state)
        histories = train(networks, data, retrain or recipe, seeds=seeds, masks=masks, begin=begin)
        done = [Round(number, m, snapshot(n), h) for n, m, h in zip(networks, masks, histories, strict=True)]
        yield done


class _Stack:
    """Networks as one: each parameter and buffer has a first dimension more, for the network that it is of."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.networks = networks
        self.parameters, self.buffers = stack_module_state(list(networks))
        self._layers = copy.deepcopy(networks[0]).to("meta")  # what is computed; with which numbers is in the stack

    @property
    def tensors(self) -> Tensors:
        return {**self.parameters, **self.buffers}

    def copy(self) -> Tensors:
        return {name: tensor.detach().clone() for name, tensor in self.tensors.items()}

    def hand_back(self) -> None:
        """Copy the numbers into the networks that they are of."""
        for i, network in enumerate(self.networks):
            for name, tensor in network.state_dict().items():
                tensor.copy_(self.tensors[name][i].detach())

    def __call__(self, x: Tensor) -> Tensor:
        """Map the networks' own batches (networks, n, c, h, w) to logits (networks, n, classes), in training."""
        self._layers.train()
        return vmap(self._logits)(self.tensors, x)

    def evaluate(self, split: Split, tensors: Tensors | None = None, chunk: int = 1000) -> list[tuple[float, float]]:
        """Return (loss, accuracy) of each network on a split, as `training.evaluate` does of one."""
        tensors, n, device = tensors or self.tensors, len(self.networks), split.x.device
        loss, right = (torch.zeros(n, dtype=dtype, device=device) for dtype in (torch.float64, torch.int64))
        self._layers.eval()
        with exact(device), torch.inference_mode():
            for x, y in zip(split.x.split(chunk), split.y.split(chunk), strict=True):
                logits = vmap(self._logits, in_dims=(0, None))(tensors, x)
                labels = y.expand(n, -1)
                each = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
                loss += each.view(n, -1).sum(1)
                right += (logits.argmax(2) == labels).sum(1)
        return [(a / len(split), b / len(split)) for a, b in zip(loss.tolist(), right.tolist(), strict=True)]

    def _logits(self, tensors: Tensors, x: Tensor) -> Tensor:
        return functional_call(self._layers, tensors, (x,))


def _check(networks: Sequence[nn.Module], seeds: Sequence[int], masks: Sequence[Mask] | None) -> None:
    if not len(networks) == len(seeds) == len(networks if masks is None else masks) > 0:
        raise ValueError(
            f"{len(networks)} networks, {len(seeds)} seeds and {'no' if masks is None else len(masks)} masks: "
            "give each network a seed, and each a mask or none of them"
        )
    first = networks[0]
    for i, network in enumerate(networks):
        shapes = [{name: tensor.shape for name, tensor in n.state_dict().items()} for n in (first, network)]
        if str(network) != str(first) or shapes[0] != shapes[1]:
            raise ValueError(
                f"network {i} is of another architecture than network 0: train it by itself, with training.train"
            )
        if any(network is other for other in networks[:i]):
            raise ValueError(f"network {i} is there twice: give a copy, made with copy.deepcopy")
    for network, mask in zip(networks, masks or (), strict=bool(masks)):
        mask_of.check(mask, network)
    if tied(first):
        raise ValueError("networks with shared weights cannot be trained as one: train each by itself, with train")
    for module in first.modules():
        if isinstance(module, Dropout | nn.Dropout) or parametrize.is_parametrized(module):
            raise ValueError(
                "networks with dropout or with scores cannot be trained as one: train each by itself, with train"
            )
