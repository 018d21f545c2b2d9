"""Tickets: to a file and back bit by bit, damaged ones refused, into other networks, and how alike two are."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, supermasks, tickets
from ltcourse.pruning.tickets import Ticket, TicketError, overlap, transplant
from ltcourse.training import Recipe, train

ORIGIN = {"network": "lenet-300-100", "data": "mnist", "seed": 3, "round": 7, "lr": 0.0012}


def same(first, other):
    return first.keys() == other.keys() and all(
        torch.equal(first[name], other[name]) and first[name].dtype == other[name].dtype for name in first
    )


def ticket_of(name, seed=0, **choices):
    network = models.create(name, seed=seed, **choices)
    mask = criteria.at_random(seed)(snapshot(network), masks.dense(network), 0.7, "layer")
    return Ticket(mask, snapshot(network), 5, ORIGIN | {"network": name})


@pytest.fixture
def small():
    """A ticket so small that its file can be cut at every byte."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
    mask = {name: torch.tensor([[True, False, True], [False, True, True]])[:, : p.shape[1]]
            for name, p in masks.prunable(network).items()}  # fmt: skip
    return Ticket({name: m.contiguous() for name, m in mask.items()}, snapshot(network), 4, ORIGIN)


# Files


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "resnet-8"])
def test_a_round_trip_is_bit_exact(tmp_path, name):
    ticket = ticket_of(name)
    again = tickets.load(tickets.save(ticket, tmp_path / "a.ticket"))
    assert same(ticket.mask, again.mask) and same(ticket.weights, again.weights)
    assert (again.iteration, again.origin) == (5, ORIGIN | {"network": name})


def test_odd_numbers_travel_bit_by_bit(tmp_path, small):
    odd = torch.tensor([[float("nan"), -0.0, 1e-45], [float("inf"), -1.1754944e-38, 0.1]])
    small.weights["0.weight"].copy_(odd)
    again = tickets.load(tickets.save(small, tmp_path / "a.ticket")).weights["0.weight"]
    assert torch.equal(again.view(torch.int32), odd.view(torch.int32))


def test_weights_that_lie_otherwise_in_memory_travel_too(tmp_path):
    ticket = ticket_of("resnet-8")
    turned = {name: w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w
              for name, w in ticket.weights.items()}  # fmt: skip
    again = tickets.load(tickets.save(Ticket(ticket.mask, turned), tmp_path / "a.ticket"))
    assert same(again.weights, ticket.weights)


def test_the_same_ticket_is_the_same_file(tmp_path, small):
    first, second = (tickets.save(small, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"], "nothing else is left"


def test_a_saved_ticket_trains_as_the_one_in_memory(tmp_path, clothes):
    ticket = ticket_of("lenet-300-100")
    ends = []
    for one in (ticket, tickets.load(tickets.save(ticket, tmp_path / "a.ticket"))):
        network = models.create("lenet-300-100", seed=9)
        mask = transplant(one, network)
        train(network, clothes, Recipe(iterations=8, evaluate_every=8), mask=mask, begin=one.iteration)
        ends.append(snapshot(network))
    assert same(*ends)


def one_sentence(problem):
    text = str(problem.value)
    assert "\n" not in text and not text.endswith(".") and ": " in text, text
    return text


def test_a_file_cut_at_any_byte_is_refused(tmp_path, small):
    whole = tickets.save(small, tmp_path / "a.ticket").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "cut.ticket").write_bytes(whole[:size])
        with pytest.raises(TicketError) as problem:
            tickets.load(tmp_path / "cut.ticket")
        assert one_sentence(problem).startswith("cut.ticket is no ticket, or a damaged one: ")
    (tmp_path / "cut.ticket").write_bytes(whole + b"x")
    with pytest.raises(TicketError):
        tickets.load(tmp_path / "cut.ticket")


@pytest.mark.parametrize("number", [0, 2, "1"])
def test_another_version_is_refused(tmp_path, small, monkeypatch, number):
    monkeypatch.setattr(tickets, "FORMAT", number)
    file = tickets.save(small, tmp_path / "a.ticket")
    monkeypatch.undo()
    with pytest.raises(TicketError) as problem:
        tickets.load(file)
    assert one_sentence(problem).startswith(f"a.ticket is a ticket of format {number} and this version reads format 1")


def test_there_is_no_file(tmp_path):
    with pytest.raises(TicketError) as problem:
        tickets.load(tmp_path / "none.ticket")
    assert one_sentence(problem).startswith("there is no ticket ")


HEAD = {"ticket": json.dumps({"format": 1, "iteration": 0, "origin": {}})}
M, W = torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2)


