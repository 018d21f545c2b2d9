"""Our settings beside the paper's: what of an experiment is as it was there, and what is not."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ltcourse import papers
from ltcourse.display.tables import Table
from ltcourse.experiments import catalog, runs
from ltcourse.names import choose
from ltcourse.papers import Setup

SETTINGS = [field.name for field in fields(Setup) if field.name != "source"]
_DATA = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "cifar-10": "CIFAR-10",
    "cifar-10-mini": "a tenth of CIFAR-10",
    "cifar-10-half": "CIFAR-10 at 16 × 16",
    "cifar-10-half-mini": "a tenth of CIFAR-10 at 16 × 16",
}
_TRAINED_ON = {"cifar-10": 45_000, "cifar-10-half": 45_000, "cifar-10-mini": 4_500, "cifar-10-half-mini": 4_500}


def beside_paper(name: str, at: str) -> Table:
    """Return a table of an experiment's settings, one per row: ours, the paper's, and whether they are the same.

    name, at: the experiment and its budget; where it is recorded, the record's settings and as many seeds as it has.
    Raises ValueError for an experiment that is after no paper's, and what `catalog.settings` and `runs.load` raise.
    Lesson 03, "Recorded, at the paper's settings".
    """
    mine, paper = _both(name, at)
    rows = []
    for setting in SETTINGS:
        ours, theirs = getattr(mine, setting), getattr(paper, setting)
        same = "–" if theirs is None else "yes" if ours == theirs else "no"
        rows.append([setting, ours, theirs or "–", same])
    return Table(["", "ours", f"the paper's ({paper.source})", "the same?"], rows, words=True)


def differences(experiments: Sequence[tuple[str, str]]) -> Table:
    """Return a table of several experiments, one per row: what is as in the paper, and what is ours in place of its.

    experiments: (name, budget). What `papers.SETUPS` does not have of a paper is in neither column.
    Raises as `beside_paper` does.
    Lesson 04, "Where ours is not the paper's".
    """
    rows = []
    for name, at in experiments:
        mine, paper = _both(name, at)
        stated = {setting: theirs for setting in SETTINGS if (theirs := getattr(paper, setting)) is not None}
        same = [setting for setting, theirs in stated.items() if getattr(mine, setting) == theirs]
        other = [f"{s}: {getattr(mine, s)} ({theirs})" for s, theirs in stated.items() if s not in same]
        rows.append([f"{name}, {at}", ", ".join(same) or "–", "; ".join(other) or "–"])
    return Table(["experiment, budget", "as in the paper", "ours (the paper's)"], rows, words=True)


def _both(name: str, at: str) -> tuple[Setup, Setup]:
    """Return our setup and the paper's, in the same words."""
    paper = papers.SETUPS[choose("experiment that is after a paper's", name, papers.SETUPS)]
    if runs.path(name, at).exists():
        record = runs.load(name, at)
        chosen, seeds = record.settings, f"{len(record.trials)}"
    else:
        chosen = catalog.settings(name, at).to_dict()
        seeds = f"{len(chosen['seeds'])}, not recorded yet"
    recipe = chosen["recipe"]
    iterations = f"{recipe['iterations']:,}"
    if (paper.iterations or "").endswith("epochs"):
        epochs = recipe["iterations"] * recipe["batch"] / _TRAINED_ON[chosen["data"]]
        iterations = f"{epochs:.0f} epochs" if epochs >= 10 else f"{epochs:.2g} epochs"
    ours = Setup(
        source="",
        network=_network(chosen),
        data=_DATA.get(chosen["data"], chosen["data"]),
        iterations=iterations,
        batch=f"{recipe['batch']}",
        optimizer=_optimizer(recipe),
        schedule=recipe["schedule"] + (f", warm-up of {recipe['warmup']:,}" if recipe["warmup"] else ""),
        augmentation={None: "none", "crop-flip": "crop and flip"}[recipe.get("augment")],
        precision=recipe["precision"],
        pruned=_pruned(chosen),
        seeds=seeds,
    )
    return ours, paper


def _network(chosen: dict[str, Any]) -> str:
    name = chosen["network"]
    for small, told in {"lenet": "LeNet", "resnet": "ResNet", "conv": "Conv", "vgg": "VGG"}.items():
        name = name.replace(small, told)
    width = chosen.get("width", 1)
    return name if width == 1 else f"{name}, {width:g} of its width"


def _optimizer(recipe: dict[str, Any]) -> str:
    if recipe["optimizer"] == "sgd":
        return f"SGD, {recipe['lr']:g}, momentum {recipe['momentum']:g}"
    return f"{recipe['optimizer'].replace('adam', 'Adam')}, {recipe['lr']:g}"


def _pruned(chosen: dict[str, Any]) -> str:
    """What is pruned, from where, and how much at a time."""
    if "ks" in chosen:
        return "layer by layer, the lowest scores"
    if "rate" not in chosen:
        return "nothing"
    if chosen.get("scope", "global") == "global":
        return f"all layers together, {100 * chosen['rate']:.3g} % per round"
    convolutions = f", convolutions {100 * chosen['conv_rate']:.3g} %" if chosen.get("conv_rate") else ""
    return (
        f"layer by layer, {100 * chosen['rate']:.3g} % per round{convolutions}, "
        f"output layer {100 * chosen['rate'] / 2:.3g} %"
    )
