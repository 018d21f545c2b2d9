"""What is the whole process's: it is put back, and no import is broken off."""

import subprocess
import sys
from contextlib import suppress

import pytest
import torch

from ltcourse.networks import models
from ltcourse.training.process import settled


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


@pytest.mark.parametrize("moment", [5, 15, 50])
def test_ctrl_c_in_the_first_second_of_training_does_not_break_pytorch(moment):
    """The first optimizer imports a large part of PyTorch; broken off at some moments, it cannot be imported again."""
    program = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests in its background ignores it
from ltcourse.networks import models
from ltcourse.data import load
from ltcourse.training import Recipe, train

class CtrlC:  # in the midst of the import
    count = 0

    def find_spec(self, name, path, target=None):
        self.count += name.startswith("torch._dynamo.")
        if self.count == int(sys.argv[1]):
            self.count += 1
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

data, network = load("fashion-mnist-mini"), models.create("lenet-300-100")
assert "torch._dynamo" not in sys.modules
sys.meta_path.insert(0, CtrlC())
try:
    train(network, data, Recipe(iterations=1))
except KeyboardInterrupt:
    print("stopped")
print(train(network, data, Recipe(iterations=1)))
"""
    done = subprocess.run([sys.executable, "-c", program, str(moment)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    stopped, told = done.stdout.splitlines()
    assert stopped == "stopped" and told.startswith("iteration 1 ·")
