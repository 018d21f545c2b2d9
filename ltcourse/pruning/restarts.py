"""Where the next round of the pruning loop begins: keep, reset, rewind, draw anew.

A restart is a function of the trained network, of `at` (the weights that the dense network had at an early iteration)
and of the round's number. It returns the weights that the round begins with, and the iteration that they count as.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ltcourse.names import choose
from ltcourse.networks import masks
from ltcourse.networks.initializers import Initializer, initialize, xavier_normal
from ltcourse.networks.models import snapshot
from ltcourse.networks.weights import copied, refuse_computed
from ltcourse.quantities import whole

State = dict[str, Tensor]
At = Callable[[int], State]
Restart = Callable[[nn.Module, At, int], tuple[State, int]]


def keep(network: nn.Module, at: At, number: int) -> tuple[State, int]:
    """Go on from the trained weights: fine-tuning.

    Source: Han et al. 2015, Sec. 3.3.
    Lesson 01, "Fine-tune".
    """
    return snapshot(network), 0


def to_init(network: nn.Module, at: At, number: int) -> tuple[State, int]:
    """Return to the initial weights θ₀: the lottery ticket.

    Source: Frankle & Carbin 2019, Sec. 1, step 4.
    Lesson 03, "The algorithm by hand".
    """
    return at(0), 0


def to_step(iteration: int) -> Restart:
    """Return to the weights that the dense network had at an early iteration: rewinding.

    Training goes on from that iteration, with the order of examples and the learning rates that follow it.
    Raises ValueError for what is no whole number, or a negative one.
    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Sec. 3.
    Lesson 04, "Rewind a little less far".
    """
    iteration = whole("iteration", iteration)
    if iteration < 0:
        raise ValueError(f"iteration {iteration} is negative: rewind to 0 or later")
    return lambda network, at, number: (at(iteration), iteration)


def redraw(seed: int, initializer: Initializer = xavier_normal) -> Restart:
    """Draw new initial weights every round: the re-initialized control.

    Frozen parameters stay as they are, since they were no initial weights of a training either. Buffers that training
    moves and no `reset_parameters` sets return to θ₀.
    Raises ValueError, before anything is trained, for a parameter that `initialize` cannot draw.
    Source: Frankle & Carbin 2019, Sec. 2.
    Lesson 03, "Two controls".
    """

    seed = whole("seed", seed)

    def drawn_anew(network: nn.Module, at: At, number: int) -> tuple[State, int]:
        refuse_computed(network)  # some of those cannot be copied either
        fresh = copied(network)
        fresh.load_state_dict(at(0), strict=False)
        own_seed = 1_000_003 * (seed + 1) + number  # so large that it is no network's seed: never θ₀ again
        return snapshot(initialize(fresh, initializer, own_seed, frozen=False)), 0

    return drawn_anew


MAGNITUDES = ("initial", "constant", "redrawn")
SIGNS = ("initial", "redrawn", "positive")


def put_together(magnitudes: str, signs: str, seed: int, initializer: Initializer = xavier_normal) -> Restart:
    """Take the magnitudes of the weights from one place and their signs from another.

    magnitudes: "initial", those of θ₀; "constant", the standard deviation of the layer's θ₀ for all; "redrawn", those
    of `redraw(seed, initializer)`. signs: "initial", "redrawn", or "positive". Biases are those of θ₀.
    Initial with initial is `to_init`, redrawn with redrawn is `redraw`.
    Raises ValueError for an unknown place.
    Source: Zhou et al. 2019, Sec. 3.
    Lesson 07, "Values or signs?".
    """
    choose("place of the magnitudes", magnitudes, MAGNITUDES)
    choose("place of the signs", signs, SIGNS)
    draw = redraw(seed, initializer)

    def together(network: nn.Module, at: At, number: int) -> tuple[State, int]:
        θ0, fresh = at(0), draw(network, at, number)[0]
        state = dict(θ0)
        for name in masks.prunable(network):
            size = {"initial": θ0[name], "redrawn": fresh[name], "constant": θ0[name].std().expand_as(θ0[name])}
            sign = {"initial": θ0[name], "redrawn": fresh[name], "positive": torch.ones_like(θ0[name])}
            state[name] = size[magnitudes].abs() * sign[signs].sign()
        return state, 0

    return together