@pytest.mark.parametrize("place", ["", ".", "/", "x\0y", b"x", None, 3], ids=repr)
def test_what_is_no_path_of_a_file_is_neither_read_nor_written(place):
    for action in (tickets.load, lambda file: tickets.save(Ticket({"a": M}, {"a": W}), file)):
        with pytest.raises(TicketError, match=r"is a folder: name a file in it|is no path of a file") as problem:
            action(place)
        assert one_sentence(problem)


@pytest.mark.parametrize("odd", [1, None, [M], M], ids=lambda odd: type(odd).__name__)
def test_a_ticket_of_odd_fields_is_told_and_compared(odd, tmp_path):
    ticket = Ticket(odd, {"a": W})
    with pytest.raises(TicketError, match=r"its mask are no tensors by name|it has no mask"):
        tickets.save(ticket, tmp_path / "ticket")
    right, same = Ticket({"a": M}, {"a": W}), Ticket({"a": M.clone()}, {"a": W.clone()})
    assert ticket != right and hash(right) == hash(same)
    with pytest.raises(ValueError, match="a mask is"):
        tickets.overlap(odd, {"a": M})


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"mask/a": M, "weights/a": W}, None),
        ({"mask/a": M, "weights/a": W}, {"rows": "[]"}),
        ({"mask/a": M, "weights/a": W}, {"ticket": "[1]"}),
        ({"mask/a": M, "weights/a": W}, {"ticket": json.dumps({"format": 1, "iteration": -1, "origin": {}})}),
        *(
            ({"mask/a": M, "weights/a": W}, {"ticket": f'{{"format": 1, "iteration": {number}, "origin": {{}}}}'})
            for number in ("1.5", "1e400", "-1e400", "NaN", '"3"', "null", "true", "[3]", "-3")
        ),
        ({"mask/a": M, "weights/a": W}, {"ticket": json.dumps({"format": 1})}),
        ({"mask/a": M, "weights/b": W}, HEAD),
        ({"mask/a": W, "weights/a": W}, HEAD),
        ({"mask/a": M, "weights/a": W[:1]}, HEAD),
        ({"weights/a": W}, HEAD),
        ({"a": W}, HEAD),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, tensors, told):
    save_file({name: t.clone() for name, t in tensors.items()}, tmp_path / "a.ticket", told)
    with pytest.raises(TicketError) as problem:
        tickets.load(tmp_path / "a.ticket")
    assert one_sentence(problem).startswith("a.ticket is no ticket, or a damaged one")


def test_a_good_file_by_hand_is_read(tmp_path):
    save_file({"mask/a": M, "weights/a": W}, tmp_path / "a.ticket", HEAD)
    assert tickets.load(tmp_path / "a.ticket").mask.keys() == {"a"}
    assert load_file(tmp_path / "a.ticket")["mask/a"].all()


def under_scores():
    network = supermasks.edge_popup(models.create("lenet-300-100"), 0.5)
    return Ticket(supermasks.supermask(network), snapshot(network))


