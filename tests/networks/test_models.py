"""The networks of the slides: their exact sizes, their shapes, and how a wrong request is refused."""

import pytest
import torch
from torch import nn

from ltcourse.networks import masks, models
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.networks.models import Residual

VGG = (
    *(1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 589_824),
    *(1_179_648, 2_359_296, 2_359_296, 2_359_296, 2_359_296, 2_359_296),
)
WEIGHTS = {  # name: weights of each layer
    "lenet-300-100": [235_200, 30_000, 1_000],
    "lenet-5": [500, 25_000, 400_000, 5_000],
    "conv-2": [1_728, 36_864, 4_194_304, 65_536, 2_560],
    "conv-4": [1_728, 36_864, 73_728, 147_456, 2_097_152, 65_536, 2_560],
    "conv-6": [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 1_048_576, 65_536, 2_560],
    "conv-8": [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 1_179_648, 2_359_296, 524_288, 65_536, 2_560],
    "resnet-8": [432, 2_304, 2_304, 4_608, 9_216, 512, 18_432, 36_864, 2_048, 640],
    "resnet-20": [
        *(432, 2_304, 2_304, 2_304, 2_304, 2_304, 2_304),
        *(4_608, 9_216, 512, 9_216, 9_216, 9_216, 9_216),
        *(18_432, 36_864, 2_048, 36_864, 36_864, 36_864, 36_864, 640),
    ],
    "alexnet": [34_848, 307_200, 884_736, 663_552, 442_368, 37_748_736, 16_777_216, 4_096_000],
    "alexnet-one-tower": [23_232, 307_200, 663_552, 884_736, 589_824, 37_748_736, 16_777_216, 4_096_000],
    "vgg-16": [*VGG, 102_760_448, 16_777_216, 4_096_000],
    "alexnet-cifar": [7_200, 307_200, 884_736, 663_552, 442_368, 4_194_304, 1_048_576, 10_240],
    "vgg-16-cifar": [*VGG, 262_144, 262_144, 5_120],
}
TOTALS = {
    "lenet-300-100": 266_200,
    "lenet-5": 430_500,
    "conv-2": 4_300_992,
    "conv-4": 2_425_024,
    "conv-6": 2_261_184,
    "conv-8": 5_275_840,
    "resnet-8": 77_360,
    "resnet-20": 270_896,
    "alexnet": 60_954_656,
    "alexnet-one-tower": 61_090_496,
    "vgg-16": 138_344_128,
    "alexnet-cifar": 7_558_176,
    "vgg-16-cifar": 15_239_872,
}
LENETS, CONVS = ("lenet-300-100", "lenet-5"), ("conv-2", "conv-4", "conv-6", "conv-8")
RESNETS = ("resnet-8", "resnet-20")
IMAGENET = ("alexnet", "alexnet-one-tower", "vgg-16")
ANY_SIZE = tuple(name for name in models.NAMES if name not in (*IMAGENET, "vgg-16-cifar"))


def meta(name, **choices):
    return models.create(name, device="meta", **choices)


def test_all_networks_of_the_slides_are_there():
    assert set(models.NAMES) == set(WEIGHTS)


@pytest.mark.parametrize("name", TOTALS)
def test_weight_count_is_the_papers(name):
    network = meta(name)
    assert [p.numel() for p in masks.prunable(network).values()] == WEIGHTS[name]
    assert models.weight_count(network) == TOTALS[name] == sum(WEIGHTS[name])


@pytest.mark.parametrize(
    ("name", "parameters", "biases"),
    [
        ("lenet-300-100", 266_610, 410),
        ("lenet-5", 431_080, 580),
        ("alexnet", 60_965_224, 10_568),
        ("vgg-16", 138_357_544, 13_416),
    ],
)
def test_parameter_count_has_the_biases_on_top(name, parameters, biases):
    network = meta(name)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert sum(p.numel() for p in network.parameters() if p.dim() == 1) == biases


def test_weight_count_leaves_out_norm_layers_and_biases():
    assert models.weight_count(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))) == 108 + 8


@pytest.mark.parametrize("name", ANY_SIZE)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_images_become_logits(name, shape):
    assert meta(name, shape=shape)(torch.empty(5, *shape, device="meta")).shape == (5, 10)


@pytest.mark.parametrize("name", models.NAMES)
def test_default_shape_is_that_of_the_papers_data(name):
    usual = {"alexnet": (3, 227, 227), "alexnet-one-tower": (3, 224, 224), "vgg-16": (3, 224, 224)}
    shape = usual.get(name, (1, 28, 28) if name in LENETS else (3, 32, 32))
    assert models.usual_shape(name) == shape
    classes = 1000 if name in IMAGENET else 10
    assert meta(name)(torch.empty(2, *shape, device="meta")).shape == (2, classes)


