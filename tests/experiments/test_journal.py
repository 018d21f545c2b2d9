"""The journal of a trial: every bit comes back, a damaged one is refused, and what was noted is not done again."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from ltcourse.data import DataError
from ltcourse.experiments.journal import Journal
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively
from ltcourse.training import History, Recipe

RECIPE = Recipe(iterations=4, batch=8, evaluate_every=2)
# numbers that no binary fraction hits, and those that JSON itself does not know
ROW = {"method": "ticket", "round": 1, "test_error": 0.1 + 0.2, "layers": {"fc1.weight": 1 / 3}, "curve": [1e-300, 2]}
HISTORY = History([2, 4], [1 / 3, float("inf")], [0.1, 0.7], [0.9, 1 / 7], 1 / 9, 0.1 + 0.2, 1.0)


def same(first, other):
    return first.keys() == other.keys() and all(
        torch.equal(first[name], other[name]) and first[name].dtype == other[name].dtype for name in first
    )


def equal_rounds(first, other):
    return (
        first.number == other.number
        and same(first.mask, other.mask)
        and same(first.state, other.state)
        and first.history == other.history
    )


def residual():
    """A network with all that a state can hold: convolutions in another layout, batch norms, a counter that counted."""
    network = models.create("resnet-8", shape=(1, 28, 28)).to(memory_format=torch.channels_last)
    network(torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    return network


def some_round(network, number=3):
    mask = criteria.magnitude(masks.prunable(network), masks.dense(network), 0.3)
    return Round(number, mask, snapshot(network), HISTORY)


def one_sentence(problem):
    text = str(problem)
    assert "\n" not in text and 20 < len(text) < 400, text
    return text


@pytest.fixture
def file(tmp_path):
    return tmp_path / "seed-0.safetensors"


@pytest.fixture
def written(file):
    """The file of a journal of two rounds, which is small."""
    journal = Journal(file=file)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    journal.rounds = {"dense": some_round(network, 0), "one more": some_round(network, 1)}
    journal.note(ROW)
    return file


# There and back


def test_rows_rounds_masks_and_states_come_back_bit_for_bit(file):
    journal, network = Journal.read(file), residual()
    noted = some_round(network)
    journal.rounds["ticket"] = noted
    journal.note(dict(ROW))
    journal.note(ROW | {"round": 2})
    found = Journal.read(file)
    assert found.rows == journal.rows == [ROW, ROW | {"round": 2}]
    assert found.rounds.keys() == {"ticket"} and equal_rounds(found.rounds["ticket"], noted)
    assert found.file == file
    assert {m.dtype for m in found.rounds["ticket"].mask.values()} == {torch.bool}
    assert not noted.state["stage2_1.conv1.weight"].is_contiguous(), "the layout to be tested is not there"
    counters = [tensor for name, tensor in found.rounds["ticket"].state.items() if name.endswith("num_batches_tracked")]
    assert len(counters) == 9 and all(tensor.dtype == torch.int64 and tensor == 1 for tensor in counters)
    network.load_state_dict(found.rounds["ticket"].state)
    assert same(snapshot(network), noted.state)


def test_rounds_that_share_memory_come_back_apart(file):
    journal = Journal(file=file)
    first = some_round(residual())
    half = Round(4, first.mask, {"view": first.state["fc.weight"][:5]}, HISTORY)
    journal.rounds = {"dense": first, "ticket": first, "half": half}
    journal.note(ROW)
    found = Journal.read(file).rounds
    assert list(found) == ["dense", "ticket", "half"]
    for name, noted in journal.rounds.items():
        assert equal_rounds(found[name], noted)
    found["dense"].state["fc.weight"].zero_()
    assert equal_rounds(found["ticket"], first)


def test_a_journal_that_was_read_goes_on(written):
    before, journal = Journal.read(written), Journal.read(written)
    journal.note(ROW | {"round": 2})
    found = Journal.read(written)
    assert found.rows == [ROW, ROW | {"round": 2}]
    assert list(found.rounds) == ["dense", "one more"]
    assert all(equal_rounds(found.rounds[name], before.rounds[name]) for name in before.rounds)
    assert [p.name for p in written.parent.iterdir()] == [written.name], "something was left beside the journal"


def test_what_is_not_there_yet_is_an_empty_journal(file):
    journal = Journal.read(file)
    assert (journal.rows, journal.rounds, journal.file) == ([], {}, file)
    assert not file.exists()


def test_without_a_file_a_journal_stays_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = Journal.read(None)
    journal.rounds["ticket"] = some_round(residual())
    journal.note(ROW)
    assert (journal.rows, journal.file) == ([ROW], None)
    assert list(tmp_path.iterdir()) == []
    assert Journal.read(None).rows == []


def test_a_closed_journal_is_complete_and_keeps_its_rows_only(written):
    journal = Journal.read(written)
    assert journal.rounds and not journal.complete
    journal.close()
    found = Journal.read(written)
    assert (found.rows, found.rounds, found.complete) == ([ROW], {}, True)


def test_lacks_knows_a_row_by_its_method_and_its_round():
    journal = Journal([{"method": "ticket", "round": 1}, {"method": "random", "round": 2}])
    assert not journal.lacks("ticket", 1) and not journal.lacks("random", 2)
    assert journal.lacks("ticket", 2) and journal.lacks("random", 1) and journal.lacks("one shot", 1)


# What cannot be used


def test_a_journal_cut_anywhere_is_refused_and_left_as_it_is(written):
    whole = written.read_bytes()
    Journal.read(written)
    for length in reversed(range(len(whole))):
        os.truncate(written, length)
        with pytest.raises(DataError) as problem:
            Journal.read(written)
        assert written.name in one_sentence(problem.value) and "--restart" in str(problem.value)
        assert written.stat().st_size == length


WEIGHT = {"w": torch.ones(2)}
EMPTY = {"rows": "[]", "rounds": "{}"}


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b'{"rows": [], "rounds": {}}',
        save(WEIGHT),
        save(WEIGHT, {"format": "pt"}),
        save(WEIGHT, EMPTY),
        save({"ticket/mask/w": torch.ones(2)}, EMPTY),
        save({}, {"rows": "[]"}),
        save({}, EMPTY | {"rows": "["}),
        save({}, EMPTY | {"rounds": "[]"}),
        save({}, EMPTY | {"rounds": json.dumps({"ticket": {"number": 1}})}),
        save({}, EMPTY | {"rounds": json.dumps({"ticket": {"number": 1, "history": {"epochs": []}}})}),
    ],
    ids=[
        "zeros", "json", "no metadata", "other metadata", "a weight more", "a round more", "no rounds", "rows cut",
        "rounds of another kind", "no history", "another history",
    ],
)  # fmt: skip
def test_a_file_that_is_no_journal_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(DataError) as problem:
        Journal.read(file)
    assert "is not the journal of a trial: delete it, or add --restart" in one_sentence(problem.value)
    assert file.read_bytes() == content


def test_a_folder_in_the_place_of_a_journal_is_refused(file):
    file.mkdir()
    with pytest.raises(DataError, match="is not the journal of a trial"):
        Journal.read(file)


def test_a_journal_that_cannot_be_written_is_one_sentence_and_the_last_one_stays(written):
    before = written.read_bytes()
    journal = Journal.read(written)
    written.with_name(f".{written.name}.{os.getpid()}.part").mkdir()  # where it is written before it is renamed
    with pytest.raises(DataError) as problem:
        journal.note(ROW | {"round": 2})
    assert str(written) in one_sentence(problem.value) and "make room or give write access" in str(problem.value)
    assert "LTCOURSE_DATA" not in str(problem.value), "that variable does not move the records"
    assert written.read_bytes() == before


# Going on


def loop(data, after=None):
    network = models.create("lenet-300-100")
    return prune_iteratively(network, data, RECIPE, rate=0.4, rounds=3, after=after)


def test_follow_notes_each_round_before_it_is_used(clothes):
    journal = Journal()
    for done in journal.follow("ticket", loop(clothes)):
        assert journal.rounds == {"ticket": done}
    assert done.number == 3


@pytest.mark.parametrize("number", range(4))
def test_follow_begins_with_the_round_that_was_noted_and_does_not_train_it_again(clothes, file, small_trials, number):
    unbroken = list(loop(clothes))
    journal = Journal(file=file)
    journal.rounds = {"ticket": unbroken[number], "fine-tuned": unbroken[0]}
    journal.note(ROW)
    small_trials.clear()
    journal = Journal.read(file)
    again = list(journal.follow("ticket", loop(clothes, journal.rounds["ticket"])))
    assert [done.number for done in again] == list(range(number, 4))
    assert all(map(equal_rounds, again, unbroken[number:]))
    assert len(small_trials) == 3 - number
    assert equal_rounds(journal.rounds["fine-tuned"], unbroken[0]), "another loop's round"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux which files are looked into")
def test_a_journal_that_was_read_can_be_replaced_on_windows_too(file):
    """Windows refuses to replace a file that somebody looks into."""
    written = Journal(file=file)
    written.rounds["ticket"] = some_round(models.create("lenet-300-100"))
    written.note(ROW)
    read = Journal.read(file)
    assert read.rounds["ticket"].state and file.name not in Path("/proc/self/maps").read_text()
