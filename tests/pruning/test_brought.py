"""What students bring besides networks that work: what cannot be right is told in one sentence, before any training."""

import dataclasses
import decimal
import re
import threading

import pytest
import torch
import torchvision
import zoo
from torch import nn

from ltcourse.data import Split
from ltcourse.networks import initializers, masks
from ltcourse.networks.initializers import initialize, xavier_normal
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, prune_iteratively, tickets
from ltcourse.pruning import loop as pruning_loop
from ltcourse.pruning.restarts import keep, redraw, to_init
from ltcourse.training import Recipe, evaluate, train

RECIPE = Recipe(iterations=3, batch=8, evaluate_every=3)


@pytest.fixture(scope="module")
def pictures(clothes):
    generator = torch.Generator().manual_seed(1)

    def split(n):
        return Split(torch.randn(n, *zoo.SHAPE, generator=generator), torch.randint(0, 10, (n,), generator=generator))

    return dataclasses.replace(clothes, train=split(24), validation=split(8), test=split(8))


def told(sentence, action):
    with pytest.raises(ValueError, match=sentence) as caught:
        action()
    assert not re.search(r"\n|[.!?] [A-Z]", str(caught.value)), "one sentence"


class Returning(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.inside, self._wrap = zoo.mlp(), wrap

    def forward(self, x):
        return self._wrap(self.inside(x), self.training)


class Masked(nn.Linear):
    """A layer with a mask of its own, kept in one of three ways."""

    def __init__(self, way):
        super().__init__(zoo.PIXELS, 20)
        mask = torch.rand(20, zoo.PIXELS, generator=torch.Generator().manual_seed(0)) > 0.5
        if way == "buffer":
            self.register_buffer("kept", mask.float())
        elif way == "parameter":
            self.kept = nn.Parameter(mask.float(), requires_grad=False)
        else:
            self.kept = mask

    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.kept, self.bias)


class Centered(nn.Linear):
    def forward(self, x):
        with torch.no_grad():
            self.weight.sub_(self.weight.mean(1, keepdim=True))
        return super().forward(x)


class Counting(nn.Module):
    """Counts its batches in a buffer, and moves with them a mean that no `reset_parameters` sets."""

    def __init__(self, persistent):
        super().__init__()
        self.register_buffer("hidden", torch.zeros(()), persistent=persistent)

    def forward(self, x):
        if self.training:
            self.hidden += 1
        return x + 0 * self.hidden


def masked_by_hook():
    network = zoo.mlp()
    kept = torch.arange(20 * zoo.PIXELS).view(20, -1) % 2
    network[1].weight.data.mul_(kept)
    network[1].weight.register_hook(lambda gradient: gradient * kept)
    return network


def with_weight(weight):
    network = zoo.mlp()
    network[1].weight = nn.Parameter(weight)
    return network


FIRST = torch.randn(20, zoo.PIXELS)
NEITHER = {
    "sparse": (lambda: with_weight(FIRST.to_sparse()), r"'1.weight' is a sparse tensor.*to_dense\(\)"),
    "complex": (lambda: with_weight(FIRST * 1j), "'1.weight' is complex.*torch.view_as_real"),
    "a class": (lambda: nn.Linear, "a network is an nn.Module, and this is a type"),
}
UNPRUNABLE = {
    **NEITHER,
    **{
        f"a mask as {way}": (
            lambda way=way: nn.Sequential(nn.Flatten(), Masked(way), nn.Linear(20, 10)),
            "the module of '1.weight' has a mask of its own, 'kept'",
        )
        for way in ("buffer", "parameter", "attribute")
    },
    "a mask as hook": (masked_by_hook, "some of '1.weight' are 0 and a hook changes its gradient"),
    "buffers that are not saved": (
        lambda: nn.Sequential(Counting(False), *zoo.mlp()),
        "'0.hidden' changes in training",
    ),
    "on meta": (lambda: zoo.mlp().to("meta"), "'1.weight' is on the device 'meta'"),
}
UNTRAINABLE = {
    **NEITHER,
    "on meta": UNPRUNABLE["on meta"],
    "a tuple": (lambda: Returning(lambda y, training: (y,)), "returns a tuple where one tensor of logits"),
    "a dict": (lambda: Returning(lambda y, training: {"y": y}), "returns a dict where one tensor of logits"),
    "a tuple in training": (lambda: Returning(lambda y, t: (y, y) if t else y), "returns a tuple.*in training, too"),
    "sparse gradients": (
        lambda: zoo.Over(zoo.words, nn.EmbeddingBag(30, 12, sparse=True, mode="sum"), 12),
        "the embedding 'body' has sparse gradients.*sparse=False",
    ),
}


