"""Out of memory is one sentence that says what to lower, on a GPU and on the CPU."""

import pickle

import pytest
import torch
from torch import Tensor, nn

from ltcourse import cli, data
from ltcourse.networks import models
from ltcourse.pruning import batched
from ltcourse.training import Recipe, evaluate, train
from ltcourse.training.process import enough_for

RECIPE = Recipe(iterations=2, batch=20)


class Greedy(nn.Sequential):
    """Asks for more memory than any machine has, in training or in evaluation."""

    def __init__(self, pixels: int, when: bool) -> None:
        super().__init__(nn.Flatten(), nn.Linear(pixels, 10))
        self.when = when

    def forward(self, x: Tensor) -> Tensor:
        if self.training == self.when:
            torch.empty(2**50)
        return super().forward(x)


def greedy(images, when):
    return Greedy(images.train.x[0].numel(), when)


def test_training_says_what_to_lower(tiny):
    with pytest.raises(MemoryError, match=r"too little memory for .* batches of 20: lower the batch, or") as caught:
        train(greedy(tiny, True), tiny, RECIPE)
    assert "\n" not in str(caught.value)


def test_evaluation_says_what_to_lower_inside_a_training_too(tiny):
    for call in (lambda n: evaluate(n, tiny.test, chunk=50), lambda n: train(n, tiny, RECIPE)):
        with pytest.raises(MemoryError, match=r"for evaluating .* examples at a time: lower the chunk") as caught:
            call(greedy(tiny, False))
        assert "\n" not in str(caught.value)


def test_networks_trained_as_one_say_what_to_lower(tiny, monkeypatch):
    monkeypatch.setattr(batched._Stack, "__call__", lambda *given: torch.empty(2**50))
    networks = [models.create("lenet-300-100", shape=tiny.shape, seed=seed) for seed in range(3)]
    with pytest.raises(MemoryError, match=r"3 networks as one .*: lower the number of networks or the batch"):
        batched.train(networks, tiny, RECIPE, seeds=range(3))


def test_the_error_of_a_gpu_is_told_and_other_errors_are_left_alone():
    with pytest.raises(MemoryError, match="the GPU has too little memory for a test: lower your voice"), \
            enough_for("a test", "your voice"):  # fmt: skip
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    with pytest.raises(RuntimeError, match="another") as caught, enough_for("a test", "your voice"):
        raise RuntimeError("another")
    assert not isinstance(caught.value, MemoryError)


def test_the_command_line_says_it_in_one_line(monkeypatch, capsys):
    def run(*given, **named):
        with enough_for("mnist and batches of 60", "the batch, or train on the CPU"):
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(data, "verify", run)
    assert cli.main(["data"]) == 1
    assert capsys.readouterr().err == (
        "ltcourse: the GPU has too little memory for mnist and batches of 60: lower the batch, or train on the CPU\n"
    )


def test_a_worker_hands_the_sentence_on():
    with pytest.raises(MemoryError, match="lower x") as caught, enough_for("y", "x"):
        raise torch.OutOfMemoryError("no")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_the_error_of_a_processor_is_told_as_windows_words_it():
    for said in ("DefaultCPUAllocator: can't allocate memory: you tried", "not enough memory: you tried to allocate 9"):
        with pytest.raises(MemoryError, match="this machine has too little memory"), enough_for("a test", "your voice"):
            raise RuntimeError(said)
