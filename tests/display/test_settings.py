"""Our settings beside the papers': each experiment that is after a paper's, at each of its budgets."""

import pytest

from ltcourse import papers
from ltcourse.display import settings
from ltcourse.experiments import catalog, runs

EVERY = [(name, at) for name in papers.SETUPS for at in catalog.get(name).budgets]


@pytest.mark.parametrize(("name", "at"), EVERY)
def test_every_experiment_after_a_papers_can_be_set_beside_it(name, at):
    rows = settings.beside_paper(name, at).rows
    assert [row[0] for row in rows] == settings.SETTINGS
    paper = papers.SETUPS[name]
    for setting, ours, theirs, same in rows:
        assert ours and "None" not in ours
        assert (
            (theirs, same) == ("–", "–")
            if getattr(paper, setting) is None
            else same == ("yes" if ours == theirs else "no")
        )
    ((title, alike, other),) = settings.differences([(name, at)]).rows
    assert title == f"{name}, {at}"
    for setting, _, _, same in rows:
        assert (setting in alike.split(", ")) == (same == "yes")
        assert (f"{setting}: " in other) == (same == "no")


def cells(name, at):
    return {row[0]: row[1:] for row in settings.beside_paper(name, at).rows}


def test_a_paper_budget_is_the_papers_but_for_what_its_experiment_says():
    for name, but in (
        ("lottery-lenet-300-100", set()),
        ("lottery-conv-2", {"precision"}),
        ("lottery-conv-4", {"precision"}),
        ("lottery-conv-6", {"precision"}),
        ("lottery-resnet", {"schedule", "augmentation", "pruned"}),
        ("hidden-conv-2", {"precision"}),
        ("hidden-conv-8", {"precision"}),
    ):
        different = {setting for setting, (_, _, same) in cells(name, "paper").items() if same == "no"}
        assert different - {"seeds"} == but, name


def test_what_differs_at_night_is_told_with_both_values():
    told = cells("lottery-resnet", "night")
    assert told["network"] == ["ResNet-8", "ResNet-20", "no"]
    assert told["iterations"] == ["8,000", "30,000", "no"]
    assert told["optimizer"][2] == told["augmentation"][2] == "yes"
    ((_, _, other),) = settings.differences([("lottery-resnet", "night")]).rows
    assert "iterations: 8,000 (30,000)" in other
    assert cells("lottery-resnet-warm", "night")["schedule"][0] == "cosine, warm-up of 1,600"


def test_of_a_record_the_seeds_that_it_has_are_told_and_of_none_that_there_is_none(monkeypatch, tmp_path):
    recorded = len(runs.load("lottery-conv-2", "paper").trials)
    assert cells("lottery-conv-2", "paper")["seeds"][0] == f"{recorded}"
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    assert cells("lottery-conv-2", "paper")["seeds"][0] == "5, not recorded yet"


def test_epochs_are_told_where_the_paper_counts_them():
    assert cells("hidden-conv-4", "paper")["iterations"] == ["100 epochs", "100 epochs", "yes"]
    assert cells("hidden-conv-4", "desk")["iterations"][0].endswith(" epochs")
    assert cells("hidden-conv-4", "desk")["iterations"][2] == "no"


def test_an_experiment_that_is_after_no_papers_is_refused():
    with pytest.raises(ValueError, match="lottery-resnet"):
        settings.beside_paper("depth", "class")
