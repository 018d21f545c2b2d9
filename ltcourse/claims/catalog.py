"""The claims of the slides: what they say, what the papers report, and what decides each of them."""

from collections.abc import Sequence

from ltcourse import papers
from ltcourse.claims import demonstrations, measures
from ltcourse.claims.verdicts import Claim, ClaimRow, ClaimsTable, Measurement
from ltcourse.display.tables import percent
from ltcourse.experiments import runs
from ltcourse.names import choose


def examine(key: str) -> ClaimRow:
    """Return one claim with its evidence: "S8 faster".

    Raises ValueError for an unknown key.
    Lesson 08, "The claims table".
    """
    known = {claim.key: claim for claim in CLAIMS}
    return _measured(known[choose("claim", key, known)])


def table(*slides: str) -> ClaimsTable:
    """Return the table of all claims, or of those of some slides: table("S8").

    Raises ValueError for a slide of which there are no claims.
    Lesson 08, "The claims table".
    """
    known = list(dict.fromkeys(claim.slide for claim in CLAIMS))
    wanted = {choose("slide", slide, known) for slide in slides or known}
    return ClaimsTable(tuple(_measured(claim) for claim in CLAIMS if claim.slide in wanted))


def _measured(claim: Claim) -> ClaimRow:
    budgets = {name: _budget(name, claim.budgets) for name in claim.records}
    missing = tuple(name for name, at in budgets.items() if at is None)
    if missing:
        how = " and ".join(f"`ltcourse record {name} --budget {claim.budgets[-1]}`" for name in missing)
        return ClaimRow(claim, Measurement(how), missing=missing)
    records = tuple(runs.load(name, at) for name, at in budgets.items() if at)
    return ClaimRow(claim, claim.measure(*records), records)


def _budget(name: str, budgets: Sequence[str]) -> str | None:
    """The best budget at which an experiment is recorded."""
    return next((at for at in budgets if runs.path(name, at).exists()), None)


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
_NO_WORSE = "is at most one standard error of 10,000 test images above"
_TRAVEL = "the ticket keeps at least half of the lead over a random one that the ticket found there has"
_CONVOLUTIONS = ("hidden-conv-2", "hidden-conv-4")

