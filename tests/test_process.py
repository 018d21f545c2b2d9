"""What is the whole process's: it is put back, and no import is broken off."""

import subprocess
import sys
from contextlib import suppress

import pytest
import torch

from ltcourse import models
from ltcourse.training import settled


def state():
    return torch.get_num_threads(), torch.is_grad_enabled(), smallest_is_0()


def smallest_is_0():
    """Whether the processor counts numbers too small for a normal float as 0."""
    return float(torch.full((1,), 1e-40) * 1.0) == 0


def test_a_block_of_training_has_its_own_state_and_gives_the_old_one_back():
    before = state()
    with settled(models.create("lenet-300-100").parameters()):
        assert state() == (1, True, True)
    assert state() == before and not smallest_is_0()


@pytest.mark.parametrize("stopped", ["set_num_threads", "set_flush_denormal", "set_grad_enabled"])
@pytest.mark.parametrize("call", [1, 2])
def test_ctrl_c_in_the_midst_of_one_does_not_keep_the_others(monkeypatch, stopped, call):
    before, original, calls = state(), getattr(torch, stopped), []
    parameters = [*models.create("lenet-300-100").parameters()]

    def and_ctrl_c(value):
        original(value)
        calls.append(value)
        if len(calls) == call:
            raise KeyboardInterrupt

    torch.set_num_threads(2)
    try:
        with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
            patched.setattr(torch, stopped, and_ctrl_c)
            with settled(parameters), torch.no_grad():
                pass
        assert calls and state() == (2, True, False)
    finally:
        torch.set_num_threads(before[0])


def test_ctrl_c_in_the_first_second_of_training_does_not_break_pytorch():
    """The first optimizer imports a large part of PyTorch, which cannot be imported again where that was broken off."""
    program = """
import _thread, sys, threading, torch
from ltcourse import models
from ltcourse.training import Recipe, train
from ltcourse.data import load

def stop():
    while len([name for name in [*sys.modules] if name.startswith("torch._dynamo.")]) < 20:
        pass
    print("Ctrl-C", flush=True)
    _thread.interrupt_main()

data, network = load("fashion-mnist-mini"), models.create("lenet-300-100")
assert "torch._dynamo" not in sys.modules
threading.Thread(target=stop).start()
try:
    train(network, data, Recipe(iterations=1))
except KeyboardInterrupt:
    print("stopped", flush=True)
print(train(network, data, Recipe(iterations=1)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.splitlines()
    assert (first, second) == ("Ctrl-C", "stopped") and last.startswith("iteration 1 ·")
