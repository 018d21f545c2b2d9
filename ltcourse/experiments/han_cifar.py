"""Han's pruning of the slides' larger networks, at the size of CIFAR-10: AlexNet 9 times, VGG-16 10 times."""

from collections.abc import Iterator
from dataclasses import dataclass

from ltcourse.data import load
from ltcourse.experiments.han import Retrained, beside_controls
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, row_of
from ltcourse.instruments import sparsity
from ltcourse.networks import models
from ltcourse.training import Recipe
from ltcourse.training.accuracy import top_errors

COUNTED = 200  # test images whose zero activations are counted


@dataclass(frozen=True, kw_only=True)
class Compression(Retrained):
    """The settings of an experiment that prunes all layers together.

    density: share of all weights that is kept in the end, 0 to 1; each layer's own share follows from its weights.
    width: of the hidden layers, as a multiple of the papers'. methods: those of `han.beside_controls`.
    Lesson 02, "VGG-16 and AlexNet, on CIFAR-10".
    """

    density: float
    width: float
    methods: tuple[str, ...] = ("magnitude", "dense", "random")

    @property
    def rate(self) -> float:
        """The rate of each round, which leads to the density in `rounds` rounds.

        Lesson 02, "VGG-16 and AlexNet, on CIFAR-10".
        """
        return 1 - self.density ** (1 / self.rounds)


def _compress(chosen: Compression, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Prune and fine-tune by magnitude, beside two controls; top-1, top-5, and the FLOP that are left."""
    dataset = load(chosen.data, device=device)
    loop = beside_controls(
        chosen, dataset, chosen.rate, seed, journal, width=chosen.width, scope="global", methods=chosen.methods
    )
    network = models.create(chosen.network, shape=dataset.shape, width=chosen.width, seed=seed, device=device)
    for method, done in loop:
        network.load_state_dict(done.state)
        counted = sparsity.layers(network, done.mask, dataset.test.x[:COUNTED])
        yield row_of(method, done) | {
            "test_top5_error": top_errors(network, dataset.test, (5,))[0],
            "speed_up": sparsity.speed_up(counted),
            "speed_up_skipping_zeros": sparsity.speed_up(counted, skip_zeros=True),
        }


def _recipes(lr: float, iterations: int, retrain: int, batch: int = 128) -> tuple[Recipe, Recipe]:
    """Return the recipes of the dense network and of the rounds after it.

    The rounds begin at the dense network's learning rate, unlike Han's: they are few and short, and at a fifth of it
    AlexNet was 5 points behind the dense network on the validation set, in trial runs of seed 0.
    """
    recipe = Recipe(
        iterations=iterations,
        batch=batch,
        optimizer="sgd",
        lr=lr,
        weight_decay=5e-4,
        schedule="cosine",
        warmup=iterations // 8,
        evaluate_every=iterations,
    )
    return recipe, recipe.but(iterations=retrain, warmup=0, evaluate_every=retrain)


def _experiment(
    network: str, title: str, density: float, at: dict[str, tuple[str, float, tuple[Recipe, Recipe], int, int]]
) -> Experiment:
    """Put together one experiment; at: budget to (data, width, recipes, rounds, seeds)."""
    return Experiment(
        name=f"han-{network}",
        question=f"Does {title} on CIFAR-10 lose accuracy when it is pruned to {density:.0%} and fine-tuned in rounds?",
        lesson="02_han_tables",
        budgets={
            name: Compression(
                network=network,
                data=data,
                recipe=recipe,
                retrain=retrain,
                rounds=rounds,
                density=density,
                width=width,
                seeds=tuple(range(seeds)),
            )
            for name, (data, width, (recipe, retrain), rounds, seeds) in at.items()
        },
        trial=_compress,
    )


# An epoch of CIFAR-10's training split is 351 iterations of 128. At the desk budget the networks are thinner than the
# papers', since a CPU could not train them otherwise; at the paper budget they have their full width.
EXPERIMENTS = (
    _experiment(
        "alexnet-cifar",
        "AlexNet",
        1 / 9,
        {
            "smoke": ("cifar-10-mini", 1 / 16, _recipes(0.02, 8, 4), 2, 1),
            "class": ("cifar-10-mini", 1 / 8, _recipes(0.02, 120, 40), 2, 1),
            # a round as long as the training: at half of it, a ninth was 0.46 points behind on the validation set
            "desk": ("cifar-10", 1 / 2, _recipes(0.02, 2_808, 2_808), 3, 2),
            "paper": ("cifar-10", 1.0, _recipes(0.02, 35_100, 7_020), 5, 3),
        },
    ),
    _experiment(
        "vgg-16-cifar",
        "VGG-16",
        0.1,
        {
            "smoke": ("cifar-10-mini", 1 / 16, _recipes(0.05, 8, 4), 2, 1),
            "class": ("cifar-10-mini", 1 / 16, _recipes(0.05, 120, 40), 2, 1),
            "desk": ("cifar-10", 1 / 4, _recipes(0.05, 2_808, 702), 3, 2),
            "paper": ("cifar-10", 1.0, _recipes(0.05, 35_100, 7_020), 5, 3),
        },
    ),
)
