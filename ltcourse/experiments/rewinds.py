"""How far to rewind: searches for tickets that return to one early iteration or another (lesson 04)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ltcourse.data import load
from ltcourse.experiments import lottery
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of
from ltcourse.networks import models
from ltcourse.pruning import prune_iteratively
from ltcourse.pruning.restarts import to_step


@dataclass(frozen=True, kw_only=True)
class Rewinds(Settings):
    """The settings of searches that differ in the iteration to which they rewind.

    rewinds: these iterations. rounds: how often each search prunes. rate: share of all remaining weights to prune a
    round, 0 to 1. points: of each validation curve that are kept.
    Lesson 04, "Rewind a little less far".
    """

    rewinds: tuple[int, ...]
    rounds: int
    rate: float
    points: int = 50

    @property
    def trainings(self) -> int:
        """How many networks a trial trains, and so how many rows it has.

        Lesson 04, "Rewind a little less far".
        """
        return 1 + len(self.rewinds) * self.rounds


def rewind_to_each(chosen: Rewinds, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Search once for each early iteration, with masks of the search's own; the dense network is trained once for all.

    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Sec. 3.
    Lesson 04, "Rewind a little less far".
    """
    data = load(chosen.data, device=device)
    for iteration in chosen.rewinds:
        method = f"rewound to {iteration:,}"
        loop = prune_iteratively(
            models.create(chosen.network, shape=data.shape, seed=seed, device=device),
            data,
            chosen.recipe,
            rate=chosen.rate,
            rounds=chosen.rounds,
            scope="global",
            restart=to_step(iteration),
            seed=seed,
            after=journal.rounds.get(method) or journal.rounds.get("dense"),
        )
        for done in journal.follow(method, loop):
            journal.rounds.setdefault("dense", done)
            if journal.lacks(method, done.number):
                yield row_of(method, done, points=chosen.points) | {"rewind": iteration}


def _rewinds(at: str, *rewinds: int) -> Rewinds:
    """Return the settings of the residual network's search for tickets, with other iterations to rewind to."""
    alike = vars(lottery.RESNET.budgets[at])
    shared = ("network", "data", "recipe", "seeds", "rounds", "rate")
    return Rewinds(**{setting: alike[setting] for setting in shared}, rewinds=rewinds)


EXPERIMENTS = (
    Experiment(
        name="lottery-resnet-rewinds",
        question="How far may a residual network's weights be rewound?",
        lesson="04_when_tickets_fail",
        budgets={
            "smoke": _rewinds("smoke", 1, 3),
            "class": _rewinds("class", 4, 40),
            "night": _rewinds("night", 100, 200, 1_000, 2_000),
        },
        trial=rewind_to_each,
    ),
)
