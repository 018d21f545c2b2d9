"""Numbers that the papers report, each with its table: what the lessons set their own measurements beside."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class HanRow:
    """A row of Han's Table 1, the slides' table (S3).

    top1, top5: error before and after pruning, as shares; None where the paper gives none. parameters: before and
    after, as printed. compression: how many times fewer.
    Lesson 01, "The slides' two rows".
    """

    network: str
    top1: tuple[float, float]
    top5: tuple[float, float] | None
    parameters: tuple[str, str]
    compression: int


HAN_TABLE_1 = {  # Han et al. 2015, Table 1
    "lenet-300-100": HanRow("LeNet-300-100", (0.0164, 0.0159), None, ("267K", "22K"), 12),
    "lenet-5": HanRow("LeNet-5", (0.0080, 0.0077), None, ("431K", "36K"), 12),
    "alexnet": HanRow("AlexNet", (0.4278, 0.4277), (0.1973, 0.1967), ("61M", "6.7M"), 9),
    "vgg-16": HanRow("VGG-16", (0.3150, 0.3134), (0.1132, 0.1088), ("138M", "10.3M"), 13),
}


@dataclass(frozen=True)
class LayerRow:
    """A layer in Han's Tables 2 to 5, in percent as printed.

    kept: of its weights. active: of its outputs that are not 0. needed: of its multiplications and additions, where
    those with a pruned weight and those with an activation of 0 are left out; None where it is not at hand.
    Lesson 02, "Fewer multiplications".
    """

    kept: int
    active: int
    needed: int | None = None


HAN_LAYERS = {  # Han et al. 2015, Tables 2, 3, 4, 5
    "lenet-300-100": {"fc1": LayerRow(8, 38, 8), "fc2": LayerRow(9, 65, 4), "fc3": LayerRow(26, 100, 17)},
    "lenet-5": {
        "conv1": LayerRow(66, 82, 66),
        "conv2": LayerRow(12, 72, 10),
        "fc1": LayerRow(8, 55, 6),
        "fc2": LayerRow(19, 100, 10),
    },
    "alexnet": {
        "conv1": LayerRow(84, 88, 84),
        "conv2": LayerRow(38, 52, 33),
        "conv3": LayerRow(35, 37, 18),
        "conv4": LayerRow(37, 40, 14),
        "conv5": LayerRow(37, 34, 14),
        "fc1": LayerRow(9, 36, 3),
        "fc2": LayerRow(9, 40, 3),
        "fc3": LayerRow(25, 100, 10),
    },
    "vgg-16": {
        "conv1_1": LayerRow(58, 53),
        "conv1_2": LayerRow(22, 89),
        "conv2_1": LayerRow(34, 80),
        "conv2_2": LayerRow(36, 81),
        "conv3_1": LayerRow(53, 68),
        "conv3_2": LayerRow(24, 70),
        "conv3_3": LayerRow(42, 64),
        "conv4_1": LayerRow(32, 51),
        "conv4_2": LayerRow(27, 45),
        "conv4_3": LayerRow(34, 34),
        "conv5_1": LayerRow(35, 32),
        "conv5_2": LayerRow(29, 29),
        "conv5_3": LayerRow(36, 19),
        "fc6": LayerRow(4, 38),
        "fc7": LayerRow(4, 42),
        "fc8": LayerRow(23, 100),
    },
}
HAN_NEEDED = {"lenet-300-100": 8, "lenet-5": 16, "alexnet": 30, "vgg-16": 21}  # percent of all FLOP, the same tables
HAN_FLOP = {"lenet-300-100": "532K", "lenet-5": "4586K", "alexnet": "1.5B", "vgg-16": "30.9B"}  # the same tables
HAN_SHARES = {  # Han et al. 2015, Tables 2 to 5: share of each layer's weights kept
    network: {layer: row.kept / 100 for layer, row in layers.items()} for network, layers in HAN_LAYERS.items()
}
HAN_PICOJOULE = {  # Han et al. 2015, Fig. 1: one operation on 32 bits
    "addition": 0.9,
    "multiplication": 3.7,
    "read from SRAM": 5,
    "read from DRAM": 640,
}


@dataclass(frozen=True)
class PaperResult:
    """One thing that a paper reports in words: what it is about, what it says, and where.

    Lesson 03, "Recorded, at the paper's settings".
    """

    about: str
    reported: str
    source: str


FRANKLE_LENET = {  # Frankle & Carbin 2019, on LeNet-300-100
    "sooner": PaperResult("early stop of the ticket at 21.1 %, against the dense network", "38 % sooner", "Sec. 2"),
    "better": PaperResult("test accuracy of the ticket at 13.5 %, against the dense network", "+0.3 points", "Sec. 2"),
    "back": PaperResult("test accuracy of the ticket at 3.6 %, against the dense network", "the same", "Sec. 2"),
    "slower": PaperResult("early stop, re-initialized against ticket, at 21.1 %", "2.51×", "Sec. 2"),
    "worse": PaperResult("test accuracy, re-initialized against ticket, at 21.1 %", "−0.5 points", "Sec. 2"),
}


@dataclass(frozen=True)
class Size:
    """How many weights a paper says that a network has: in all, and in its convolutions, as printed.

    Lesson 04, "Convolutions".
    """

    network: str
    weights: str
    convolutions: str


FRANKLE_SIZES = {  # Frankle & Carbin 2019, Fig. 2
    "lenet-300-100": Size("LeNet-300-100", "266K", "–"),
    "conv-2": Size("Conv-2", "4.3M", "38K"),
    "conv-4": Size("Conv-4", "2.4M", "260K"),
    "conv-6": Size("Conv-6", "1.7M", "1.1M"),
    "resnet-20": Size("ResNet, 20 layers", "274K", "270K"),
}
# Frankle & Carbin 2019, Sec. 3: at most so many times sooner at the early stop, at most so much more accurate
FRANKLE_CONV = {
    "conv-2": ("3.5× at 8.8 %", "+3.4 points at 4.6 %"),
    "conv-4": ("3.5× at 9.2 %", "+3.5 points at 11.1 %"),
    "conv-6": ("2.5× at 15.1 %", "+3.3 points at 26.4 %"),
}


@dataclass(frozen=True)
class ImageNetSupermask:
    """Top-1 accuracies on ImageNet of subnetworks of a random network, k = 30 %, by how its weights were drawn.

    Lesson 07, "ImageNet".
    """

    network: str
    kaiming: float
    signed_constant: float


RAMANUJAN_IMAGENET = {  # Ramanujan et al. 2020, Sec. 4; keys as torchvision names the networks
    "resnet50": ImageNetSupermask("ResNet-50", 0.617, 0.686),
    "resnet101": ImageNetSupermask("ResNet-101", 0.6615, 0.723),
    "wide_resnet50_2": ImageNetSupermask("Wide ResNet-50", 0.679, 0.733),
}
MORCOS = {  # Morcos et al. 2019, on VGG19 and ResNet50
    "data": PaperResult("tickets found on other data, against those found on the same data", "often close", "abstract"),
    "optimizer": PaperResult("tickets found with the other optimizer", "transfer, SGD to Adam and back", "abstract"),
    "size": PaperResult("tickets found on more data, against those found on less", "transfer better", "abstract"),
}
ZHOU = {  # Zhou et al. 2019: supermasks, accuracy with no weight trained
    "heuristic": PaperResult("MNIST, mask chosen by a rule from one training", "86 %", "abstract"),
    "learned": PaperResult("MNIST, mask learned", "95.3 %", "Sec. 5"),
    "heuristic, CIFAR-10": PaperResult("CIFAR-10, mask chosen by a rule from one training", "41 %", "abstract"),
    "learned, CIFAR-10": PaperResult("CIFAR-10, mask learned", "65.4 %", "Sec. 5"),
}

SUN_PERPLEXITY = {  # Sun et al. 2024, Table 3: LLaMA-7B on WikiText, dense 5.68, not trained again
    "50 %": {"magnitude": 17.29, "wanda": 7.26, "sparsegpt": 7.22},
    "2:4": {"magnitude": 42.13, "wanda": 11.53, "sparsegpt": 11.00},
}
WORTH = (  # what pruning was good for, as reported
    PaperResult("sparse tensor cores, products of 2:4 matrices", "2× the throughput", "Mishra et al. 2021, abstract"),
    PaperResult("LLaMA-7B with 2:4 weights, one pass", "1.24× as fast", "Sun et al. 2024, Sec. 4.3"),
    PaperResult(
        "a chip for sparse networks (EIE), against a CPU and a GPU", "189× and 13× as fast", "Han et al. 2016, abstract"
    ),
    PaperResult("its energy, against theirs", "24,000× and 3,400× less", "Han et al. 2016, abstract"),
)
# Diffenderfer & Kailkhura 2021: signs of random weights, chosen by a mask that is learned. The abstract's numbers are
# of "+BN", where the parameters of batch norm are trained, as the table of the authors' code says (chrundle/biprop).
UNTRAINED = (
    PaperResult("CIFAR-10, ResNet-18, a fifth of the weights", "94.8 %", "abstract"),
    PaperResult("ImageNet, WideResNet-50, a fifth of the weights", "74.03 %", "abstract"),
)


@dataclass(frozen=True)
class Setup:
    """How an experiment is made, in words: a paper's, or ours as `display.settings` writes them.

    None: the paper's text does not say it, or not so that it can be compared. Where it says nothing of its precision,
    it is the frameworks' own, float32.
    Lesson 04, "A residual network".
    """

    source: str
    network: str | None = None
    data: str | None = None
    iterations: str | None = None
    batch: str | None = None
    optimizer: str | None = None
    schedule: str | None = None
    augmentation: str | None = None
    precision: str = "float32"
    pruned: str | None = None
    seeds: str | None = None


_FC_LENET = Setup(
    source="Frankle & Carbin 2019, Fig. 2",
    network="LeNet-300-100",
    data="MNIST",
    iterations="50,000",
    batch="60",
    optimizer="Adam, 0.0012",
    schedule="constant",
    pruned="layer by layer, 20 % per round, output layer 10 %",
    seeds="5",
)


def _fc_conv(network: str, iterations: str, lr: str, convolutions: str) -> Setup:
    return replace(
        _FC_LENET,
        network=network,
        data="CIFAR-10",
        iterations=iterations,
        optimizer=f"Adam, {lr}",
        pruned=f"layer by layer, 20 % per round, convolutions {convolutions} %, output layer 10 %",
    )


_FC_RESNET = Setup(
    source="Frankle & Carbin 2019, Fig. 2 and Sec. 4",
    network="ResNet-20",
    data="CIFAR-10",
    iterations="30,000",
    batch="128",
    optimizer="SGD, 0.1, momentum 0.9",
    schedule="in steps, to 0.01 and 0.001",
    augmentation="crop and flip",
    pruned="convolutions together, 20 % per round",
)
_REWINDING = Setup(
    source="Frankle et al. 2020, Sec. 3",
    network="ResNet-20",
    data="CIFAR-10",
    iterations="63,000",
)


def _edge_popup(network: str) -> Setup:
    return Setup(
        source="Ramanujan et al. 2020, Sec. 3",
        network=network,
        data="CIFAR-10",
        iterations="100 epochs",
        batch="128",
        optimizer="SGD, 0.1, momentum 0.9",
        schedule="cosine",
        augmentation="crop and flip",
        pruned="layer by layer, the lowest scores",
    )


_MORCOS = Setup(
    source="Morcos et al. 2019, Sec. 3",
    network="VGG19, ResNet50",
    data="six sets, to ImageNet",
    pruned="all layers together, 20 % per round",
)
SETUPS = {  # the experiment of a paper that ours of that name is after
    "lottery-lenet-300-100": _FC_LENET,
    "lottery-conv-2": _fc_conv("Conv-2", "20,000", "0.0002", "10"),
    "lottery-conv-4": _fc_conv("Conv-4", "25,000", "0.0003", "10"),
    "lottery-conv-6": _fc_conv("Conv-6", "30,000", "0.0003", "15"),
    "lottery-resnet": _FC_RESNET,
    "lottery-resnet-warm": replace(
        _FC_RESNET, optimizer="SGD, 0.03, momentum 0.9", schedule="in steps, warm-up of 20,000"
    ),
    "lottery-resnet-low": replace(_FC_RESNET, optimizer="SGD, 0.01, momentum 0.9", schedule="in steps"),
    "lottery-resnet-rewinds": _REWINDING,
    "lottery-length": _FC_RESNET,
    "instability-resnet-8": _REWINDING,
    "instability-tickets": _REWINDING,
    "transfer-resnet": _MORCOS,
    **{f"hidden-conv-{n}": _edge_popup(f"Conv-{n}") for n in (2, 4, 6, 8)},
}
