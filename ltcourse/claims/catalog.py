"""The claims of the slides: what they say, what the papers report, and which numbers decide each of them."""

from ltcourse import papers
from ltcourse.claims import demonstrations, measures
from ltcourse.claims.measures import EARLY, END
from ltcourse.claims.verdicts import Claim, Scale
from ltcourse.display.tables import percent

# What the papers report, in words


def _printed(name: str) -> str:
    """The errors of a network before and after pruning, as Han's Table 1 has them."""
    row = papers.HAN_TABLE_1[name]
    kinds = {"top-1": row.top1, "top-5": row.top5}
    told = ", ".join(f"{kind} {percent(p[0], 2)} → {percent(p[1], 2)}" for kind, p in kinds.items() if p)
    return f"{told}; {' → '.join(row.parameters)}, {row.compression}× (Han et al. 2015, Table 1)"


_TABLE_1 = papers.HAN_TABLE_1.values()
_DROPS = ", ".join(f"{100 * (row.top1[1] - row.top1[0]):+.2f}" for row in _TABLE_1)
_LENET = {key: f"{found.reported} ({found.source})" for key, found in papers.FRANKLE_LENET.items()}
_IMAGENET = ", ".join(
    f"{n.network} {100 * n.kaiming:g} % and {100 * n.signed_constant:g} %" for n in papers.RAMANUJAN_IMAGENET.values()
)
_SOONER = ", ".join(sooner for sooner, _ in papers.FRANKLE_CONV.values())
_RESNET, _WIDE = (papers.RAMANUJAN_IMAGENET[name] for name in ("resnet50", "wide_resnet50_2"))
_MORCOS = {key: f"{f.about}: {f.reported} (Morcos et al. 2019, {f.source})" for key, f in papers.MORCOS.items()}
_FRANKLE, _RAMANUJAN = "Frankle & Carbin 2019", "Ramanujan et al. 2020"

# What decides, in words

_ENDS = "the largest and the smallest recorded size of 1–15 %"
_TOP_1 = "the error after pruning minus the error before is at most 0."
_BOTH_TOPS = "the errors after pruning minus the errors before, top-1 and top-5, are at most 0."
_BEATS_RANDOM = f"at {_ENDS}, its accuracy minus that of a random ticket of the target is above 0."

# At which scale: budgets that can decide, the best first

_HAN = {"paper": Scale.RECIPE, "desk": Scale.RECIPE}
_FULL = {"paper": Scale.PAPER}
_SHORT = {"paper": Scale.PAPER, "desk": Scale.SHORTER}
_DEEP = {"paper": Scale.PAPER, "night": Scale.SMALLER_SHORTER}
_SMALL = {"paper": Scale.SMALLER, "desk": Scale.SMALLER_SHORTER}
_COUNTED = {"": Scale.COUNTED}
_CONVOLUTIONS = ("hidden-conv-2", "hidden-conv-4", "hidden-conv-6", "hidden-conv-8")