CLAIMS = (
    Claim(
        key="S1 neurons",
        says="Pruning removes synapses, and with them neurons.",
        paper="Neurons with no inputs or no outputs go as well (Han et al. 2015, Sec. 3.5).",
        case="in one layer neurons lose all synapses; without them the outputs are the same.",
        measure=demonstrations.neurons_removed,
        lesson="02_han_tables",
        heading="Neurons with nothing to do",
    ),
    Claim(
        key="S2 loop",
        says="Train, remove what is superfluous, fine-tune what is left, repeat.",
        paper="A definition: the method (Han et al. 2015, Sec. 3).",
        case="a step does what it says, in a small run.",
        measure=demonstrations.pruning_loop,
        lesson="01_pruning_lenet",
        heading="Repeat",
    ),
    Claim(
        key="S2 fine-tuning",
        says="What is left has to be fine-tuned.",
        paper="AlexNet: about 2× smaller without retraining, 9× with it (Han et al. 2015, Fig. 5).",
        case="at one seed and density, fine-tuning lowers the test error.",
        measure=measures.fine_tuned,
        records=("penalties-lenet-300-100",),
        lesson="01_pruning_lenet",
        heading="L1 against L2",
    ),
    Claim(
        key="S3 parameters",
        says=f"Before pruning: {', '.join(f'{row.network} {row.parameters[0]}' for row in _TABLE_1)} parameters.",
        paper="The same numbers (Han et al. 2015, Table 1).",
        case="the shapes of a network give the printed number.",
        measure=demonstrations.parameters_counted,
        lesson="02_han_tables",
        heading="The parameter columns",
    ),
    Claim(
        key="S3 compression",
        says=f"After: {', '.join(f'{row.parameters[1]} ({row.compression}×)' for row in _TABLE_1)}.",
        paper="The same (Han et al. 2015, Table 1); 12× for VGG-16 in the caption of Table 5.",
        case="a printed number fits the layer tables, which have whole percents.",
        measure=demonstrations.compression_counted,
        lesson="02_han_tables",
        heading="The parameter columns",
    ),
    Claim(
        key="S3 LeNet-300-100",
        says="LeNet-300-100, 12× smaller, errs no more than before.",
        paper=_printed("lenet-300-100"),
        case=f"at one seed the error after {_NO_WORSE} that before.",
        measure=measures.pruned(12),
        records=("han-lenet-300-100",),
        lesson="01_pruning_lenet",
        heading="The slides' two rows",
    ),
    Claim(
        key="S3 LeNet-5",
        says="LeNet-5, 12× smaller, errs no more than before.",
        paper=_printed("lenet-5"),
        case=f"at one seed the error after {_NO_WORSE} that before.",
        measure=measures.pruned(12),
        records=("han-lenet-5",),
        lesson="01_pruning_lenet",
        heading="The slides' two rows",
    ),
    Claim(
        key="S3 AlexNet",
        says="AlexNet, 9× smaller, errs no more than before, top-1 and top-5.",
        paper=_printed("alexnet"),
        case=f"at one seed an error after {_NO_WORSE} that before.",
        measure=measures.pruned(9),
        records=("han-alexnet-cifar",),
        smaller="CIFAR-10, not ImageNet",
        lesson="02_han_tables",
        heading="VGG-16 and AlexNet, on CIFAR-10",
    ),
    Claim(
        key="S3 VGG-16",
        says="VGG-16, 13× smaller, errs no more than before, top-1 and top-5.",
        paper=_printed("vgg-16"),
        case=f"at one seed an error after {_NO_WORSE} that before.",
        measure=measures.pruned(13),
        records=("han-vgg-16-cifar",),
        smaller="CIFAR-10, not ImageNet",
        lesson="02_han_tables",
        heading="VGG-16 and AlexNet, on CIFAR-10",
    ),
    Claim(
        key="S4 quality",
        says="Quality does not drop.",
        paper=f"Top-1 error after minus before, in points: {_DROPS} (Han et al. 2015, Table 1).",
        case=f"at one seed the pruned network's error {_NO_WORSE} that of the dense one, trained for as long.",
        measure=measures.quality_kept,
        records=("han-lenet-300-100", "han-lenet-5"),
        lesson="01_pruning_lenet",
        heading="The slides' two rows",
    ),
    Claim(
        key="S4 scratch",
        says="So why not train the pruned network from scratch? (Tested: from new weights it does as well.)",
        paper="Retrain the surviving weights, never newly drawn ones (Han et al. 2015, Sec. 3.3).",
        case=f"at one seed and size, the error from new weights {_NO_WORSE} the dense network's.",
        measure=measures.from_scratch,
        records=("lottery-lenet-300-100",),
        budgets=("desk",),  # the paper budget trains no networks from scratch
        short=True,
        lesson="03_lottery_ticket",
        heading="Why not train the small network?",
    ),
    Claim(
        key="S6 hypothesis",
        says="A randomly initialized network contains a subnetwork that, trained for at most as many iterations, is at "
        "least as accurate as the whole.",
        paper=f"LeNet at 21.1 %: {papers.FRANKLE_LENET['sooner'].reported}; at 13.5 %: "
        f"{papers.FRANKLE_LENET['better'].reported} ({_FRANKLE}, Sec. 2).",
        case="at one seed a ticket's early stop is no later and its accuracy there no lower, both at once.",
        measure=measures.winning_tickets,
        records=("lottery-lenet-300-100",),
        short=True,
        lesson="03_lottery_ticket",
        heading="Is it so?",
    ),
    Claim(
        key="S7 algorithm",
        says="Draw, train, cut, return what remains to its initial values, repeat.",
        paper=f"A definition: iterative magnitude pruning ({_FRANKLE}, Sec. 1, App. B).",
        case="a step does what it says, in a small run.",
        measure=demonstrations.ticket_loop,
        lesson="03_lottery_ticket",
        heading="The algorithm by hand",
    ),
    Claim(
        key="S7 initial-values",
        says="The remaining parameters return to their initial values: not the mask alone wins.",
        paper=f"Re-initialized at 21.1 %: early stop {_LENET['slower']}, accuracy {_LENET['worse']} ({_FRANKLE}).",
        case="at one seed and size, the ticket is more accurate than its mask with new weights.",
        measure=measures.first_values_matter,
        records=("lottery-lenet-300-100",),
        short=True,
        lesson="03_lottery_ticket",
        heading="Recorded, at the paper's settings",
    ),
    Claim(
        key="S7 repeat",
        says="Steps 2 and 3 are repeated, rather than all cut at once.",
        paper=f"In one shot ahead of dense down to 5.17 %, in rounds level with it at 3.6 % ({_FRANKLE}, Sec. 2).",
        case="at one seed and a size of 1–15 %, the ticket found in rounds is more accurate.",
        measure=measures.repeated,
        records=("lottery-lenet-300-100",),
        budgets=("desk",),  # the paper budget has no tickets of one shot
        short=True,
        lesson="03_lottery_ticket",
        heading="Which way to the ticket?",
    ),
    Claim(
        key="S8 size",
        says="The outcome is a network of 1–15 % of the original size.",
        paper=f"LeNet at 3.6 %: test accuracy {_LENET['back']}; Conv-2: {', '.join(papers.FRANKLE_CONV['conv-2'])} "
        f"({_FRANKLE}).",
        case="at one seed a ticket of that size is no slower and no less accurate, both at once.",
        measure=measures.small_winners,
        records=("lottery-lenet-300-100",),
        short=True,
        lesson="03_lottery_ticket",
        heading="Is it so?",
    ),
    Claim(
        key="S8 faster",
        says="The small network trains faster.",
        paper=f"LeNet at 21.1 %: {_LENET['sooner']}; Conv-2/4/6, at most: {_SOONER} sooner (Sec. 3; {_FRANKLE}).",
        case="at one seed a ticket of 1–15 % has its early stop sooner.",
        measure=measures.small_and_faster,
        records=("lottery-lenet-300-100",),
        short=True,
        lesson="03_lottery_ticket",
        heading="Faster?",
    ),
    Claim(
        key="S8 accuracy",
        says="The small network reaches at least the same accuracy.",
        paper=f"LeNet at 13.5 %: {_LENET['better']}; at 3.6 %: {_LENET['back']} ({_FRANKLE}).",
        case="at one seed a ticket of 1–15 % is no less accurate at its early stop.",
        measure=measures.small_and_accurate(measures.EARLY),
        records=("lottery-lenet-300-100",),
        short=True,
        lesson="03_lottery_ticket",
        heading="Recorded, at the paper's settings",
    ),
    Claim(
        key="S8 convolutions",
        says="So it is in a convolutional network: 1–15 %, at least the same accuracy.",
        paper=f"Conv-2: up to {papers.FRANKLE_CONV['conv-2'][1]} ({_FRANKLE}, Sec. 3).",
        case="at one seed a ticket of 1–15 % of Conv-2 is no less accurate.",
        measure=measures.small_and_accurate("test_accuracy"),
        records=("lottery-conv-2",),
        short=True,
        lesson="04_when_tickets_fail",
        heading="Convolutions",
    ),
    Claim(
        key="S8 depth",
        says="So it is in a deep network: 1–15 %, at least the same accuracy.",
        paper=f"None at a rate of 0.1; at 0.03 with a warm-up, 90.5 % at 27.1 % of the weights ({_FRANKLE}, Sec. 4).",
        case="at one seed a ticket of 1–15 % of a residual network, at a rate of 0.1, is no less accurate.",
        measure=measures.small_and_accurate("test_accuracy"),
        records=("lottery-resnet",),
        short=True,
        lesson="04_when_tickets_fail",
        heading="Rewind a little less far",
    ),
    Claim(
        key="S10 search",
        says="A larger random network N contains a subnetwork τ′ that, untrained, does as well as a trained τ.",
        paper=f"30 % of a random Wide ResNet-50: {100 * _WIDE.signed_constant:g} %, "
        f"as a trained ResNet-34 ({_RAMANUJAN}, Sec. 4).",
        case=f"at one seed the error of τ′ {_NO_WORSE} that of τ: LeNet-300-100, τ the narrowest, N the widest.",
        measure=measures.as_good_as_a_smaller,
        records=("hidden-lenet-300-100",),
        lesson="07_supermasks",
        heading="How wide?",
    ),
    Claim(
        key="S10 existence",
        says="There is such a τ′ in a large enough N.",
        paper="Proved, for N wide enough (Malach et al. 2020; Pensia et al. 2020).",
        case="a mask built by subset sums comes closer in a wider N, in the end closer than 5 %, and trains nothing.",
        measure=demonstrations.contained,
        smaller="one layer",
        lesson="07_supermasks",
        heading="Why should there be one?",
    ),
    Claim(
        key="S11 scores",
        says="Every weight has a score; forward the top k % are used, backward all scores are updated.",
        paper=f"A definition: edge-popup ({_RAMANUJAN}, Sec. 3).",
        case="in one layer exactly k % are in use, those of the largest scores; every score of it gets a gradient.",
        measure=demonstrations.popup_scores,
        lesson="07_supermasks",
        heading="Edge-popup by hand",
    ),
    Claim(
        key="S11 weights",
        says="The weights never change.",
        paper=f"The weights stay at their initial values ({_RAMANUJAN}, Sec. 3).",
        case="in one layer training changes which edges are in use, and no bit of a weight.",
        measure=demonstrations.popup_weights,
        lesson="07_supermasks",
        heading="No weight has moved",
    ),
    Claim(
        key="S12 Xavier",
        says="Xavier: std = sqrt(2 / (n before + n after)).",
        paper="The same variance (Glorot & Bengio 2010, Eq. 12).",
        case="a layer of LeNet-300-100, drawn ten times, has it within four standard errors.",
        measure=demonstrations.drawn_as("xavier"),
        lesson="06_initialization",
        heading="The way back",
    ),
    Claim(
        key="S12 Kaiming",
        says="Kaiming: std = sqrt(2 / n before).",
        paper="The same (He et al. 2015, Eq. 10).",
        case="a layer of LeNet-300-100, drawn ten times, has it within four standard errors.",
        measure=demonstrations.drawn_as("kaiming"),
        lesson="06_initialization",
        heading="ReLU halves it",
    ),
    Claim(
        key="S12 neurons",
        says="n is the number of neurons in a layer.",
        paper="n counts what one number is the sum of: in a convolution, its window too (He et al. 2015, Sec. 2.2).",
        case="with n as neurons (of a convolution: channels) a layer with ReLU keeps the size of what goes through.",
        measure=demonstrations.neurons_counted,
        lesson="06_initialization",
        heading="Convolutions",
    ),
    Claim(
        key="S13 share",
        says="Accuracy of supermasks against the share of weights kept: best in between.",
        paper=f"Curves; the best k is read off between 30 and 70 % ({_RAMANUJAN}).",
        case="at one seed the best k, chosen on the validation set, is neither the smallest nor the largest tried.",
        measure=measures.best_share,
        records=_CONVOLUTIONS,
        short=True,
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S13 trained",
        says="Supermasks stand beside trained networks.",
        paper=f"Curves without numbers; read off Fig. 3, about 77.5 and 86 % for Conv-2 and Conv-4 ({_RAMANUJAN}).",
        case="at one seed it is half-way from guessing to trained; one case more: its error "
        f"{_NO_WORSE} the trained one's.",
        measure=measures.beside_trained,
        records=_CONVOLUTIONS,
        short=True,
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S13 depth",
        says="Deeper random networks (Conv-2/4/6/8) have better supermasks.",
        paper=f"Read off Fig. 3, about 77.5, 86, 88, 88.5 % ({_RAMANUJAN}).",
        case="at one seed the deeper network has the better supermask; only runs of the paper's length count.",
        measure=measures.deeper_is_better,
        records=_CONVOLUTIONS,
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S14 width",
        says="Wider random networks have better supermasks.",
        paper=f"At enough width the supermask meets the trained network ({_RAMANUJAN}, Sec. 4).",
        case="at one seed a wider LeNet-300-100 is better; one case more: the widest is closer to trained than the "
        "narrowest.",
        measure=measures.wider_is_better,
        records=("hidden-lenet-300-100",),
        smaller="digits, not photographs",
        lesson="07_supermasks",
        heading="How wide?",
    ),
    Claim(
        key="S14 Kaiming",
        says="The initialization matters: Kaiming before Xavier.",
        paper=f"Compared in curves, without numbers ({_RAMANUJAN}, Sec. 4).",
        case="at one seed and k the supermask from Kaiming's weights is more accurate than from Xavier's.",
        measure=measures.better_from("kaiming", "xavier"),
        records=_CONVOLUTIONS,
        short=True,
        lesson="07_supermasks",
        heading="Conv-2 to Conv-8",
    ),
    Claim(
        key="S14 constant",
        says="The signed constant before Kaiming.",
        paper=f"ResNet-50 on ImageNet, k = 30 %: {100 * _RESNET.signed_constant:g} %, from Kaiming "
        f"{100 * _RESNET.kaiming:g} % ({_RAMANUJAN}, Sec. 4).",
        case="at one seed and k the supermask from the signed constant is more accurate than from Kaiming's weights.",
        measure=measures.better_from("signed constant", "kaiming"),
        records=("hidden-lenet-300-100",),
        smaller="digits, not photographs",
        lesson="07_supermasks",
        heading="Which random weights?",
    ),
    Claim(
        key="S14 ImageNet",
        says="It works in networks for ImageNet.",
        paper=f"Kaiming and signed constant, k = 30 %: {_IMAGENET} ({_RAMANUJAN}, Sec. 4).",
        case="none: it takes ImageNet, and days on graphics cards.",
        measure=measures.not_run("`ltcourse record hidden-resnet50 --data PATH --budget paper` would run it"),
        lesson="07_supermasks",
        heading="ImageNet",
    ),
    Claim(
        key="source 2 data",
        says="A ticket found on one data set is good for another: digits and clothes.",
        paper=_MORCOS["data"],
        case=f"for a pair of tasks and a size, {_TRAVEL}.",
        measure=measures.transferred,
        records=("transfer-lenet-300-100",),
        smaller="LeNet, not VGG19 or ResNet50",
        lesson="05_one_ticket_to_win_them_all",
        heading="Beside the paper",
    ),
    Claim(
        key="source 2 photographs",
        says="A ticket of a residual network is good for other photographs, and for clothes.",
        paper=_MORCOS["data"],
        case=f"for a pair of tasks and a size, {_TRAVEL}.",
        measure=measures.transferred,
        records=("transfer-resnet",),
        short=True,
        lesson="05_one_ticket_to_win_them_all",
        heading="Beside the paper",
    ),
    Claim(
        key="source 2 optimizer",
        says="A ticket found with one optimizer is good for another.",
        paper=_MORCOS["optimizer"],
        case=f"for a pair of optimizers and a size, {_TRAVEL}.",
        measure=measures.transferred,
        records=("transfer-optimizers",),
        smaller="LeNet, not VGG19 or ResNet50",
        lesson="05_one_ticket_to_win_them_all",
        heading="Beside the paper",
    ),
    Claim(
        key="source 2 size",
        says="Tickets found on more data transfer better.",
        paper=_MORCOS["size"],
        case="at one target and size the lead over a random ticket falls from all to a half to a tenth of the images.",
        measure=measures.larger_is_better,
        records=("transfer-sizes",),
        smaller="parts of MNIST, not sets up to ImageNet",
        lesson="05_one_ticket_to_win_them_all",
        heading="Does a larger source help?",
    ),
)
