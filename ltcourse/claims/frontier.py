"""The claims of the papers that came after the slides, a table of their own (lesson 09).

As in `catalog`, of which this is the second part: `says` is the paper's claim in our words, `paper` where it stands.
"""

from ltcourse.claims import frontier_measures as after
from ltcourse.claims.frontier_today import TODAY
from ltcourse.claims.measures import not_run
from ltcourse.claims.verdicts import Claim, Scale
from ltcourse.experiments.foresight import SCORED

_LESSON = "09_frontier"
_FORESIGHT, _SPARSE = ("foresight-lenet-300-100",), ("sparse-training-lenet-300-100",)
_SHORT = {"paper": Scale.PAPER, "night": Scale.SHORTER, "desk": Scale.SHORTER}
_SMALL = {"paper": Scale.SMALLER, "night": Scale.SMALLER_SHORTER, "desk": Scale.SMALLER_SHORTER}
_COUNTED = {"": Scale.COUNTED}
_MISSING = "Frankle et al. 2021, abstract"
_AS_FOUND = "the same mask as it was found"

_BEFORE = (
    Claim(
        key="Lee 2019 dense",
        title="SNIP: as accurate as the dense network",
        says="A mask that one batch chooses before training is as good as the dense network.",
        paper="Very sparse networks of virtually the dense network's accuracy, on MNIST, CIFAR-10 and Tiny-ImageNet "
        "(Lee et al. 2019, abstract).",
        rule="at the two checked sizes of LeNet-300-100, SNIP's accuracy minus the dense network's is at least 0.",
        measure=after.beside_dense("SNIP"),
        scales=_SHORT,
        control="the dense network",
        records=_FORESIGHT,
        lesson=_LESSON,
        heading="Before training",
    ),
    Claim(
        key="Wang 2020 flow",
        title="GraSP: better than SNIP where few are left",
        says="Preserving the flow of gradients is better than SNIP where very few weights are left.",
        paper="Significantly better than the baseline, SNIP, at extreme sparsity (Wang et al. 2020, abstract).",
        rule="at the smallest size, GraSP's accuracy minus SNIP's is above 0.",
        measure=after.ahead("GraSP", ("SNIP",)),
        scales=_SMALL,
        control="SNIP",
        records=_FORESIGHT,
        lesson=_LESSON,
        heading="Before training",
    ),
    Claim(
        key="Tanaka 2020 collapse",
        title="SynFlow: no layer vanishes",
        says="Pruned in rounds by synaptic flow no layer vanishes; pruned by other scores some do.",
        paper="Layer collapse can be avoided entirely, and SynFlow is made for it (Tanaka et al. 2020, abstract).",
        rule="at 0.1 % of LeNet-300-100, drawn three times, SynFlow empties no layer of any, and each other score one "
        "layer of one at least.",
        measure=after.emptied,
        scales=_COUNTED,
        lesson=_LESSON,
        heading="Layers that vanish",
    ),
    Claim(
        key="Tanaka 2020 accuracy",
        title="SynFlow: as good as SNIP and GraSP, without data",
        says="Without any data SynFlow competes with the methods that look at some, or is better.",
        paper="It competes with or outperforms the methods before it, up to 99.99 % sparsity (Tanaka et al. 2020, "
        "abstract).",
        rule="at the smallest size, SynFlow's accuracy minus SNIP's and minus GraSP's is at least 0.",
        measure=after.ahead("SynFlow", ("SNIP", "GraSP"), "≥"),
        scales=_SMALL,
        control="SNIP and GraSP",
        records=_FORESIGHT,
        lesson=_LESSON,
        heading="Before training",
    ),
    Claim(
        key="Frankle 2021 after",
        title="pruning after training is better",
        says="All methods that prune before training stay below magnitude pruning after it.",
        paper=f"SNIP, GraSP, SynFlow and magnitude at initialization stay below it ({_MISSING}).",
        rule="at the smallest size, the ticket's accuracy minus that of each method is above 0.",
        measure=after.ahead("ticket", SCORED),
        scales=_SMALL,
        control="each method that prunes before training",
        records=_FORESIGHT,
        lesson=_LESSON,
        heading="Before training",
    ),
    *(
        Claim(
            key=f"Frankle 2021 {check}",
            title=f"before training: {check}, nothing is lost",
            says=f"Masks that were found before training lose nothing when {what}.",
            paper=f"Accuracy is the same or higher ({_MISSING}).",
            rule=f"at the checked sizes, the accuracy of each method {check} minus as found is at least 0.",
            measure=after.checked(check),
            scales=_SMALL,
            control=_AS_FOUND,
            records=_FORESIGHT,
            lesson=_LESSON,
            heading="Who needs the particular weights?",
        )
        for check, what in (
            ("shuffled", "they are shuffled within each layer"),
            ("redrawn", "the weights are drawn anew"),
        )
    ),
    Claim(
        key="Frankle 2021 ticket",
        title="after training: shuffled or redrawn, a mask is worse",
        says="A mask that was found by training loses when it is shuffled within each layer, or the weights are drawn "
        "anew.",
        paper=f"Unlike pruning before training ({_MISSING}).",
        rule="at the checked sizes, the ticket's accuracy shuffled and redrawn minus as found is below 0.",
        measure=after.ticket_shuffled,
        scales=_SMALL,
        control=_AS_FOUND,
        records=_FORESIGHT,
        lesson=_LESSON,
        heading="Who needs the particular weights?",
    ),
    Claim(
        key="Frankle 2021 deep",
        title="the same in a residual network",
        says="In a residual network, too, masks that were found before training lose nothing when shuffled.",
        paper=f"Accuracy is the same or higher ({_MISSING}).",
        rule="at the checked size of ResNet-8, the accuracy of each method shuffled minus as found is at least 0.",
        measure=after.checked("shuffled"),
        scales={"night": Scale.SMALLER_SHORTER, "desk": Scale.SMALLER_SHORTER},
        control=_AS_FOUND,
        records=("foresight-resnet-8",),
        lesson=_LESSON,
        heading="Who needs the particular weights?",
    ),
)