CLAIMS = (
    Claim(
        key="S1 neurons",
        title="neurons go, too",
        says="Pruning removes synapses, and with them neurons.",
        paper="Neurons with no inputs or no outputs go as well (Han et al. 2015, Sec. 3.5).",
        rule="the share of neurons without inputs or outputs in trained and pruned networks of several seeds.",
        measure=measures.not_run("no record counts the neurons; lesson 02 counts them in one network, of one seed"),
        scales=_HAN,
        lesson="02_han_tables",
        heading="Neurons with nothing to do",
    ),
    Claim(
        key="S2 fine-tuning",
        title="fine-tuning lowers the error",
        says="What is left has to be fine-tuned.",
        paper="AlexNet: about 2× smaller without retraining, 9× with it (Han et al. 2015, Fig. 5).",
        rule="at each density, LeNet-300-100's error after fine-tuning minus the error before is below 0.",
        measure=measures.fine_tuned,
        scales=_SMALL,
        control="the same network before fine-tuning",
        records=("penalties-lenet-300-100",),
        lesson="01_pruning_lenet",
        heading="L1 against L2",
    ),
    Claim(
        key="S3 parameters",
        title="parameters before pruning",
        says=f"Before pruning: {', '.join(f'{row.network} {row.parameters[0]}' for row in _TABLE_1)} parameters.",
        paper="The same numbers (Han et al. 2015, Table 1).",
        rule="the shapes of a network give the printed number.",
        measure=demonstrations.parameters_counted,
        scales=_COUNTED,
        lesson="02_han_tables",
        heading="The parameter columns",
    ),
    Claim(
        key="S3 compression",
        title="parameters after pruning",
        says=f"After: {', '.join(f'{row.parameters[1]} ({row.compression}×)' for row in _TABLE_1)}.",
        paper="The same (Han et al. 2015, Table 1); 12× for VGG-16 in the caption of Table 5.",
        rule="a printed number lies in the range that the paper's layer tables, in whole percents, allow.",
        measure=demonstrations.compression_counted,
        scales=_COUNTED,
        lesson="02_han_tables",
        heading="The parameter columns",
    ),
    Claim(
        key="S3 LeNet-300-100",
        title="LeNet-300-100 at 12×, no more errors",
        says="LeNet-300-100, 12× smaller, makes no more errors than before.",
        paper=_printed("lenet-300-100"),
        rule=_TOP_1,
        measure=measures.pruned(12),
        scales=_HAN,
        control="the same network before pruning",
        records=("han-lenet-300-100",),
        lesson="01_pruning_lenet",
        heading="The slides' two rows",
    ),
    Claim(
        key="S3 LeNet-5",
        title="LeNet-5 at 12×, no more errors",
        says="LeNet-5, 12× smaller, makes no more errors than before.",
        paper=_printed("lenet-5"),
        rule=_TOP_1,
        measure=measures.pruned(12),
        scales=_HAN,
        control="the same network before pruning",
        records=("han-lenet-5",),
        lesson="01_pruning_lenet",
        heading="The slides' two rows",
    ),
    Claim(
        key="S3 AlexNet",
        title="AlexNet at 9×, no more errors",
        says="AlexNet, 9× smaller, makes no more errors than before, top-1 and top-5.",
        paper=_printed("alexnet"),
        rule=f"on CIFAR-10, at half the width, {_BOTH_TOPS}",
        measure=measures.pruned(9),
        scales=_SMALL,
        control="the same network before pruning",
        records=("han-alexnet-cifar",),
        lesson="02_han_tables",
        heading="VGG-16 and AlexNet, on CIFAR-10",
    ),
    Claim(
        key="S3 VGG-16",
        title="VGG-16 at 13×, no more errors",
        says="VGG-16, 13× smaller, makes no more errors than before, top-1 and top-5.",
        paper=_printed("vgg-16"),
        rule=f"on CIFAR-10, at a quarter of the width, {_BOTH_TOPS}",
        measure=measures.pruned(13),
        scales=_SMALL,
        control="the same network before pruning",
        records=("han-vgg-16-cifar",),
        lesson="02_han_tables",
        heading="VGG-16 and AlexNet, on CIFAR-10",
    ),
    Claim(
        key="S4 quality",
        title="quality does not drop",
        says="Quality does not drop.",
        paper=f"Top-1 error after minus before, in points: {_DROPS} (Han et al. 2015, Table 1).",
        rule="for both LeNets, the error of the pruned network minus that of the dense one, trained for as long, is at "
        "most 0.",
        measure=measures.quality_kept,
        scales=_HAN,
        control="the dense network, trained for as long",
        records=("han-lenet-300-100", "han-lenet-5"),
        lesson="01_pruning_lenet",
        heading="The slides' two rows",
    ),
    Claim(
        key="S4 scratch",
        title="from scratch does as well down to 3.6 %, single weights",
        says="So why not train the pruned network from scratch? (Asked: does it do as well as the dense one?)",
        paper="Retrain the surviving weights, never newly drawn ones (Han et al. 2015, Sec. 3.3).",
        rule=f"at {_ENDS}, the accuracy at the end from newly drawn weights minus the dense network's is at least 0.",
        measure=measures.from_scratch,
        scales=_FULL,
        control="the dense network",
        records=("lottery-lenet-300-100",),
        lesson="03_lottery_ticket",
        heading="Recorded, at the paper's settings",
    ),
    Claim(
        key="S4 filters",
        title="from scratch does as well, whole filters",
        says="The same question of whole filters. (Asked: does training from scratch do as well as fine-tuning?)",
        paper="Fine-tuned comparable to or worse than from scratch (Liu et al. 2019, Sec. 4).",
        rule="at both learning rates, at the largest and the smallest recorded share of 1–50 % of LeNet-5's filters, "
        "the accuracy from newly drawn weights, trained for longer, minus that of fine-tuning is at least 0.",
        measure=measures.filters_from_scratch,
        scales={"desk": Scale.SMALLER_SHORTER},
        control="the fine-tuned network, a quarter of the iterations at a tenth of the rate",
        records=("structured-lenet-5", "structured-lenet-5-low"),
        lesson="03_lottery_ticket",
        heading="Filters instead of weights",
    ),
    Claim(
        key="S6 hypothesis",
        title="a winning ticket exists",
        says="A randomly initialized network contains a subnetwork that, trained for at most as many iterations, is at "
        "least as accurate as the whole.",
        paper=f"LeNet at 21.1 %: {papers.FRANKLE_LENET['sooner'].reported}; at 13.5 %: "
        f"{papers.FRANKLE_LENET['better'].reported} ({_FRANKLE}, Sec. 2).",
        rule="at the largest recorded size of 1–15 %, fixed before, two numbers: the ticket's accuracy minus the dense "
        "network's, at the early stop, is at least 0, and its early stop is at most 1× the dense network's.",
        measure=measures.winning_ticket,
        scales=_SHORT,
        control="the dense network",
        records=("lottery-lenet-300-100",),
        lesson="03_lottery_ticket",
        heading="Is it so?",
    ),
    Claim(
        key="S7 initial-values",
        title="the initial values matter",
        says="The remaining parameters return to their initial values: the same mask does worse with new weights.",
        paper=f"Re-initialized at 21.1 %: early stop {_LENET['slower']}, accuracy {_LENET['worse']} ({_FRANKLE}).",
        rule=f"at {_ENDS}, the ticket's accuracy minus that of its mask with new weights, each at its early stop and "
        "at the end, is above 0.",
        measure=measures.first_values_matter,
        scales=_SHORT,
        control="the same mask, re-initialized",
        records=("lottery-lenet-300-100",),
        lesson="03_lottery_ticket",
        heading="Recorded, at the paper's settings",
    ),
    Claim(
        key="S7 repeat",
        title="rounds beat one shot",
        says="Steps 2 and 3 are repeated, rather than all cut at once.",
        paper=f"In one shot ahead of dense down to 5.17 %, in rounds level with it at 3.6 % ({_FRANKLE}, Sec. 2).",
        rule=f"at {_ENDS}, the accuracy of the ticket found in rounds minus that of one found in one shot is above 0.",
        measure=measures.repeated,
        scales={"desk": Scale.SHORTER},  # the paper budget has no tickets of one shot
        control="a ticket found in one shot",
        records=("lottery-lenet-300-100",),
        lesson="03_lottery_ticket",
        heading="Which way to the ticket?",
    ),
    Claim(
        key="S8 faster",
        title="1–15 % of LeNet trains faster",
        says="The outcome is a network of 1–15 % of the original size, which trains faster.",
        paper=f"LeNet at 21.1 %: {_LENET['sooner']}; Conv-2/4/6, at most: {_SOONER} sooner (Sec. 3; {_FRANKLE}).",
        rule=f"at {_ENDS}, the ticket's early stop is below 1× the dense network's.",
        measure=measures.small_and_faster,
        scales=_SHORT,
        control="the dense network",
        records=("lottery-lenet-300-100",),
        lesson="03_lottery_ticket",
        heading="Recorded, at the paper's settings",
    ),
    Claim(
        key="S8 accuracy",
        title="1–15 % of LeNet is as accurate",
        says="The network of 1–15 % reaches at least the same accuracy.",
        paper=f"LeNet at 13.5 %: {_LENET['better']}; at 3.6 %: {_LENET['back']} ({_FRANKLE}).",
        rule=f"at {_ENDS}, the ticket's accuracy minus the dense network's, at the early stop and at the end, is at "
        "least 0.",
        measure=measures.small_and_accurate(EARLY, END),
        scales=_SHORT,
        control="the dense network",
        records=("lottery-lenet-300-100",),
        lesson="03_lottery_ticket",
        heading="Recorded, at the paper's settings",
    ),
    Claim(
        key="S8 convolutions",
        title="1–15 % of Conv-2 is as accurate",
        says="The same holds in a convolutional network: 1–15 %, at least the same accuracy.",
        paper=f"Conv-2: up to {papers.FRANKLE_CONV['conv-2'][1]} ({_FRANKLE}, Sec. 3).",
        rule=f"at {_ENDS}, the accuracy of Conv-2's ticket minus the dense network's, at the end, is at least 0.",
        measure=measures.small_and_accurate(END),
        scales=_FULL,
        control="the dense network",
        records=("lottery-conv-2",),
        lesson="04_when_tickets_fail",
        heading="Convolutions",
    ),
    Claim(
        key="S8 depth",
        title="1–15 % of a residual network is as accurate",
        says="The same holds in a deep network: 1–15 %, at least the same accuracy.",
        paper=f"None at a rate of 0.1; at 0.03 with a warm-up, 90.5 % at 27.1 % of the weights ({_FRANKLE}, Sec. 4).",
        rule=f"at {_ENDS}, the accuracy of a residual network's ticket, at a rate of 0.1, minus the dense network's, "
        "at the end, is at least 0.",
        measure=measures.small_and_accurate(END),
        scales=_DEEP,
        control="the dense network",
        records=("lottery-resnet",),
        lesson="04_when_tickets_fail",
        heading="Rewind a little less far",
    ),
    Claim(
        key="S8 rewinding",
        title="in a residual network rewinding finds tickets",
        says="In a deep network the weights return to an early iteration, not to the first. (Not on the slides.)",
        paper="Rewinding to an early iteration finds tickets where resetting fails (Frankle et al. 2019, 2020).",
        rule=f"at {_ENDS}, at the end, the accuracy of the rewound network minus that of the ticket reset to iteration "
        "0 is above 0, and minus the dense network's it is at least 0.",
        measure=measures.rewound,
        scales=_DEEP,
        control="the same search, reset to iteration 0, and the dense network",
        records=("lottery-resnet",),
        lesson="04_when_tickets_fail",
        heading="Rewind a little less far",
    ),
    Claim(
        key="S10 search",
        title="a random τ′ is as good as a trained τ",
        says="A larger random network N contains a subnetwork τ′ that, untrained, does as well as a trained τ.",
        paper=f"30 % of a random Wide ResNet-50: {100 * _WIDE.signed_constant:g} %, "
        f"as a trained ResNet-34 ({_RAMANUJAN}, Sec. 4).",
        rule="LeNet-300-100, τ the narrowest recorded, N the widest: the accuracy of τ′ minus that of τ is at least 0.",
        measure=measures.as_good_as_a_smaller,
        scales=_SMALL,
        control="a trained network of a sixteenth of the width",
        records=("hidden-lenet-300-100",),
        lesson="07_supermasks",
        heading="How wide?",
    ),
    Claim(
        key="S10 existence",
        title="a wide enough N holds a τ′",
        says="There is such a τ′ in a large enough N.",
        paper="Proved, for N wide enough (Malach et al. 2020; Pensia et al. 2020).",
        rule="for one trained layer, the accuracy of a mask of random weights, built by subset sums, minus that of the "
        "layer is at least 0.",
        measure=demonstrations.contained,
        scales={"": Scale.SMALLER},
        control="the trained layer",
        lesson="07_supermasks",
        heading="Why should there be one?",
    ),
    Claim(
        key="S13 share",
        title="the best k is in between",
        says="Accuracy of supermasks against the share of weights kept: best in between.",
        paper=f"Curves; the best k is about 30 to 70 % by eye ({_RAMANUJAN}).",
        rule="the accuracy at the best k, chosen on the validation set, minus those at the smallest k and at 100 %, is "
        "above 0.",
        measure=measures.best_share,
        scales={"night": Scale.SMALLER_SHORTER},
        control="the smallest k, and the whole random network",
        records=_CONVOLUTIONS[:1],
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S13 trained",
        title="supermasks are as accurate as training",
        says="Supermasks stand beside trained networks. (Asked: are they as accurate?)",
        paper=f"Curves without numbers; by eye, about 77.5, 86, 88, 88.5 % ({_RAMANUJAN}, Fig. 3).",
        rule="the accuracy of the best supermask minus that of the trained network is at least 0.",
        measure=measures.beside_trained,
        scales=_DEEP,
        control="the trained network",
        records=_CONVOLUTIONS,
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S13 depth",
        title="deeper supermasks are better",
        says="Deeper random networks (Conv-2/4/6/8) have better supermasks.",
        paper=f"By eye, about 77.5, 86, 88, 88.5 % ({_RAMANUJAN}, Fig. 3).",
        rule="the accuracy of the best supermask of the deeper network minus that of the shallower is above 0.",
        measure=measures.deeper_is_better,
        scales=_DEEP,
        control="the shallower network",
        records=_CONVOLUTIONS,
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S14 width",
        title="wider supermasks are better",
        says="Wider random networks have better supermasks.",
        paper=f"At enough width the supermask meets the trained network ({_RAMANUJAN}, Sec. 4).",
        rule="LeNet-300-100, from each width to the next, its double: the accuracy gained is above 0.",
        measure=measures.wider_is_better,
        scales=_SMALL,
        control="a narrower random network",
        records=("hidden-lenet-300-100",),
        lesson="07_supermasks",
        heading="How wide?",
    ),
    Claim(
        key="S14 Kaiming",
        title="Kaiming beats Xavier",
        says="The initialization matters: Kaiming before Xavier.",
        paper=f"Compared in curves, without numbers ({_RAMANUJAN}, Sec. 4).",
        rule="at each k, the accuracy of LeNet-300-100's supermask from Kaiming's weights minus that from Xavier's is "
        "above 0.",
        measure=measures.better_from("kaiming", "xavier"),
        scales=_SMALL,
        control="weights drawn by Xavier's formula",
        records=("hidden-lenet-300-100",),
        lesson="07_supermasks",
        heading="Which random weights?",
    ),
    Claim(
        key="S14 constant",
        title="the signed constant beats Kaiming",
        says="The signed constant before Kaiming.",
        paper=f"ResNet-50 on ImageNet, k = 30 %: {100 * _RESNET.signed_constant:g} %, from Kaiming "
        f"{100 * _RESNET.kaiming:g} % ({_RAMANUJAN}, Sec. 4).",
        rule="at each k, the accuracy of LeNet-300-100's supermask from the signed constant minus that from Kaiming's "
        "weights is above 0.",
        measure=measures.better_from("signed constant", "kaiming"),
        scales=_SMALL,
        control="weights drawn by Kaiming's formula",
        records=("hidden-lenet-300-100",),
        lesson="07_supermasks",
        heading="Which random weights?",
    ),
    Claim(
        key="S14 ImageNet",
        title="it works on ImageNet",
        says="It works in networks for ImageNet.",
        paper=f"Kaiming and signed constant, k = 30 %: {_IMAGENET} ({_RAMANUJAN}, Sec. 4).",
        rule="none: it takes ImageNet, and days on graphics cards.",
        measure=measures.not_run("`ltcourse record hidden-resnet50 --data PATH --budget paper` would run it"),
        scales=_FULL,
        lesson="07_supermasks",
        heading="ImageNet",
    ),
    Claim(
        key="source 2 data",
        title="tickets travel between digits and clothes",
        says="A ticket found on one data set is good for another: digits and clothes.",
        paper=_MORCOS["data"],
        rule=_BEATS_RANDOM,
        measure=measures.transferred,
        scales=_SMALL,
        control="a random ticket of its size",
        records=("transfer-lenet-300-100",),
        lesson="05_one_ticket_to_win_them_all",
        heading="Beside the paper",
    ),
    Claim(
        key="source 2 photographs",
        title="tickets travel between photographs",
        says="A ticket of a residual network is good for other photographs, and for clothes.",
        paper=_MORCOS["data"],
        rule=_BEATS_RANDOM,
        measure=measures.transferred,
        scales=_FULL,
        control="a random ticket of its size",
        records=("transfer-resnet",),
        lesson="05_one_ticket_to_win_them_all",
        heading="Beside the paper",
    ),
    Claim(
        key="source 2 optimizer",
        title="tickets travel between optimizers",
        says="A ticket found with one optimizer is good for another.",
        paper=_MORCOS["optimizer"],
        rule=_BEATS_RANDOM,
        measure=measures.transferred,
        scales=_SMALL,
        control="a random ticket of its size",
        records=("transfer-optimizers",),
        lesson="05_one_ticket_to_win_them_all",
        heading="Beside the paper",
    ),
    Claim(
        key="source 2 size",
        title="tickets of more data transfer better",
        says="Tickets found on more data transfer better.",
        paper=_MORCOS["size"],
        rule=f"at another set, at {_ENDS}, the accuracy of the ticket of all of MNIST, and of that of 50 %, minus "
        "that of 10 % is above 0.",
        measure=measures.larger_is_better,
        scales=_SMALL,
        control="a ticket found on a tenth of the images",
        records=("transfer-sizes",),
        lesson="05_one_ticket_to_win_them_all",
        heading="Does a larger source help?",
    ),
)
