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
