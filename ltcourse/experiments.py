"""Each experiment of the course as data: what is asked, on which network and data, at which budget, and its trial.

A trial is one seed of one experiment: a plain function of its settings and the seed, so that trials run anywhere and
their results do not depend on where.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from typing import Any

import torch

from ltcourse import masks, models
from ltcourse.data import load
from ltcourse.initializers import kaiming_normal
from ltcourse.names import choose
from ltcourse.pruning import Round, prune_iteratively
from ltcourse.restarts import keep
from ltcourse.training import Recipe, evaluate, train

BUDGETS = ("smoke", "class", "desk", "paper")
Row = dict[str, Any]
Trial = dict[str, Any]  # {"seed", "seconds", "rows"}


@dataclass(frozen=True)
class Settings:
    """All that decides the result of an experiment, but the seed of the trial.

    network, data: their names. recipe: of the dense network. retrain: of the rounds after it. rounds: how often to
    prune and retrain. shares: the share of each layer's weights that is kept in the end, 0 to 1. densities: shares
    kept in one shot, each from the dense network. penalties: (name of a recipe's setting, strength) pairs. seeds: one
    a trial.
    Lesson 00, "Four budgets".
    """

    network: str
    data: str
    recipe: Recipe
    retrain: Recipe
    rounds: int
    shares: Mapping[str, float] = field(default_factory=dict)
    densities: tuple[float, ...] = ()
    penalties: tuple[tuple[str, float], ...] = ()
    seeds: tuple[int, ...] = (0,)

    def rates(self, rounds: int | None = None) -> dict[str, float]:
        """Return the rate of each layer, which takes it to its share in `rounds` rounds of equal rate.

        Lesson 01, "Repeat".
        """
        return {name: 1 - share ** (1 / (rounds or self.rounds)) for name, share in self.shares.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Experiment:
    """One experiment of the course.

    question: one sentence. lesson: where it is taught. budgets: the settings at each of `BUDGETS`. trial: maps
    settings, a seed and a device to rows of results, one a round.
    Lesson 00, "Four budgets".
    """

    name: str
    question: str
    lesson: str
    budgets: Mapping[str, Settings]
    trial: Callable[[Settings, int, str], Iterator[Row]]


def budget(name: str | None = None) -> str:
    """Return the budget to run at: `name`, else the environment's LTCOURSE_BUDGET, else "class".

    Raises ValueError for an unknown one.
    Lesson 00, "Four budgets".
    """
    return choose("budget", name or os.environ.get("LTCOURSE_BUDGET") or "class", BUDGETS)


def get(name: str) -> Experiment:
    """Return the experiment of that name; raises ValueError if there is none."""
    return EXPERIMENTS[choose("experiment", name, EXPERIMENTS)]


def settings(name: str, at: str | None = None) -> Settings:
    """Return the settings of an experiment at a budget (by default `budget()`).

    Lesson 00, "Four budgets".
    """
    return get(name).budgets[budget(at)]


def live(iterations: int) -> int:
    """Return how many iterations a lesson's own training cell runs: `iterations`, or a twentieth at the smoke budget.

    Lesson 00, "A first network".
    """
    return max(10, iterations // 20) if budget() == "smoke" else iterations


def default_device() -> str:
    """Return "cuda" where there is such a device, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def run(
    name: str,
    at: str | None = None,
    *,
    seeds: tuple[int, ...] | None = None,
    executor: Executor | None = None,
    device: str | None = None,
    echo: bool = False,
) -> Iterator[Trial]:
    """Run the trials of an experiment and yield them as they finish.

    at: the budget. seeds: instead of those of the settings. executor: where the trials run; by default a pool of
    processes of one thread each on the CPU, and this process, one after the other, on a GPU. echo: print each row as
    it comes, from wherever it comes. The rows do not depend on the executor.
    Lesson 01, "The slides' two rows".
    """
    chosen = settings(name, at)
    seeds = chosen.seeds if seeds is None else seeds
    device = device or default_device()
    if executor is not None:
        yield from _submit(executor, name, chosen, seeds, device, echo)
    elif device == "cpu":
        # two processes of one thread beat one of two: small matrix products do not scale with threads
        workers = min(len(seeds), os.cpu_count() or 1)
        with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            yield from _submit(pool, name, chosen, seeds, device, echo)
    else:
        for seed in seeds:
            yield trial(name, chosen, seed, device, echo)


def trial(name: str, chosen: Settings, seed: int, device: str = "cpu", echo: bool = False) -> Trial:
    """Run one trial and return its seed, its seconds and its rows."""
    begun = time.perf_counter()
    rows = []
    for row in get(name).trial(chosen, seed, device):
        if echo:
            print(f"{name} · seed {seed} · {describe(row)}", flush=True)
        rows.append(row)
    return {"seed": seed, "seconds": round(time.perf_counter() - begun, 1), "rows": rows}


def _submit(
    executor: Executor, name: str, chosen: Settings, seeds: tuple[int, ...], device: str, echo: bool
) -> Iterator[Trial]:
    """Yield the trials that succeed as they finish, and then raise the error of the first that failed, if one did."""
    futures = [executor.submit(trial, name, chosen, seed, device, echo) for seed in seeds]
    failed: BaseException | None = None
    try:
        for future in as_completed(futures):
            if (error := future.exception()) is None:
                yield future.result()
            else:
                failed = failed or error
    finally:
        for future in futures:
            future.cancel()
    if failed is not None:
        raise failed


def describe(row: Row) -> str:
    """Return a row of results in one line."""
    return f"{row['method']} · round {row['round']} · P_m {row['density']:.2%} · test error {row['test_error']:.2%}"


def _prune_as_han(chosen: Settings, seed: int, device: str) -> Iterator[Row]:
    """Prune and fine-tune by magnitude, beside two controls: pruned by lot, and dense but trained for as long."""
    dataset = load(chosen.data, device=device)
    criteria: dict[str, tuple[masks.Criterion, masks.Rate]] = {
        "magnitude": (masks.magnitude, chosen.rates()),
        "random": (masks.at_random(seed), chosen.rates()),
        "dense": (masks.magnitude, 0.0),
    }
    first: Round | None = None  # the dense network is the same for all three, so it is trained once
    for method, (criterion, rate) in criteria.items():
        network = models.create(
            chosen.network, shape=dataset.shape, initializer=kaiming_normal, seed=seed, device=device
        )
        for done in prune_iteratively(
            network,
            dataset,
            chosen.recipe,
            rate=rate,
            rounds=chosen.rounds,
            criterion=criterion,
            restart=keep,
            retrain=chosen.retrain,
            seed=seed,
            after=first,
        ):
            first = first or done
            yield _row(method, done)


def _prune_under_penalties(chosen: Settings, seed: int, device: str) -> Iterator[Row]:
    """Train under each penalty, prune to each density in one shot, and judge before and after retraining under it."""
    dataset = load(chosen.data, device=device)
    for penalty, strength in chosen.penalties:
        network = models.create(
            chosen.network, shape=dataset.shape, initializer=kaiming_normal, seed=seed, device=device
        )
        change = {penalty: strength}
        history = train(network, dataset, chosen.recipe.but(**change), seed=seed)
        first = Round(0, masks.dense(network), models.snapshot(network), history)
        yield _row(method := f"{penalty} {strength:g}", first)
        for number, density in enumerate(chosen.densities, 1):
            network.load_state_dict(first.state)
            mask = masks.magnitude(
                {name: p.detach() for name, p in masks.prunable(network).items()},
                first.mask,
                masks.layer_rates(first.mask, 1 - density),
            )
            masks.apply(network, mask)
            before = {part: 1 - evaluate(network, getattr(dataset, part))[1] for part in ("validation", "test")}
            history = train(network, dataset, chosen.retrain.but(**change), mask=mask, seed=seed)
            row = _row(method, Round(number, mask, first.state, history))
            yield row | {f"{part}_error_before": error for part, error in before.items()}


def _row(method: str, done: Round) -> Row:
    history = done.history
    assert history.test_accuracy is not None
    return {
        "method": method,
        "round": done.number,
        "kept": masks.kept(done.mask),
        "density": done.density,
        "layers": {name: masks.density({name: m}) for name, m in done.mask.items()},
        "validation_error": 1 - history.validation_accuracy[-1],
        "test_error": 1 - history.test_accuracy,
        "early_stop": history.early_stop,
    }


# Han et al. 2015, Tables 2 and 3, but for LeNet-5's fc1: the 8 % printed there gives 11.9 times, 7.8 % gives 12.
_LENET_300_100 = {"fc1.weight": 0.08, "fc2.weight": 0.09, "fc3.weight": 0.26}
_LENET_5 = {"conv1.weight": 0.66, "conv2.weight": 0.12, "fc1.weight": 0.078, "fc2.weight": 0.19}


# Epochs of the whole MNIST training split are 859 iterations of 64.
_ADAM = Recipe(batch=64, lr=1.2e-3, schedule="cosine", weight_decay=1e-5)
_MIXED = _ADAM.but(lr=1e-3, precision="bfloat16")
# Han's own: Caffe's LeNet settings, but for a cosine in place of its inverse schedule, and a tenth of the learning rate
# for retraining (Han et al. 2015, Sec. 4)
_SGD = Recipe(
    iterations=10_000, batch=64, optimizer="sgd", lr=0.01, weight_decay=5e-4, schedule="cosine", evaluate_every=1_000
)

_PLAIN = Recipe(batch=64, optimizer="sgd", lr=0.05, schedule="cosine")
_L2 = _PLAIN.but(weight_decay=1e-3)
_L2_MIXED = _L2.but(lr=0.01, warmup=200, precision="bfloat16")  # at 0.02 with no warm-up LeNet-5 diverges


def _pair(recipe: Recipe, retrain_lr: float, iterations: int, retrain: int, evaluations: int) -> tuple[Recipe, Recipe]:
    """Return the recipes of a dense network and of the rounds after it."""
    return (
        recipe.but(iterations=iterations, evaluate_every=max(1, iterations // evaluations)),
        recipe.but(iterations=retrain, evaluate_every=max(1, retrain // evaluations), lr=retrain_lr),
    )


def _data(at: str) -> str:
    """Return the data set of a budget: a small one for smoke, which must be quick and whose numbers mean nothing."""
    return "fashion-mnist-mini" if at == "smoke" else "mnist"


def _han(network: str, shares: dict[str, float], at: dict[str, tuple[tuple[Recipe, Recipe], int, int]]) -> Experiment:
    """Put together Han's experiment on one network; at: budget to (recipes, rounds, seeds)."""
    return Experiment(
        name=f"han-{network}",
        question=f"How many weights can {network} lose, pruned and fine-tuned in rounds, without losing accuracy?",
        lesson="01_pruning_lenet",
        budgets={
            name: Settings(
                network,
                _data(name),
                recipe,
                retrain,
                rounds,
                shares,
                seeds=tuple(range(seeds)),
            )
            for name, ((recipe, retrain), rounds, seeds) in at.items()
        },
        trial=_prune_as_han,
    )


_STRENGTHS = (
    ("weight_decay", 0.0),
    *(("weight_decay", s) for s in (5e-4, 1e-3, 2e-3, 4e-3)),
    *(("l1", s) for s in (5e-5, 1e-4, 2e-4, 4e-4)),
)
_DENSITIES = (0.3, 0.2, 0.1, 0.05, 0.03)


def _penalties(
    name: str, recipes: tuple[Recipe, Recipe], strengths: tuple[tuple[str, float], ...], seeds: int
) -> Settings:
    return Settings("lenet-300-100", _data(name), *recipes, 1, {}, _DENSITIES, strengths, tuple(range(seeds)))


EXPERIMENTS: dict[str, Experiment] = {
    e.name: e
    for e in (
        Experiment(
            name="penalties-lenet-300-100",
            question="Which penalty on the weights leaves a network that can be pruned furthest, L1 or L2?",
            lesson="01_pruning_lenet",
            budgets={
                "smoke": _penalties("smoke", _pair(_PLAIN, 0.01, 20, 5, 1), _STRENGTHS[::4], 1),
                "class": _penalties("class", _pair(_PLAIN, 0.01, 1_000, 250, 1), (_STRENGTHS[0], *_STRENGTHS[3::4]), 2),
                "desk": _penalties("desk", _pair(_PLAIN, 0.01, 8_590, 2_577, 2), _STRENGTHS, 3),
                "paper": _penalties("paper", (_SGD, _SGD.but(lr=0.001)), _STRENGTHS, 5),
            },
            trial=_prune_under_penalties,
        ),
        _han(
            "lenet-300-100",
            _LENET_300_100,
            {
                "smoke": (_pair(_ADAM, 6e-4, 40, 20, 2), 2, 1),
                "class": (_pair(_ADAM, 6e-4, 2_000, 1_500, 5), 5, 1),
                "desk": (_pair(_L2, 0.05, 8_590, 8_590, 5), 5, 4),
                "paper": ((_SGD, _SGD.but(lr=0.001)), 5, 5),
            },
        ),
        _han(
            "lenet-5",
            _LENET_5,
            {
                "smoke": (_pair(_MIXED, 5e-4, 10, 5, 1), 2, 1),
                "class": (_pair(_MIXED, 5e-4, 700, 500, 2), 4, 1),
                "desk": (_pair(_L2_MIXED, 0.01, 5_154, 3_436, 3), 4, 3),
                # the warm-up is ours: without it two of three seeds diverged
                "paper": ((_SGD.but(warmup=200), _SGD.but(lr=0.001)), 5, 5),
            },
        ),
    )
}
