"""Numbers that the papers report, each with its table: what the lessons set their own measurements beside."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
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
    "lenet-300-100": Row("LeNet-300-100", (0.0164, 0.0159), None, ("267K", "22K"), 12),
    "lenet-5": Row("LeNet-5", (0.0080, 0.0077), None, ("431K", "36K"), 12),
    "alexnet": Row("AlexNet", (0.4278, 0.4277), (0.1973, 0.1967), ("61M", "6.7M"), 9),
    "vgg-16": Row("VGG-16", (0.3150, 0.3134), (0.1132, 0.1088), ("138M", "10.3M"), 13),
}
HAN_SHARES = {  # Han et al. 2015, Tables 2 and 3: share of each layer's weights kept
    "lenet-300-100": {"fc1": 0.08, "fc2": 0.09, "fc3": 0.26},
    "lenet-5": {"conv1": 0.66, "conv2": 0.12, "fc1": 0.08, "fc2": 0.19},
}


@dataclass(frozen=True)
class Finding:
    """One thing that a paper reports in words: what it is about, what it says, and where.

    Lesson 03, "Recorded, at the paper's settings".
    """

    about: str
    reported: str
    source: str


FRANKLE_LENET = {  # Frankle & Carbin 2019, on LeNet-300-100
    "sooner": Finding("early stop of the ticket at 21.1 %, against the dense network", "38 % sooner", "Sec. 2"),
    "better": Finding("test accuracy of the ticket at 13.5 %, against the dense network", "+0.3 points", "Sec. 2"),
    "back": Finding("test accuracy of the ticket at 3.6 %, against the dense network", "the same", "Sec. 2"),
    "slower": Finding("early stop, re-initialized against ticket, at 21.1 %", "2.51×", "Sec. 2"),
    "worse": Finding("test accuracy, re-initialized against ticket, at 21.1 %", "−0.5 points", "Sec. 2"),
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
MORCOS = {  # Morcos et al. 2019, on VGG19 and ResNet50
    "data": Finding("tickets found on other data, against those found on the same data", "often close", "abstract"),
    "optimizer": Finding("tickets found with the other optimizer", "transfer, SGD to Adam and back", "abstract"),
    "size": Finding("tickets found on more data, against those found on less", "transfer better", "abstract"),
}
