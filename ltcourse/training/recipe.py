"""What a training is asked for, and what it recorded."""

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ltcourse.data.augmentation import AUGMENTATIONS
from ltcourse.names import choose
from ltcourse.quantities import not_negative, whole

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of one training run.

    iterations: steps of the optimizer. batch: examples per step. lr: learning rate. momentum: SGD's. weight_decay: L2
    for "adam" and "sgd" (added to the gradient), decoupled for "adamw"; weights and biases alike. l1: strength of an L1
    penalty on the weights. schedule: "constant" or "cosine" (which reaches 0 just after the last iteration). warmup:
    iterations over which the rate first rises from 0. evaluate_every: iterations between two evaluations on the
    validation set. precision: "float32", or "bfloat16" for mixed-precision products where the device gains from it;
    evaluation is in float32. augment: "crop-flip" moves and mirrors the images at random, None leaves them as they are.
    Raises ValueError, with what to write instead, for settings that no run can have.
    Source of the defaults: Frankle & Carbin 2019, Fig. 2 (LeNet), with fewer iterations.
    Lesson 00, "A first network".
    """

    iterations: int = 1500
    batch: int = 60
    optimizer: str = "adam"
    lr: float = 1.2e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    l1: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    evaluate_every: int = 100
    precision: str = "float32"
    augment: str | None = None

    def __post_init__(self) -> None:
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("schedule", self.schedule, SCHEDULES)
        choose("precision", self.precision, PRECISIONS)
        if self.augment is not None:
            choose("augmentation", self.augment, AUGMENTATIONS)
        for name in ("iterations", "batch", "evaluate_every"):  # as Python's own numbers, which a record can hold
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        for name in ("lr", "momentum", "weight_decay", "l1", "warmup"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))

    def __str__(self) -> str:
        names = {"adam": "Adam", "adamw": "AdamW", "sgd": f"SGD with momentum {self.momentum:g}"}
        parts = [f"{self.iterations:,} iterations of {self.batch:,}", f"{names[self.optimizer]} at {self.lr:g}"]
        parts += [f"{name.replace('_', ' ')} {v:g}" for name in ("weight_decay", "l1") if (v := getattr(self, name))]
        parts += [f"{self.schedule} schedule"] * (self.schedule != "constant")
        parts += [f"warm-up of {self.warmup:,}"] * bool(self.warmup)
        return ", ".join(parts + [str(v) for v in (self.augment,) if v])

    def but(self, **changes: Any) -> "Recipe":
        """Return this recipe with some settings changed: `recipe.but(lr=1e-4)`.

        Raises ValueError for a setting that a recipe does not have.
        Lesson 01, "Fine-tune".
        """
        for name in changes:
            choose("setting", name, [f.name for f in fields(self)])
        return replace(self, **changes)

    def lr_at(self, iteration: int) -> float:
        """Return the learning rate of an iteration, counted from 1.

        Lesson 01, "Fine-tune".
        """
        rise = min(1.0, iteration / self.warmup) if self.warmup else 1.0
        if self.schedule == "constant":
            return self.lr * rise
        return self.lr * rise * (1 + math.cos(math.pi * (iteration - 1) / self.iterations)) / 2


@dataclass
class History:
    """What a training run recorded: one entry an evaluation, and the test set once, at the end.

    iterations: when. train_loss: mean over the examples since the last evaluation. validation_loss, validation_accuracy
    (0 to 1): on the whole validation set. test_loss, test_accuracy: after the last iteration; early_stop_test_accuracy:
    of the weights at the early stop. All three are None in a run that was stopped before its end. Its text, which
    progress lines show, is of the validation set alone: nobody who watches a run can choose by the test set.
    Lesson 00, "A first network".
    """

    iterations: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    test_loss: float | None = None
    test_accuracy: float | None = None
    early_stop_test_accuracy: float | None = None

    @property
    def early_stop(self) -> int:
        """The iteration of the smallest validation loss: where early stopping would have stopped.

        Raises ValueError if nothing was evaluated yet.
        Source: Frankle & Carbin 2019, Sec. 2.
        Lesson 00, "A first network".
        """
        if not self.iterations:
            raise ValueError("this history is empty: train for at least one evaluation first")
        return self.iterations[min(range(len(self.iterations)), key=self.validation_loss.__getitem__)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, for a record in JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if not self.iterations:
            return "nothing evaluated yet"
        return f"iteration {self.iterations[-1]:,} · validation accuracy {self.validation_accuracy[-1]:.2%}"
