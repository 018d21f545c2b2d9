"""How long to train before one believes a ticket: the lottery ticket against the length of the training (lesson 04)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ltcourse.experiments import lottery
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.lottery import Lottery, find_tickets
from ltcourse.experiments.trials import Experiment, Settings


@dataclass(frozen=True, kw_only=True)
class Lengths(Settings):
    """The settings of searches that differ in the length of every training.

    recipe: of the longest; a shorter one has the whole schedule, and as many evaluations. lengths: iterations,
    ascending. rate: share of all weights that the one pruning removes, 0 to 1. rewind: share of the length to which one
    network is rewound, 0 to 1.
    Lesson 04, "When to believe a ticket".
    """

    lengths: tuple[int, ...]
    rate: float = 0.85
    rewind: float = 0.05

    def search(self, length: int) -> Lottery:
        """Return the settings of the search at one length.

        Lesson 04, "When to believe a ticket".
        """
        every = self.recipe.evaluate_every * length // self.recipe.iterations
        return Lottery(
            network=self.network,
            data=self.data,
            recipe=self.recipe.but(iterations=length, evaluate_every=every),
            rounds=1,
            rate=self.rate,
            scope="global",
            redrawn=(1,),
            rewind=round(self.rewind * length),
        )


def find_tickets_at_each(chosen: Lengths, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """At each length find a ticket, and train beside it its mask rewound and re-initialized.

    The methods are "dense", "ticket", "re-initialized" and "rewound"; their round is the number of the length.
    Lesson 04, "When to believe a ticket".
    """
    for number, length in enumerate(chosen.lengths, 1):
        search = chosen.search(length)
        rows = [row | _SOUGHT[row["method"]] for row in journal.rows if row["round"] == number]
        if len(rows) == search.trainings:
            continue
        if not rows:
            journal.rounds.clear()  # they are of the length before
        for row in find_tickets(search, seed, device, Journal(rows, journal.rounds)):
            method = row["method"] if row["round"] else "dense"
            yield row | {"method": method, "round": number, "length": length}


# As what the search for one ticket knows each method; its dense network is the ticket's round 0.
_SOUGHT: dict[str, Row] = {
    "dense": {"method": "ticket", "round": 0},
    **{method: {"round": 1} for method in ("ticket", "re-initialized", "rewound")},
}


def _lengths(at: str, *lengths: int) -> Lengths:
    """Return the settings of the residual network at night, of other lengths; live on few images."""
    night = lottery.RESNET.budgets["night"]
    recipe = night.recipe.but(iterations=lengths[-1], evaluate_every=lengths[-1] // 20)
    if at == "night":
        return Lengths(network=night.network, data=night.data, recipe=recipe, seeds=night.seeds, lengths=lengths)
    recipe = recipe.but(precision="float32", batch=8 if at == "smoke" else recipe.batch)
    seeds = night.seeds[: 1 if at == "smoke" else 2]
    return Lengths(network=night.network, data="cifar-10-half-mini", recipe=recipe, seeds=seeds, lengths=lengths)


EXPERIMENTS = (
    Experiment(
        name="lottery-length",
        question="How long must a network train before its tickets can be believed?",
        lesson="04_when_tickets_fail",
        budgets={
            "smoke": _lengths("smoke", 20, 40),
            "class": _lengths("class", 500),
            "night": _lengths("night", 500, 1_000, 2_000, 4_000, 8_000, 16_000),
        },
        trial=find_tickets_at_each,
    ),
)