WHAT_LOAD_REFUSES = {
    "scores": (
        under_scores,
        "its mask has 'fc1.weight' and its weights have not, first take the scores off with",
    ),
    "floats": (
        lambda: Ticket({"a": W}, {"a": W}),
        "a mask is boolean, but 'a' is torch.float32, write mask['a'].bool()",
    ),
    "whole": (lambda: Ticket({"a": M.int()}, {"a": W}), "a mask is boolean, but 'a' is torch.int32, write mask['a']"),
    "array": (lambda: Ticket({"a": M.numpy()}, {"a": W}), "its mask are no tensors by name ('a' is a ndarray)"),
    "numbers": (lambda: Ticket({0: M}, {"a": W}), "its mask are no tensors by name (0 is a Tensor)"),
    "no mask": (lambda: Ticket({}, {"a": W}), "it has no mask, make it with masks.dense(network) or a criterion"),
    "no weights": (lambda: Ticket({"a": M}, {}), "it has no weights, make them with models.snapshot(network)"),
    "other name": (lambda: Ticket({"a": M}, {"b": W}), "its mask has 'a' and its weights have not, take both of one"),
    "other shape": (
        lambda: Ticket({"a": M[:1]}, {"a": W}),
        "'a' has shape (1, 2) in its mask and (2, 2) in its weights",
    ),
    "sparse": (lambda: Ticket({"a": M}, {"a": W.to_sparse()}), "'a' of its weights is no plain tensor of numbers"),
    "complex": (lambda: Ticket({"a": M}, {"a": W * 1j}), "'a' of its weights is complex, keep its two parts"),
    "meta": (lambda: Ticket({"a": M}, {"a": W.to("meta")}), "'a' of its weights is no plain tensor of numbers"),
    "negative": (lambda: Ticket({"a": M}, {"a": W}, -1), "iteration is -1, it must be a whole number, at least 0"),
    "half": (lambda: Ticket({"a": M}, {"a": W}, 1.5), "iteration is 1.5, it must be a whole number, at least 0"),
    "truth": (lambda: Ticket({"a": M}, {"a": W}, True), "iteration is True, it must be a whole number, at least 0"),
    "a set": (lambda: Ticket({"a": M}, {"a": W}, 0, {"seeds": {1, 2}}), "is a set, write numbers, text, lists and"),
    "a pair as key": (lambda: Ticket({"a": M}, {"a": W}, 0, {(1, 2): 3}), "keys must be str"),
    "a list": (lambda: Ticket({"a": M}, {"a": W}, 0, ["mnist"]), "its origin is ['mnist'], write a dictionary"),
}


@pytest.mark.parametrize("what", WHAT_LOAD_REFUSES)
def test_what_load_would_refuse_is_not_saved(tmp_path, what):
    make, words = WHAT_LOAD_REFUSES[what]
    with pytest.raises(TicketError) as problem:
        tickets.save(make(), tmp_path / "a.ticket")
    said = one_sentence(problem)
    assert said.startswith("this ticket cannot be saved: ") and words in said
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_other_types_travel(tmp_path, small):
    origin = {"seed": np.int64(3), "lr": np.float32(0.5), "augmented": np.bool_(True), "rounds": (1, 2)}
    given = Ticket(small.mask, small.weights, np.int64(4), origin)
    back = tickets.load(tickets.save(given, tmp_path / "a.ticket"))
    assert back.origin == {"seed": 3, "lr": 0.5, "augmented": True, "rounds": [1, 2]}
    assert back.iteration == 4 and type(back.iteration) is int and back == given


def test_tickets_can_be_compared(tmp_path, small):
    assert tickets.load(tickets.save(small, tmp_path / "a.ticket")) == small and small != "a ticket"
    nan = replace(small, weights=small.weights | {"0.bias": torch.tensor([torch.nan, 0])})
    assert nan == replace(nan) and nan != small
    for change in (
        {"iteration": 5},
        {"origin": {}},
        {"mask": {name: ~m for name, m in small.mask.items()}},
        {"mask": {"0.weight": small.mask["0.weight"]}},
        {"weights": small.weights | {"0.bias": torch.ones(2)}},
        {"weights": small.weights | {"0.bias": torch.ones(3)}},
        {"weights": {name: w.double() for name, w in small.weights.items()}},
    ):
        assert replace(small, **change) != small and small != replace(small, **change)


def test_text_is_refused(tmp_path):
    (tmp_path / "a.ticket").write_text("a ticket\n" * 100)
    with pytest.raises(TicketError):
        tickets.load(tmp_path / "a.ticket")


def test_a_ticket_says_what_it_is(small):
    assert str(small).startswith("ticket of 6 weights, P_m 60.0%, found at: network lenet-300-100, data mnist, seed 3")
    assert "nobody knows where" in str(Ticket(small.mask, small.weights))


# Into a network


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "resnet-8"])
def test_a_ticket_takes_over_a_network_of_its_kind(name):
    ticket = ticket_of(name)
    network = models.create(name, seed=9)
    mask = transplant(ticket, network)
    assert same(mask, ticket.mask)
    expected = {name: w * ticket.mask.get(name, torch.ones(())) for name, w in ticket.weights.items()}
    assert all(torch.equal(w, expected[name]) for name, w in network.state_dict().items())