@pytest.mark.parametrize("name", ANY_SIZE)
def test_another_shape_and_number_of_classes(name):
    network = models.create(name, shape=(2, 17, 35), classes=7)
    logits = network(torch.randn(3, 2, 17, 35, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (3, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", models.NAMES)
@pytest.mark.parametrize("width", [0.25, 1.5])
def test_a_width_scales_every_hidden_layer_and_neither_the_images_nor_the_classes(name, width):
    usual, scaled = (list(masks.prunable(meta(name, width=w)).values()) for w in (1, width))
    assert scaled[-1].shape[0] == (1000 if name in IMAGENET else 10) and scaled[0].shape[2:] == usual[0].shape[2:]
    assert [w.shape[0] for w in scaled[:-1]] == [round(width * w.shape[0]) for w in usual[:-1]]
    x = torch.empty(2, *models.usual_shape(name), device="meta")
    assert meta(name, width=width)(x).shape == (2, scaled[-1].shape[0])


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_that_is_not_positive_is_refused(width):
    with pytest.raises(ValueError, match=r"^width .* is not positive: 1 is the network of the papers"):
        models.create("lenet-300-100", width=width)


def test_a_network_is_never_thinner_than_one_neuron():
    assert masks.prunable(meta("lenet-300-100", width=1e-6))["fc2.weight"].shape == (1, 1)


def test_lenet_5_is_caffes_with_one_relu():
    layers = [type(layer).__name__ for layer in meta("lenet-5")]
    assert layers == ["Conv2d", "MaxPool2d", "Conv2d", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear"]


@pytest.mark.parametrize("name", CONVS)
def test_conv_nets_have_a_relu_after_all_but_the_last_layer_and_pool_every_two(name):
    layers = [type(layer).__name__ for layer in meta(name)]
    blocks = int(name[-1]) // 2
    block = ["Conv2d", "ReLU", "Conv2d", "MaxPool2d", "ReLU"]
    assert layers == block * blocks + ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]


def test_a_relu_after_the_pooling_is_bit_for_bit_one_before_it():
    x = images(3, 3, 32, 32)
    network = models.create("conv-2", seed=0)
    conv1, relu1, conv2, pool, relu2, *rest = network
    usual = nn.Sequential(conv1, relu1, conv2, relu2, pool, *rest)
    found = []
    for order in (network, usual):
        logits = order(x)
        found.append([logits, *torch.autograd.grad(logits.square().sum(), list(network.parameters()))])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_lenet_300_100_has_a_relu_after_each_hidden_layer():
    assert [type(layer).__name__ for layer in meta("lenet-300-100")] == [
        "Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear",
    ]  # fmt: skip


def images(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", RESNETS)
def test_a_residual_network_has_as_many_layers_as_its_name_says(name):
    network = meta(name)
    convolutions = [p for path, p in masks.prunable(network).items() if "shortcut" not in path and p.dim() == 4]
    assert len(convolutions) + 1 == int(name.removeprefix("resnet-"))
    assert sum("shortcut" in path for path in masks.prunable(network)) == 2, "a projection where the width changes"
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == len(convolutions) + 2
    assert not any(module.bias is not None for module in network.modules() if isinstance(module, nn.Conv2d))


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("side", [28, 32])
def test_a_residual_network_halves_the_image_twice(name, side):
    network, sides = models.create(name, shape=(1, side, side)), []
    for stage, module in network.named_children():
        if stage.startswith("stage"):
            module.register_forward_hook(lambda module, inputs, output: sides.append(tuple(output.shape[1:])))
    assert network(images(2, 1, side, side)).shape == (2, 10)
    assert sorted(set(sides), key=sides.index) == [
        (16, side, side),
        (32, side // 2, side // 2),
        (64, side // 4, side // 4),
    ]


def test_the_shortcut_of_equal_widths_is_the_input_itself():
    block, x = Residual(4, 4), images(2, 4, 6, 6)
    with torch.no_grad():
        block.conv2.weight.zero_()
        assert torch.equal(block(x), x.relu())
        block.conv2.weight.normal_(generator=torch.Generator().manual_seed(0))
        inner = block.norm2(block.conv2(block.norm1(block.conv1(x)).relu()))
        assert torch.equal(block(x), (inner + x).relu())
    assert [name for name, _ in block.shortcut.named_parameters()] == []


def test_the_shortcut_of_another_width_takes_every_second_pixel_along():
    block, x = Residual(4, 8, stride=2), images(2, 4, 6, 6)
    with torch.no_grad():
        block.conv2.weight.zero_()
        projection, norm = block.shortcut
        expected = norm(nn.functional.conv2d(x[:, :, ::2, ::2], projection.weight)).relu()
        assert torch.allclose(block(x), expected, atol=1e-5)
    assert projection.weight.shape == (8, 4, 1, 1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", RESNETS)
def test_channels_last_gives_the_same_outputs(name, training):
    plain, other = (models.create(name, shape=(1, 28, 28)).train(training) for _ in range(2))
    other.to(memory_format=torch.channels_last)
    assert not other.stage2_1.conv1.weight.is_contiguous(), "the layout to be tested is not there"
    x = images(8, 1, 28, 28)
    with torch.no_grad():
        assert (plain(x) - other(x)).abs().max() < 1e-4


@pytest.mark.parametrize("name", RESNETS)
def test_a_fresh_residual_network_has_batch_norms_that_have_seen_nothing(name):
    for path, tensor in models.create(name).state_dict().items():
        if "norm" in path or "shortcut.1" in path:
            assert tensor.eq(path.endswith(("weight", "running_var"))).all(), path


@pytest.mark.parametrize("name", models.NAMES)
def test_on_the_meta_device_there_are_shapes_and_no_weights(name):
    assert all(p.is_meta for p in meta(name).parameters())
    assert all(p.is_meta for p in models.create(name, device=torch.device("meta")).parameters())


@pytest.mark.parametrize("name", [name for name in models.NAMES if name not in IMAGENET])
def test_the_default_initialization_is_gaussian_glorot(name):
    for p in masks.prunable(models.create(name)).values():
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(p)
        assert float(p.std()) == pytest.approx((2 / (fan_in + fan_out)) ** 0.5, rel=0.1)
        assert p.requires_grad


def test_the_initializer_and_the_seed_are_used():
    first, other = models.create("lenet-300-100", seed=3), models.create("lenet-300-100", seed=4)
    kaiming = models.create("lenet-300-100", seed=3, initializer=kaiming_normal)
    assert not torch.equal(first.fc1.weight, other.fc1.weight)
    assert torch.allclose(kaiming.fc1.weight, first.fc1.weight * (1084 / 784) ** 0.5)


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2"])
def test_global_randomness_is_not_touched(name, global_randomness_untouched):
    models.create(name)
    models.create(name, device="meta")


def test_unknown_name_is_refused_with_a_guess_and_the_list():
    with pytest.raises(ValueError, match="did you mean 'lenet-300-100'") as caught:
        models.create("lenet300-100")
    assert all(name in str(caught.value) for name in models.NAMES)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"^unknown network 'zebra': choose one of lenet-300-100, "):
        models.create("zebra")


@pytest.mark.parametrize(
    ("name", "smallest"), [("lenet-5", 16), ("conv-2", 2), ("conv-4", 4), ("conv-6", 8), ("conv-8", 16)]
)
def test_the_smallest_image_is_taken_and_a_smaller_one_refused(name, smallest):
    assert meta(name, shape=(1, smallest, smallest))(torch.empty(1, 1, smallest, smallest, device="meta")).shape
    for shape in ((1, smallest - 1, smallest), (1, smallest, smallest - 1)):
        with pytest.raises(ValueError, match=rf"^{name} needs images of at least {smallest} × {smallest} pixels, not"):
            meta(name, shape=shape)


@pytest.mark.parametrize(("name", "side"), [("alexnet", 60), ("alexnet-one-tower", 40), ("vgg-16", 31)])
def test_an_image_of_which_nothing_would_be_left_is_refused(name, side):
    with pytest.raises(
        ValueError, match=rf"^{name} is for images of about 22\d × 22\d pixels, and {side} × {side} are"
    ):
        meta(name, shape=(3, side, side))


def test_alexnet_has_two_groups_where_hans_has_and_the_other_has_none():
    groups = {name: [m.groups for m in meta(name) if isinstance(m, nn.Conv2d)] for name in IMAGENET[:2]}
    assert groups == {"alexnet": [1, 2, 1, 2, 2], "alexnet-one-tower": [1] * 5}


@pytest.mark.parametrize("name", ["alexnet-cifar", "vgg-16-cifar"])
def test_the_small_ones_have_the_layers_of_the_large_ones(name):
    large = name.removesuffix("-cifar")
    assert list(masks.prunable(meta(name))) == list(masks.prunable(meta(large)))
    norms = [m for m in meta(name) if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len([m for m in meta(name) if isinstance(m, nn.Conv2d)])


def test_a_snapshot_is_a_copy_of_parameters_and_buffers():
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    copied = models.snapshot(network)
    assert copied.keys() == network.state_dict().keys()
    before = {name: tensor.clone() for name, tensor in copied.items()}
    network(torch.ones(4, 3))
    with torch.no_grad():
        network[0].weight.add_(1)
        network[0].bias.fill_(9)
    assert all(torch.equal(copied[name], before[name]) for name in before)
    assert not any(tensor.requires_grad for tensor in copied.values())