@pytest.mark.parametrize("name", UNPRUNABLE)
def test_what_cannot_be_pruned_is_told_before_it_is_trained(name, pictures, monkeypatch):
    build, sentence = UNPRUNABLE[name]
    network, lengths = build(), []
    spy = lambda *a, **k: lengths.append(a[2].iterations) or train(*a, **k)  # noqa: E731
    monkeypatch.setattr(pruning_loop, "train", spy)
    told(sentence, lambda: list(prune_iteratively(network, pictures, RECIPE, rounds=1)))
    assert RECIPE.iterations not in lengths


@pytest.mark.parametrize("name", UNTRAINABLE)
def test_what_cannot_be_trained_is_told(name, pictures):
    build, sentence = UNTRAINABLE[name]
    told(sentence, lambda: train(build(), pictures, RECIPE))


@pytest.mark.parametrize("wrap", [lambda y, t: (y,), lambda y, t: y[:, :3], lambda y, t: y[0]], ids=["tuple", "3", "1"])
def test_what_cannot_be_evaluated_is_told(wrap, pictures):
    told("this network returns", lambda: evaluate(Returning(wrap), pictures.test))


def test_labels_and_images_that_do_not_fit_are_told(pictures):
    x, network = pictures.test.x[:3], zoo.mlp()
    told("the label -100 is of no class", lambda: evaluate(network, Split(x, torch.tensor([0, 1, -100]))))
    told("the labels go up to 10: let it return 11", lambda: evaluate(network, Split(x, torch.tensor([0, 1, 10]))))
    bytes_ = Split((x * 9).abs().to(torch.uint8), torch.tensor([0, 1, 2]))
    told(r"cannot take images of uint8 numbers: write images.float\(\) / 255", lambda: evaluate(network, bytes_))
    odd = Split(pictures.test.x.clone().index_fill_(0, torch.tensor(2), float("nan")), pictures.test.y)
    told(
        "1 of the 8 images of data.test hold NaN",
        lambda: train(network, dataclasses.replace(pictures, test=odd), RECIPE),
    )


def test_weights_that_the_network_itself_changes_are_told(pictures):
    network = nn.Sequential(nn.Flatten(), Centered(zoo.PIXELS, 20), nn.ReLU(), nn.Linear(20, 10))
    mask = criteria.at_random(1)({}, masks.dense(network), 0.5, "layer")
    told(
        "weights of '1.weight' that the mask leaves out are not 0", lambda: train(network, pictures, RECIPE, mask=mask)
    )


def test_a_buffer_that_training_moves_returns_to_where_it_began(pictures, monkeypatch):
    for restart, expected in ((to_init, 0), (redraw(3), 0), (keep, 3)):
        network, begun = nn.Sequential(Counting(True), *zoo.mlp()), []
        spy = lambda n, *a, begun=begun, **k: begun.append(float(n[0].hidden)) or train(n, *a, **k)  # noqa: E731
        monkeypatch.setattr(pruning_loop, "train", spy)
        list(prune_iteratively(network, pictures, RECIPE, rounds=1, restart=restart))
        assert begun == [0, expected]


class Remembering(nn.Linear):
    """A layer with an extra state of its own."""

    def __init__(self, state):
        super().__init__(zoo.PIXELS, 20)
        self.state = state

    def get_extra_state(self):
        return self.state

    def set_extra_state(self, state):
        self.state = state


@pytest.mark.parametrize("state", [{"seen": 3}, [1, 2], 3, "three", None, {"seen": torch.ones(1)}], ids=repr)
def test_an_extra_state_that_is_no_tensor_is_told_before_any_training(state, pictures, monkeypatch):
    network, trained = nn.Sequential(nn.Flatten(), Remembering(state), nn.Linear(20, 10)), []
    monkeypatch.setattr(pruning_loop, "train", lambda *given, **options: trained.append(given))
    sentence = f"'1._extra_state' is of type {type(state).__name__}: let get_extra_state return a tensor"
    told(sentence, lambda: snapshot(network))
    told(sentence, lambda: list(prune_iteratively(network, pictures, RECIPE, rounds=1)))
    assert not trained


def test_an_extra_state_that_is_a_tensor_is_kept_bit_by_bit():
    network = nn.Sequential(nn.Flatten(), Remembering(torch.tensor([3.0])), nn.Linear(20, 10))
    before = snapshot(network)
    network[1].state.add_(1)
    assert before["1._extra_state"].tolist() == [3.0]


