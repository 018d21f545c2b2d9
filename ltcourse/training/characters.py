"""Training and evaluating a language model on a text, character by character."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.data import Text
from ltcourse.data.texts import windows
from ltcourse.networks.masks import Mask, check, prunable
from ltcourse.quantities import seeded
from ltcourse.training.loop import Step
from ltcourse.training.process import exact, settled
from ltcourse.training.recipe import History, Recipe

CHUNK = 64  # pieces of a text that are evaluated at a time


def train_on_text(
    network: nn.Module, text: Text, recipe: Recipe, length: int, *, mask: Mask | None = None, seed: int = 0
) -> Iterator[History]:
    """Train a language model in place, and yield the growing history after every evaluation.

    network: (n, length) characters → (n, length, characters) logits. recipe: its batch is of pieces of `length`
    characters from random places, which `seed` draws. mask: weights that it leaves out are 0 before the first step and
    after every step. In the history, losses are in nats a character and accuracies shares of characters predicted.
    Raises ValueError for a mask of another network, FloatingPointError when the loss is no longer a number.
    Lesson 09, "Networks of today".
    """
    weights = {} if mask is None else prunable(network)
    if mask is not None:
        check(mask, network)
        torch._foreach_mul_([p.data for p in weights.values()], [mask[name] for name in weights])
    kept = [mask[name].to(p.dtype) for name, p in weights.items()] if mask is not None else []
    total = torch.zeros((), device=text.train.device)
    do = Step(lambda x: network(x).flatten(0, 1), [*network.parameters()], [*weights.values()], kept, recipe, total)
    pieces, generator = text.train.unfold(0, length + 1, 1), seeded(seed)
    history = History()
    network.train()
    with settled(network.parameters()):
        for iteration in range(1, recipe.iterations + 1):
            do.set_lr(recipe.lr_at(iteration))
            piece = pieces[torch.randint(len(pieces), (recipe.batch,), generator=generator).to(pieces.device)]
            do(piece[:, :-1], piece[:, 1:].flatten())
            if iteration % recipe.evaluate_every == 0 or iteration == recipe.iterations:
                since = iteration - (history.iterations[-1] if history.iterations else 0)
                _record(history, network, text, length, iteration, float(total) / since)
                total.zero_()
                if iteration < recipe.iterations:
                    yield history
    history.test_loss, history.test_accuracy = evaluate_on_text(network, text.test, length)
    yield history


def _record(history: History, network: nn.Module, text: Text, length: int, iteration: int, train_loss: float) -> None:
    loss, accuracy = evaluate_on_text(network, text.validation, length)
    if not math.isfinite(loss + train_loss):
        raise FloatingPointError(f"the loss is {loss} by iteration {iteration:,}: lower the learning rate")
    history.iterations.append(iteration)
    history.train_loss.append(train_loss)
    history.validation_loss.append(loss)
    history.validation_accuracy.append(accuracy)


def evaluate_on_text(network: nn.Module, characters: Tensor, length: int) -> tuple[float, float]:
    """Return (loss, accuracy) of a language model: nats a character, and the share of characters predicted, 0 to 1.

    characters: (n,), cut in pieces of `length`, in which each character is predicted from those before it in its piece.
    Lesson 09, "Networks of today".
    """
    pieces = windows(characters, length)
    was_training = network.training
    network.eval()
    loss, right = 0.0, 0
    try:
        with exact(characters.device), torch.inference_mode():
            for piece in pieces.split(CHUNK):
                logits, next_ones = network(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten()
                loss += float(cross_entropy(logits, next_ones, reduction="sum"))
                right += int((logits.argmax(1) == next_ones).sum())
    finally:
        network.train(was_training)
    return loss / (len(pieces) * length), right / (len(pieces) * length)


def write_on(network: nn.Module, begin: Tensor, count: int, length: int, seed: int = 0) -> Tensor:
    """Let a language model go on with a text, and return the characters that it adds, (count,).

    begin: (n,). length: the most characters that the network reads. Each character is drawn from the network's
    probabilities.
    Lesson 09, "Networks of today".
    """
    generator, so_far = seeded(seed), begin
    with torch.inference_mode():
        for _ in range(count):
            probabilities = network(so_far[None, -length:])[0, -1].softmax(0).cpu()
            drawn = torch.multinomial(probabilities, 1, generator=generator)
            so_far = torch.cat([so_far, drawn.to(so_far)])
    return so_far[len(begin) :]