_DURING = (
    Claim(
        key="Zhu 2017 large",
        title="large and sparse beats small and dense",
        says="A large network, pruned gradually, is better than a small dense one of as many weights.",
        paper="Large-sparse models outperform small-dense ones of the same memory (Zhu & Gupta 2017, abstract).",
        rule="the accuracy of a pruned network minus that of a dense one with as many weights.",
        measure=not_run("no small dense network was trained"),
        scales=_SMALL,
        lesson=_LESSON,
        heading="During training",
    ),
    Claim(
        key="Evci 2020 dense-to-sparse",
        title="RigL: as good as pruning during training",
        says="A network that is sparse from the first iteration on is as good as one that is pruned as it trains.",
        paper="No accuracy is lost relative to dense-to-sparse training (Evci et al. 2020, abstract).",
        rule="at each density, RigL's accuracy minus that of gradual pruning, in as many iterations, is at least 0.",
        measure=after.at_one_cost("RigL", ("gradual",), "≥"),
        scales=_SMALL,
        control="gradual magnitude pruning",
        records=_SPARSE,
        lesson=_LESSON,
        heading="During training",
    ),
    Claim(
        key="Evci 2020 static",
        title="RigL: better than a mask that stays",
        says="A mask that moves is better than one that was drawn at random and stays.",
        paper="A mask that moves can leave local minima in which a static one is caught (Evci et al. 2020, abstract).",
        rule="at each density, RigL's accuracy minus that of its first mask, which stays, is above 0.",
        measure=after.at_one_cost("RigL", ("random, ERK",), ">"),
        scales=_SMALL,
        control="the first mask, which stays",
        records=_SPARSE,
        lesson=_LESSON,
        heading="During training",
    ),
    Claim(
        key="Renda 2020 rewinding",
        title="rewinding beats fine-tuning",
        says="After pruning, both ways to rewind are better than fine-tuning at a small rate.",
        paper="Both rewinding techniques outperform fine-tuning (Renda et al. 2020, abstract).",
        rule="at each density, pruned once, the accuracy with rewound rate and with rewound weights minus that of "
        "fine-tuning is above 0.",
        measure=after.rewound_beats_tuned,
        scales=_SMALL,
        control="fine-tuning for as many iterations",
        records=_SPARSE,
        lesson=_LESSON,
        heading="During training",
    ),
)

FRONTIER: tuple[Claim, ...] = (*_BEFORE, *_DURING, *TODAY)