OUTPUTS = {
    "googlenet": "fc", "inception_v3": "fc", "resnet18": "fc", "resnext50_32x4d": "fc", "shufflenet_v2_x0_5": "fc",
    "densenet121": "classifier", "squeezenet1_1": "classifier.1", "mobilenet_v2": "classifier.1",
    "mobilenet_v3_small": "classifier.3", "vgg11": "classifier.6", "alexnet": "classifier.6",
    "mnasnet0_5": "classifier.1", "efficientnet_b0": "classifier.1",
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_output_layer_is_found_or_the_advice_names_it(name):
    """Auxiliary heads, concatenations and shortcuts: what shapes do not show is asked for, with the right name."""
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        network = getattr(torchvision.models, name)(**options)
    mask = {n: torch.ones(p.shape, dtype=torch.bool) for n, p in masks.prunable(network).items()}
    last = f"{OUTPUTS[name]}.weight"
    try:
        rates = criteria.layer_rates(mask, 0.2)
    except ValueError as problem:
        assert str(problem).endswith(f"name its weight, as in layer_rates(mask, rate, last={last!r})")
        rates = criteria.layer_rates(mask, 0.2, last=last)
    assert {n for n, rate in rates.items() if rate == 0.1} == {last}


def growing():
    """A criterion that returns another random mask each time it is asked."""
    generator = torch.Generator().manual_seed(0)
    return lambda weights, mask, rate, scope: {
        name: torch.rand(m.shape, generator=generator) > 0.5 for name, m in mask.items()
    }


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"criterion": "magnitude"}, "the criterion is 'magnitude': give the function itself"),
        ({"criterion": growing()}, "brings back weights of '1.weight' that were pruned before"),
        ({"restart": "to_init"}, "the restart is 'to_init': give the function itself"),
        ({"restart": lambda network, at, number: at(0)}, "returns a dict: write return state, 0"),
        ({"recipe": {"iterations": 3}}, "the recipe is of type dict"),
        ({"data": "mnist"}, "the data are of type str"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_choice_of_the_loop_is_told(choices, sentence, pictures):
    given = {"data": pictures, "recipe": RECIPE, **choices}
    told(sentence, lambda: list(prune_iteratively(zoo.mlp(), rounds=2, **given)))


@pytest.mark.parametrize(
    ("initializer", "sentence"),
    [
        ("xavier", "the initializer is 'xavier': give a function"),
        (nn.init.xavier_normal_, "xavier_normal_ of torch.nn.init takes no generator in second place"),
        (lambda w: w, "an initializer is a function of a weight and a generator"),
        (lambda w, g: None, "what is of type NoneType for a weight of shape"),
        (lambda w, g: torch.randn(w.shape, generator=torch.Generator().manual_seed(0)), "a generator or a seed of the"),
    ],
)
def test_what_is_no_initializer_is_told(initializer, sentence):
    told(sentence, lambda: initialize(zoo.mlp(), initializer, 0))


def test_an_initializer_that_draws_without_a_generator_draws_from_the_seed(global_randomness_untouched):
    first, again, other = (
        snapshot(initialize(zoo.build("batch norm"), lambda w, g: nn.init.kaiming_normal_(w), seed))
        for seed in (1, 1, 2)
    )
    assert not zoo.differ(first, again) and zoo.differ(first, other)


def test_what_cannot_be_drawn_or_copied_is_told():
    locked = nn.Sequential(zoo.ResettableMatrix(), nn.Linear(20, 10))
    locked.lock = threading.Lock()
    told("cannot be copied", lambda: initialize(locked, xavier_normal, 0))
    told("cannot be copied", lambda: redraw(0)(locked, lambda _: {}, 1))
    told("'1.weight' is on the device 'meta'", lambda: initialize(zoo.mlp().to("meta"), xavier_normal, 0))
    told("has no parameters, so nothing is drawn", lambda: initialize(nn.ReLU(), xavier_normal, 0))


def test_the_padding_stays_0_where_a_dense_layer_shares_its_weight():
    network = nn.Module()
    network.head, network.words = nn.Linear(12, 30, bias=False), nn.Embedding(30, 12, padding_idx=0)
    network.head.weight = network.words.weight
    initialize(network, xavier_normal, 0)
    assert not network.words.weight[0].any() and network.words.weight[1:].all()


def test_a_bias_is_known_by_a_word_of_its_name():
    owner = nn.Module()
    for name in ("unbiased", "debiased", "bias_table", "in_bias", "qBias", "biases"):
        setattr(owner, name, nn.Parameter(torch.randn(4, 4)))
    network = zoo.Over(lambda x: x, owner, 4)
    assert set(masks.prunable(network)) == {"body.unbiased", "body.debiased", "head.weight"}


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        (lambda m: {**m, 3: m["1.weight"]}, "a mask is by name, and one of its names is 3"),
        (lambda m: {"1.weight": torch.ones(0, 3, dtype=torch.bool)}, "this mask is of no weights at all"),
        (lambda m: {name: x.to_sparse() for name, x in m.items()}, "is a sparse tensor"),
        (lambda m: {name: x.t() for name, x in m.items()}, "'1.weight' has shape"),
        (lambda m: {name: x.flatten() for name, x in m.items()}, "'1.weight' has shape"),
        (lambda m: {f"module.{name}": x for name, x in m.items()}, "the names in this mask begin with 'module.'"),
        (lambda m: {name.replace(".", "._orig_mod."): x for name, x in m.items()}, r"part.compile\(\)"),
        (lambda m: {name: x.to("meta") for name, x in m.items()}, "is on the device 'meta'"),
    ],
)
def test_an_odd_mask_is_told_by_whatever_takes_it(odd, sentence):
    network = zoo.mlp()
    mask = odd(masks.dense(network))
    told(sentence, lambda: masks.apply(network, mask))
    told(sentence, lambda: criteria.magnitude(snapshot(network), mask, 0.5))