@pytest.mark.parametrize("classes", [2, 5, 100])
@pytest.mark.parametrize("name", ["lenet-300-100", "resnet-8"])
def test_the_output_layer_is_drawn_anew_for_other_classes(name, classes):
    ticket = ticket_of(name)
    before = snapshot(network := models.create(name, classes=classes, seed=9))
    mask = transplant(ticket, network)
    output = list(mask)[-1]
    assert mask[output].shape[0] == classes and mask[output].all()
    for parameter, w in network.state_dict().items():
        if parameter.startswith(output.removesuffix("weight")):
            assert torch.equal(w, before[parameter])
        else:
            assert torch.equal(w, ticket.weights[parameter] * ticket.mask.get(parameter, torch.ones(())).to(w.dtype))
    masks.check(mask, network)


def test_training_does_not_change_the_ticket(clothes):
    ticket = ticket_of("lenet-300-100")
    mask, weights = ({name: t.clone() for name, t in group.items()} for group in (ticket.mask, ticket.weights))
    network = models.create("lenet-300-100", seed=9)
    own = transplant(ticket, network)
    train(network, clothes, Recipe(iterations=5, evaluate_every=5), mask=own)
    own["fc1.weight"].zero_()
    assert same(ticket.mask, mask) and same(ticket.weights, weights)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (("lenet-5", {}), "the ticket has no 'conv1.bias'"),
        (("conv-2", {"shape": (1, 28, 28)}), "the ticket has no 'conv1.bias'"),
        (("lenet-300-100", {"shape": (3, 32, 32)}), "'fc1.weight' has shape (300, 784) in the ticket and (300, 3072)"),
        (("lenet-300-100", {"width": 0.5}), "'fc1.weight' has shape (300, 784) in the ticket and (150, 784)"),
    ],
)
def test_another_network_is_refused_and_left_alone(network, words):
    name, choices = network
    other = models.create(name, seed=9, **choices)
    before = snapshot(other)
    with pytest.raises(TicketError) as problem:
        transplant(ticket_of("lenet-300-100"), other)
    text = one_sentence(problem)
    assert text.startswith("this ticket is of another network: ") and words in text
    assert same(snapshot(other), before)


def test_an_output_layer_of_other_inputs_is_another_network():
    def network(hidden, classes):
        return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Flatten(), torch.nn.Linear(hidden, classes))

    donor = network(6, 3)
    with pytest.raises(TicketError, match="only the number of classes may differ"):
        transplant(Ticket(masks.dense(donor), snapshot(donor)), network(5, 2))


# Overlap


def test_the_overlap_is_counted_and_set_beside_chance():
    a = {"x": torch.tensor([[1, 1, 0, 0]]).bool(), "y": torch.tensor([[1, 1, 1, 0, 0]]).bool()}
    b = {"x": torch.tensor([[1, 0, 1, 0]]).bool(), "y": torch.tensor([[0, 1, 1, 0, 0]]).bool()}
    found = overlap(a, b)
    assert (found["x"].common, found["x"].expected, found["x"].times) == (1, 1.0, 1.0)
    assert (found["y"].common, found["y"].expected) == (2, pytest.approx(1.2))
    nothing = overlap(a, {name: m & False for name, m in a.items()})["x"]
    assert nothing.common == 0 and nothing.times != nothing.times


def test_chance_is_what_random_masks_reach_on_average():
    whole = masks.dense(models.create("lenet-300-100"))
    first = criteria.at_random(1)({n: m.float() for n, m in whole.items()}, whole, 0.8)
    counts = [overlap(first, masks.shuffle(first, seed))["fc2.weight"] for seed in range(50, 70)]
    expected = counts[0].expected
    assert expected == 6_000 * 6_000 / 30_000
    # the mean of 20 counts, each with a standard deviation of about 28
    assert sum(o.common for o in counts) / 20 == pytest.approx(expected, abs=4 * 28 / 20**0.5)


def test_masks_of_two_networks_have_no_overlap():
    one, other = (masks.dense(models.create(name)) for name in ("lenet-300-100", "lenet-5"))
    for a, b in ((one, other), (one, {name: m[:2] for name, m in one.items()})):
        with pytest.raises(TicketError, match="two different networks"):
            overlap(a, b)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux which files are looked into")
def test_a_ticket_that_was_read_can_be_replaced_on_windows_too(tmp_path, small):
    file = tickets.save(small, tmp_path / "a-ticket-of-its-own.ticket")
    read = tickets.load(file)
    assert read.weights and file.name not in Path("/proc/self/maps").read_text()
