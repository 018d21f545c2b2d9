"""The training loop, fast on a CPU and on a GPU."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.data import Dataset, Split
from ltcourse.data.augmentation import changes
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.weights import computed_once, refuse_foreign, refuse_meta
from ltcourse.quantities import seeded, whole
from ltcourse.training import checkpoints, process
from ltcourse.training.graphs import Replayed, can_replay
from ltcourse.training.process import enough_for, exact, settled
from ltcourse.training.recipe import History, Recipe


def train(
    network: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    mask: Mask | None = None,
    seed: int = 0,
    begin: int = 0,
    end: int | None = None,
) -> History:
    """Train `network` in place and return what was recorded.

    mask: weights that it leaves out are exactly 0 before the first step and after every step. seed: of the order of the
    examples. begin: iterations that are taken as done already; the order of the examples and the schedule go on from
    there. end: where to break off, by default at the recipe's last iteration; the schedule stays that of the whole run.
    Runs on the device of the network; on a GPU the step can be recorded as a graph and replayed (`graphs`). One seed
    and one machine: the same numbers, bit for bit (on a GPU with a pooling that overlaps, as AlexNet's, not promised).
    Raises ValueError for a mask of another network, a span outside the run, and a network with nothing to train, in
    half precision, with weights that are no plain numbers or that changes the weights that the mask leaves out;
    FloatingPointError when the loss is no longer a number; and MemoryError.
    Lesson 00, "A first network".
    """
    history = History()
    for history in evaluations(network, data, recipe, mask=mask, seed=seed, begin=begin, end=end):  # noqa: B007
        pass
    return history


def evaluations(
    network: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    mask: Mask | None = None,
    seed: int = 0,
    begin: int = 0,
    end: int | None = None,
) -> Iterator[History]:
    """Train as `train` does, and yield the growing history after every evaluation, so that it can be watched.

    Lesson 00, "A first network".
    """
    begin, end = span(recipe, begin, end)
    refuse_unfit(data)
    refuse_untrainable(network, data.train.x)
    device = next(network.parameters()).device
    with enough_for(f"{data.name} and batches of {recipe.batch}", "the batch, or train on the CPU"):
        yield from _evaluations(network, data.to(device), recipe, mask, seed, begin, end)


def span(recipe: Recipe, begin: int, end: int | None) -> tuple[int, int]:
    """Return the first and the last iteration of a part of a run, as whole numbers; raises ValueError outside it."""
    if not isinstance(recipe, Recipe):
        raise ValueError(f"the recipe is of type {type(recipe).__name__}: write Recipe(iterations=1500), say")
    begin, end = whole("begin", begin), recipe.iterations if end is None else whole("end", end)
    if not 0 <= begin <= end <= recipe.iterations:
        raise ValueError(f"iterations {begin} to {end} are not within the run of {recipe.iterations:,}")
    return begin, end


def refuse_unfit(data: Dataset) -> None:
    """Raise ValueError, one sentence, for data that no network can be trained on: an empty part, unknown labels."""
    if not isinstance(data, Dataset):
        raise ValueError(f"the data are of type {type(data).__name__}: give a Dataset, such as load('mnist') returns")
    for part in ("train", "validation", "test"):
        split: Split = getattr(data, part)
        if not len(split):
            raise ValueError(f"the {part} part of {data.name} is empty: give it at least one example")
        low, high = split.y.aminmax()
        if low < 0 or high >= len(data.classes):
            odd = int(low if low < 0 else high)
            raise ValueError(
                f"{data.name} has {len(data.classes)} classes, and the {part} part has the label {odd}: "
                "number the classes from 0, and name each"
            )
    if wrong := _not_finite(data, "test"):  # of the other parts the loss tells, long before
        raise ValueError(wrong)


def _not_finite(data: Dataset, part: str) -> str:
    """What is wrong with images that hold no numbers, and what to do; "" if all do."""
    x = getattr(data, part).x
    if not x.is_floating_point() or (whole := x.flatten(1).isfinite().all(1)).all():
        return ""
    return (
        f"{int((~whole).sum()):,} of the {len(x):,} images of data.{part} hold NaN or infinity, first number "
        f"{int((~whole).nonzero()[0])}: leave them out"
    )


def _evaluations(
    network: nn.Module, data: Dataset, recipe: Recipe, mask: Mask | None, seed: int, begin: int, end: int
) -> Iterator[History]:
    device = next(network.parameters()).device
    if not any(p.dim() == 5 for p in network.parameters()):  # which have no such layout
        network.to(memory_format=layout(device, recipe.precision))
    saved = checkpoints.of(network, mask, recipe, f"{data.name} {data.sha256}", seed, begin, end)
    # only where they are needed: a network whose weights are computed from others can be trained as it is
    weights = masks.prunable(network) if mask is not None or recipe.l1 else {}
    kept: list[Tensor] = []
    if mask is not None:
        masks.apply(network, mask)
        # as floats in the layout of the weights: several times as fast to multiply by as booleans
        kept = [torch.empty_like(p).copy_(mask[name]) for name, p in weights.items()]
    refuse_outputs(network, data)
    refuse_kept_alive(weights, mask)
    total = torch.zeros((), device=device)  # the loss is added up on the device: reading it would wait for the device
    step = Step(network, list(network.parameters()), list(weights.values()), kept, recipe, total)
    do = Replayed(step, step.optimizer) if can_replay(network) else step
    history, best = History(), Best(network)
    now = checkpoints.Standing(network, step.optimizer, best.copies, total, history.to_dict(), begin)
    if saved is not None:
        saved.restore(now)
        history = History(**now.history)
    order = batches(len(data.train), recipe.batch, seed, device, skip=now.iteration)
    change = changes(recipe.augment, data, seed, skip=(now.iteration, min(recipe.batch, len(data.train))))
    network.train()

    if history.iterations:
        yield history  # of a training that goes on, or was done
    for first, last in _stretches(recipe, now.iteration, end):
        with settled(network.parameters()):  # not while the history is looked at: it holds for the whole process
            for iteration in range(first, last + 1):
                if saved is not None:
                    now.iteration = iteration - 1
                    saved.tick(now)
                index = next(order)
                step.set_lr(recipe.lr_at(iteration))
                do(change(data.train.x.index_select(0, index)), data.train.y.index_select(0, index))
            mean = float(total) / (last - max(begin, (last - 1) // recipe.evaluate_every * recipe.evaluate_every))
            refuse_divergence(mean, last, recipe, data)
            if last == end:
                refuse_kept_alive(weights, mask)
            if last % recipe.evaluate_every and last != recipe.iterations:
                if saved is not None:
                    now.iteration = last
                    saved.write(now)
                return  # `end` cut it short
            record(history, best, network, data, last, mean, last=last == recipe.iterations)
            refuse_divergence(history.validation_loss[-1], last, recipe, data)
            total.zero_()
            now.history = history.to_dict()
            if saved is not None and last == end:
                now.iteration = last
                saved.write(now)
        yield history


def _stretches(recipe: Recipe, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the (first, last) iteration of each stretch from one evaluation to the next, the last one cut at `end`."""
    while begin < end:
        last = min((begin // recipe.evaluate_every + 1) * recipe.evaluate_every, end)
        yield begin + 1, last
        begin = last


class Step:
    """One step of training on a batch (x, y): loss, gradients, the optimizer's update, the mask.

    forward: (n, c, h, w) → logits (n, classes); with one more dimension in front where several networks are trained as
    one, as their labels (networks, n) then have. parameters: all of them. weights: those that may be pruned. kept: 1
    for each weight that the mask keeps and 0 for the others, as floats; nothing where there is no mask. total: what the
    loss is added to, one number or one per network. Nothing in it waits for the device.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        parameters: list[Tensor],
        weights: list[Tensor],
        kept: list[Tensor],
        recipe: Recipe,
        total: Tensor,
    ) -> None:
        self._forward, self._weights, self._kept, self._recipe, self._total = forward, weights, kept, recipe, total
        self.optimizer = _optimizer([p for p in parameters if p.requires_grad], recipe)

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of the next step."""
        group = self.optimizer.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr

    def __call__(self, x: Tensor, y: Tensor) -> None:
        """Do the step."""
        self.optimizer.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._recipe.precision == "bfloat16"):
            logits = _tensor(self._forward(x))
        loss = _loss(logits.float(), y)
        loss.backward(torch.ones_like(loss))  # of several networks each to its own
        with torch.no_grad():
            if self._recipe.l1:
                trained = [p for p in self._weights if p.grad is not None]
                signs = torch._foreach_sign(trained)
                torch._foreach_add_([p.grad for p in trained if p.grad is not None], signs, alpha=self._recipe.l1)
            self.optimizer.step()
            if self._kept:  # here, and not on the gradient: momentum and weight decay cannot bring a weight back
                torch._foreach_mul_(self._weights, self._kept)
            self._total += loss.detach()


def _loss(logits: Tensor, y: Tensor) -> Tensor:
    """The mean cross-entropy: one number, or (networks,) for labels (networks, n)."""
    if y.dim() == 1:
        return cross_entropy(logits, y)
    return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape).mean(1)


def evaluate(network: nn.Module, split: Split, *, chunk: int | None = None) -> tuple[float, float]:
    """Return (loss, accuracy) of `network` on a split: the mean cross-entropy in nats, and the share right, 0 to 1.

    chunk: as of `look_at`.
    Lesson 00, "A first network".
    """
    device = split.x.device
    loss, right = torch.zeros((), dtype=torch.float64, device=device), torch.zeros((), dtype=torch.int64, device=device)

    def look(logits: Tensor, y: Tensor) -> None:
        loss.add_(cross_entropy(logits, y, reduction="sum"))  # sums: a last, smaller chunk weighs no more
        right.add_((logits.argmax(1) == y).sum())

    look_at(network, split, look, chunk=chunk)
    return float(loss) / len(split), int(right) / len(split)


def look_at(
    network: nn.Module, split: Split, look: Callable[[Tensor, Tensor], None], *, chunk: int | None = None
) -> None:
    """Call `look(logits, labels)` for one chunk of a split after another, with `network` in evaluation.

    logits: (n, classes); labels: (n,). chunk: examples at a time, which bounds the memory and changes nothing else; by
    default 1,000, and 100 for convolutions on a CPU, whose outputs then stay in its cache: less than half of the time.
    Raises ValueError, with what to do, for a network that returns anything else, and for labels that it has no output
    for.
    Lesson 02, "The slides' table".
    """
    if not len(split):
        raise ValueError("there is nothing to evaluate on: this part of the data is empty")
    refuse_precision(network, split.x)
    was_training = network.training
    network.eval()
    convolutions = any(p.dim() == 4 for p in network.parameters())
    order = layout(split.x.device) if convolutions and split.x.dim() == 4 else torch.preserve_format
    usual = 100 if convolutions and split.x.device.type == "cpu" else 1000
    chunk = usual if chunk is None else whole("chunk", chunk, 1)
    low, high = map(int, split.y.aminmax())
    memory = enough_for(f"evaluating {chunk:,} examples at a time", "the chunk, or evaluate on the CPU")
    try:
        with memory, exact(split.x.device), torch.inference_mode(), computed_once(network):
            for x, y in zip(split.x.split(chunk), split.y.split(chunk), strict=True):
                logits = _logits(network, x.to(memory_format=order))
                if low < 0:
                    raise ValueError(f"the label {low} is of no class: number the classes from 0")
                _refuse_shape(tuple(logits.shape), len(x), high)
                look(logits, y)
    finally:
        network.train(was_training)


def _logits(network: nn.Module, x: Tensor) -> Tensor:
    try:
        return _tensor(network(x))
    except (RuntimeError, TypeError) as error:
        if x.is_floating_point() or isinstance(error, torch.OutOfMemoryError):
            raise
        kind = str(x.dtype).removeprefix("torch.")
        raise ValueError(f"this network cannot take images of {kind} numbers: write images.float() / 255") from error


def _tensor(logits: Any) -> Tensor:
    """Return what a network returned; raises ValueError if it is no tensor."""
    if isinstance(logits, Tensor):
        return logits
    raise ValueError(
        f"this network returns a {type(logits).__name__} where one tensor of logits (n, classes) is needed: let its "
        "forward return that alone, in training, too"
    )


def _refuse_shape(shape: tuple[int, ...], n: int, high: int) -> None:
    if len(shape) != 2 or shape[0] != n or shape[1] <= high:
        raise ValueError(
            f"for {n} images this network returns numbers of the shape {shape}, and the labels go up to {high}: let it "
            f"return {high + 1} numbers for each image"
        )


class Best:
    """The weights of the smallest validation loss so far, so that the test set is asked about them once, at the end."""

    def __init__(self, network: nn.Module) -> None:
        self._tensors = [t.detach() for t in (*network.parameters(), *network.buffers())]
        self.copies = [t.clone() for t in self._tensors]

    def note(self) -> None:
        """Keep the weights as they are now.

        Lesson 09, "During training".
        """
        torch._foreach_copy_(self.copies, self._tensors)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the noted weights into the network for as long as the block lasts.

        Lesson 09, "During training".
        """
        now = [t.clone() for t in self._tensors]
        try:
            torch._foreach_copy_(self._tensors, self.copies)
            yield
        finally:
            torch._foreach_copy_(self._tensors, now)


def record(
    history: History, best: Best, network: nn.Module, data: Dataset, iteration: int, train_loss: float, last: bool
) -> None:
    """Add an evaluation to a history, and note the weights if they are the best so far.

    iteration, train_loss: where the training stands. last: whether it ends here, so that the test set is asked.
    Lesson 09, "During training".
    """
    loss, accuracy = evaluate(network, data.validation)
    history.iterations.append(iteration)
    history.train_loss.append(train_loss)
    history.validation_loss.append(loss)
    history.validation_accuracy.append(accuracy)
    if history.early_stop == iteration:
        best.note()
    if last:
        history.test_loss, history.test_accuracy = evaluate(network, data.test)
        if history.early_stop == iteration:
            history.early_stop_test_accuracy = history.test_accuracy
        else:
            with best.in_place():
                history.early_stop_test_accuracy = evaluate(network, data.test)[1]


def layout(device: torch.device, precision: str = "float32") -> torch.memory_format:
    """Return how the numbers of images and convolutions lie in memory.

    On a CPU, channels last is twice as fast. On a GPU it gains in bfloat16, and loses in float32.
    """
    last = device.type == "cpu" or precision == "bfloat16"
    return torch.channels_last if last else torch.contiguous_format


def refuse_untrainable(network: nn.Module, images: Tensor) -> None:
    """Raise ValueError, with what to do, for a network that no training can move, or whose numbers do not fit."""
    refuse_foreign(network)
    parameters = dict(network.named_parameters())
    if not parameters:
        raise ValueError(
            "this network has no parameters, so there is nothing to train: give it a layer such as nn.Linear"
        )
    if not any(p.requires_grad for p in parameters.values()):
        raise ValueError(
            "every parameter of this network is frozen, so there is nothing to train: let some be trained with "
            "network.requires_grad_(True)"
        )
    for path, module in network.named_modules():
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) and module.sparse:
            raise ValueError(
                f"the embedding {path!r} has sparse gradients, which the optimizers here cannot take: build it with "
                "sparse=False"
            )
    refuse_precision(network, images)
    for name, p in parameters.items():
        if not p.isfinite().all():
            raise ValueError(f"{name!r} holds NaN or infinity before any training: draw the network's weights anew")


def refuse_precision(network: nn.Module, images: Tensor) -> None:
    """Raise ValueError, with what to do, for a network in half precision, of another one or of none."""
    refuse_meta(network)
    for name, p in network.named_parameters():
        kind = str(p.dtype).removeprefix("torch.")
        if p.dtype in (torch.float16, torch.bfloat16):
            raise ValueError(
                f"{name!r} is in half precision ({kind}), in which training and evaluation are not exact: write "
                "network.float(), and for products in half precision Recipe(precision='bfloat16')"
            )
        if p.is_floating_point() and images.is_floating_point() and p.dtype != images.dtype:
            raise ValueError(
                f"{name!r} is {kind} and the images are {str(images.dtype).removeprefix('torch.')}: make both the same,"
                " as network.float() does for the data sets of the course"
            )


def refuse_outputs(network: nn.Module, data: Dataset) -> None:
    """Raise ValueError, with what to do, for a network that has no output for a label of the data."""
    high = max(int(part.y.max()) for part in (data.train, data.validation, data.test))
    look_at(network, Split(data.train.x[:2], torch.full_like(data.train.y[:2], high)), lambda logits, y: None)


def refuse_kept_alive(weights: Mapping[str, Tensor], mask: Mask | None) -> None:
    """Raise ValueError if weights that the mask leaves out are not 0: then the network itself has changed them."""
    for name, m in (mask or {}).items():
        if weights[name].detach()[~m].any():
            raise ValueError(
                f"weights of {name!r} that the mask leaves out are not 0, since the network itself changes them: let "
                "its forward compute with a changed copy of the weight in place of changing it"
            )


def refuse_divergence(loss: float, iteration: int, recipe: Recipe, data: Dataset) -> None:
    """Raise FloatingPointError, with what to do, if a loss is no longer a number."""
    if not math.isfinite(loss):
        for part in ("train", "validation"):
            if wrong := _not_finite(data, part):
                raise FloatingPointError(f"the loss is {loss} by iteration {iteration:,}, since {wrong}")
        raise FloatingPointError(
            f"the loss is {loss} by iteration {iteration:,}: training diverged, "
            f"lower the learning rate (it is {recipe.lr})"
        )


def batches(n: int, batch: int, seed: int, device: torch.device, skip: int = 0) -> Iterator[Tensor]:
    """Yield indices of `batch` examples for ever: a new order each epoch, an incomplete last batch left out."""
    generator = seeded(seed)  # on the CPU: a seed means the same order on every device
    batch = min(batch, n)
    while True:
        order = torch.randperm(n, generator=generator).to(device)
        for index in order[: n // batch * batch].split(batch):
            if skip:
                skip -= 1
            else:
                yield index


def _optimizer(parameters: list[Tensor], recipe: Recipe) -> torch.optim.Optimizer:
    make: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
    }
    process.ready_for_optimizers()
    extra = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {}
    device = parameters[0].device
    # on a GPU the rate is on the device, where a graph that is replayed reads it
    lr = torch.tensor(recipe.lr, dtype=torch.float32, device=device) if device.type == "cuda" else recipe.lr
    return make[recipe.optimizer](parameters, lr=lr, weight_decay=recipe.weight_decay, fused=True, **extra)