@pytest.mark.parametrize("odd", [True, float("nan"), 1j, "1", None, [1]], ids=repr)
def test_odd_numbers_are_told(odd):
    told("gain is", lambda: initializers.with_gain(odd))
    told("count is", lambda: masks.keep_largest(torch.ones(3), odd))
    if odd is not None:
        told("rate (is|nan is)", lambda: criteria.layer_rates(masks.dense(zoo.mlp()), odd))


def test_a_decimal_is_a_number():
    half, weights = decimal.Decimal("0.5"), {"a": torch.randn(9, 9)}
    mask = masks.dense(zoo.mlp())
    assert criteria.layer_rates(mask, half) == criteria.layer_rates(mask, 0.5)
    first, other = (criteria.threshold(q)(weights, {"a": torch.ones(9, 9).bool()}) for q in (half, 0.5))
    assert torch.equal(first["a"], other["a"])
    assert torch.equal(
        *(initializers.with_gain(g)(weights["a"], torch.Generator().manual_seed(0)) for g in (half, 0.5))
    )


# --- which layer is the output layer


def shapes(**layers):
    return {f"{name}.weight": torch.ones(shape, dtype=torch.bool) for name, shape in layers.items()}


@pytest.mark.parametrize(
    "mask",
    [
        shapes(body=(20, 768), head=(10, 20), aux=(10, 20)),
        shapes(body=(20, 768), head=(10, 20), project=(64, 20)),
        shapes(body=(32, 3, 3, 3), head=(10, 32), gate=(1, 32)),
    ],
    ids=["two heads", "projection", "gate"],
)
def test_a_network_of_several_ends_does_not_show_its_output_layer(mask):
    told("the shapes do not show which layer", lambda: criteria.layer_rates(mask, 0.2))
    assert criteria.layer_rates(mask, 0.2, last="head.weight")["head.weight"] == 0.1


class Parts(nn.Module):
    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def matrix(*size):
    part = nn.Module()
    part.w = nn.Parameter(torch.randn(size))
    return part


def with_buffer(n):
    network = zoo.mlp()
    network.register_buffer("order", torch.arange(n))
    return network


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (Parts(e=nn.Embedding(30, 12), head=nn.Linear(12, 10)), Parts(e=nn.Embedding(40, 12), head=nn.Linear(12, 10))),
        (
            Parts(c=nn.ConvTranspose2d(3, 8, 3), h=nn.Linear(8, 4)),
            Parts(c=nn.ConvTranspose2d(1, 8, 3), h=nn.Linear(8, 4)),
        ),
        (Parts(m=matrix(20, 10), h=nn.Linear(10, 4)), Parts(m=matrix(22, 10), h=nn.Linear(10, 4))),
        (Parts(p=matrix(16, 8), h=nn.Linear(8, 4)), Parts(p=matrix(64, 8), h=nn.Linear(8, 4))),
        (Parts(p=matrix(1, 16, 8), h=nn.Linear(8, 4)), Parts(p=matrix(1, 64, 8), h=nn.Linear(8, 4))),
        (Parts(s=nn.Linear(12, 3), h=nn.Linear(12, 4)), Parts(s=nn.Linear(12, 5), h=nn.Linear(12, 4))),
        (with_buffer(3), with_buffer(4)),
    ],
    ids=["embedding", "transposed", "matrix", "positions", "positions of one", "side branch", "buffer"],
)
def test_a_ticket_moves_only_where_nothing_but_the_classes_differs(there, here):
    before = snapshot(here)
    ticket = tickets.Ticket(masks.dense(there), snapshot(there))
    told("only the number of classes may differ, in the output layer", lambda: tickets.transplant(ticket, here))
    assert not zoo.differ(before, snapshot(here))
