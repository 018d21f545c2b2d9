# %% [markdown]
# # The slides' whole table: from LeNet to VGG-16
#
# **Question** What does the compression in the slides' table mean in weights, in bytes, in arithmetic and in
# milliseconds?
#
# **Slides** S3, and S4 at the end
#
# **Before you start** Lesson [01](01_pruning_lenet.ipynb): mask, density, one shot, fine-tuning.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the parameter columns · why the dense layers · fewer multiplications · compression is not speed · before and
# after retraining · VGG-16 and AlexNet on CIFAR-10 · the slides' table · appendices (where is the weight · neurons with
# nothing to do · milliseconds · dropout · ImageNet) · exercises

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from ltcourse import data, papers
from ltcourse.classroom import checks
from ltcourse.classroom.predictions import predict, reveal, summary
from ltcourse.display import plots
from ltcourse.display.layers import weights_and_flop
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points, spread
from ltcourse.experiments import catalog, runs
from ltcourse.instruments import latency, neurons, sparsity, storage
from ltcourse.networks import masks, models
from ltcourse.networks.dropout import rate_after_pruning
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.training import Recipe, evaluate, evaluations, train

plots.use_style()

# %% [markdown]
# ## The parameter columns
#
# **The slides say** (S3, which is **the paper's** Table 1, Han et al. 2015): four networks lose between eight ninths
# and twelve thirteenths of their parameters, and no accuracy. You pruned two of them in lesson 01. The other two,
# AlexNet and VGG-16, classify the photographs of ImageNet: 1.2 million images of 1,000 classes. Their sizes can be
# counted without training them. A network on the device *meta* has shapes but no weights, so even the largest fits into
# any memory:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Nothing is trained here. The parameter columns of slide S3 follow from the layers' shapes and from the shares
# that the paper prints.
#
# **Ask** For which network does the rounding of the printed shares matter most?
#
# **Expect** For VGG-16, which has the largest dense layer: half a percent of that layer is half a million weights.
#
# </details>

# %%
dense = {}
for name in papers.HAN_TABLE_1:
    network = models.create(name, device="meta")
    dense[name] = sparsity.layers(network, None, torch.empty(1, *models.usual_shape(name), device="meta"))
    print(f"{name}: {len(dense[name])} layers on images of {models.usual_shape(name)}")

# %% [markdown]
# Take the second layer of AlexNet by hand. It has 256 output and 96 input channels, with kernels of 5 × 5 pixels. The
# network was designed for two graphics cards, so the layer has two **groups**, and each group sees half of the inputs:

# %% tags=["nbval-check-output"]
by_hand = 256 * (96 // 2) * 5 * 5
print(f"{by_hand:,} weights by hand, {dense['alexnet'][1].weights:,} by the library (the paper's Table 4: 307K)")

# %% The parameter columns follow from the layers' shapes
rows = []
for name, paper in papers.HAN_TABLE_1.items():
    network = models.create(name, device="meta")
    parameters = sum(p.numel() for p in network.parameters())
    rows.append([paper.network, paper.parameters[0], f"{parameters:,}", f"{models.weight_count(network):,}"])
Table(["network", "slides", "from the shapes, with biases", "weights alone"], rows)

# %% [markdown]
# The counts agree with the slides' first parameter column to the printed digits. (PyTorch's own AlexNet differs: it has
# one tower instead of two groups, and other widths. The next cell prints its parameters. The difference is small
# because nearly all weights are in the dense layers.)
#
# The column *after* pruning follows from the share that each layer keeps. The paper prints these shares in whole
# percent (Tables 2 to 5), so "4 %" may be anything from 3.5 to 4.5 %.

# %% tags=["hide-input"]
predict("02.rounding")

# %% The compression column lies within its rounding tags=["hide-output"]
other = models.create("alexnet-one-tower", device="meta")
print(f"AlexNet with one tower: {sum(p.numel() for p in other.parameters()):,} parameters")
rows, play_of = [], {}
for name, paper in papers.HAN_TABLE_1.items():
    shares = papers.HAN_SHARES[name]
    exactly, low, high = (
        sum(layer.weights * (shares[layer.name.removesuffix(".weight")] + play) for layer in dense[name])
        for play in (0, -0.005, 0.005)
    )
    play_of[name] = (high - low) / exactly
    total = sum(layer.weights for layer in dense[name])
    unit, letter = (1e6, "M") if total > 1e6 else (1e3, "K")
    within = f"{low / unit:.1f}{letter} to {high / unit:.1f}{letter}"
    rows.append(
        [
            paper.network,
            paper.parameters[1],
            f"{exactly / unit:.1f}{letter}",
            within,
            f"{paper.compression}×",
            f"{total / exactly:.2f}×",
        ]
    )
reveal("02.rounding", max(play_of, key=play_of.get))
Table(["network", "slides", "from the layer tables", "with their rounding", "compression, slides", "computed"], rows)

# %% [markdown]
# The two LeNets agree with the slides. For AlexNet and VGG-16 the printed shares give slightly more weights than the
# slides say, but the slides' numbers lie within the rounding. In VGG-16's fc6 alone, "4 %" of 103 million weights may
# be half a million more or fewer. The paper states VGG-16's compression as 13× in its Table 1 and in its text, and as
# 12× in the caption of its Table 5.
#
# ## Why the dense layers
#
# Which layers hold the weights, and which do the work? A weight of a dense layer is used once per image. A weight of a
# convolution is used at *every position* of its output. Work is counted in **FLOP**, floating-point operations: one
# multiplication and one addition per weight and position.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Most weights are in the dense layers, and most of the work is in the convolutions. Point at the top and the
# bottom of the figure.
#
# **Ask** You may prune only three layers of VGG-16. Which do you choose to make it smaller? Which to make it faster?
#
# **Expect** The dense layers for size, convolutions for speed.
#
# </details>

# %% The weights are in the dense layers, the work is in the convolutions
figure, axes = plt.subplots(1, 2, figsize=(14, 6.4))
for ax, name in zip(axes, ("alexnet", "vgg-16"), strict=True):
    weights_and_flop(dense[name], ax, papers.HAN_TABLE_1[name].network)

# %%
for name, layers in dense.items():
    fc = [layer for layer in layers if len(layer.shape) == 2]
    flop = sum(layer.flop for layer in layers)
    print(f"{name}: dense layers hold {percent(sum(f.weights for f in fc) / sum(r.weights for r in layers))}", end=" ")
    print(f"of the weights and do {percent(sum(f.flop for f in fc) / flop)} of {flop:,} FLOP ", end="")
    print(f"(the paper: {papers.HAN_FLOP[name]})")

# %% [markdown]
# In AlexNet and VGG-16 nearly all weights are in three dense layers, and nearly all work is in the convolutions. The
# compression therefore comes from the first two dense layers, which keep 4 or 9 % of their weights. The convolutions
# keep 22 to 84 %, which hardly affects it.
#
# ## Fewer multiplications
#
# The same masks save much less arithmetic than memory:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Now we count the arithmetic that the same masks leave. The paper's column also counts activations that are
# zero, and these exist without pruning.
#
# **Ask** Which part of the saving is due to pruning alone?
#
# **Expect** The column "fewer FLOP". The rest comes from skipping zero activations, which an unpruned network has, too.
#
# </details>

# %% The same masks save much less arithmetic than memory
pruned = {}
rows = []
for name, paper in papers.HAN_TABLE_1.items():
    active = {layer: row.active / 100 for layer, row in papers.HAN_LAYERS[name].items()}
    pruned[name] = sparsity.by_shares(dense[name], papers.HAN_SHARES[name], active)
    needed, flop = sum(layer.nonzero for layer in pruned[name]), sum(layer.flop for layer in pruned[name])
    rows.append(
        [
            paper.network,
            f"{sparsity.compression(pruned[name]):.1f}×",
            f"{sparsity.speed_up(pruned[name]):.1f}×",
            f"{sparsity.speed_up(pruned[name], skip_zeros=True):.1f}×",
            percent(needed / flop),
            f"{papers.HAN_NEEDED[name]} %",
        ]
    )
Table(["network", "fewer weights", "fewer FLOP", "zeros skipped", "FLOP needed", "the paper"], rows)

# %% [markdown]
# The last two columns agree, which shows how **the paper** counts (Tables 2 to 5). After ReLU many outputs are exactly
# 0, and a multiplication by such an *activation* can be skipped, too. The paper's "FLOP %" is therefore the share of
# weights kept times the share of nonzero inputs. But zero activations exist *without* pruning. Pruning alone saves what
# the column "fewer FLOP" shows. The paper's factors of 3 to 6 in compute combine both effects, and only a machine that
# skips both kinds of zeros achieves them.
#
# ## Compression is not speed
#
# Blalock et al. (2020) reviewed 81 papers on pruning. They ask authors to report two numbers: the **compression ratio**
# and the **theoretical speed-up**. Neither follows from the other:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Always report both numbers. They are equal only in a network without convolutions.
#
# **Ask** A paper says "13×". Thirteen times what?
#
# **Expect** Thirteen times fewer weights. Neither bytes nor milliseconds follow from it.
#
# </details>

# %% A compression ratio is not a speed-up
figure, ax = plt.subplots(figsize=(9, 4.2))
x = np.arange(len(pruned))
for offset, values, label, color in (
    (-0.2, [sparsity.compression(p) for p in pruned.values()], "compression ratio", plots.BLUE),
    (0.2, [sparsity.speed_up(p) for p in pruned.values()], "theoretical speed-up", plots.ORANGE),
):
    ax.bar_label(ax.bar(x + offset, values, 0.4, label=label, color=color), fmt="%.1f×")
ax.set_xticks(x, [papers.HAN_TABLE_1[name].network for name in pruned])
ax.set(ylabel="times fewer", ylim=(0, 16))
_ = ax.legend(loc="upper right", ncols=2)

# %% [markdown]
# The two numbers are equal only for LeNet-300-100, the network without convolutions.
#
# ## Before and after retraining
#
# From here on we measure. First we train a LeNet-300-100:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** From here on we measure. The next cells reach the same density in three ways, live.
#
# **Ask** At which density do the three curves separate?
#
# **Expect** The network without retraining falls first. The other two usually stay close down to the smallest density.
#
# </details>

# %%
mnist = data.load("mnist")
settings = catalog.settings("han-lenet-300-100")
network = models.create("lenet-300-100", initializer=kaiming_normal, seed=0)
training = watch(evaluations(network, mnist, settings.recipe), "training")
trained = snapshot(network)

# %% [markdown]
# We prune it to three densities, with all layers together: the smallest weights of the whole network go, which spares
# the small output layer. We do so in three ways: iteratively, each step starting from the one before; in one shot from
# the dense network, followed by *as many iterations* of training as the steps up to that density had; and in one shot
# without retraining.

# %% tags=["hide-input"]
predict("02.separate")

# %%
DENSITIES = (0.1, 0.036, 0.01)
step = Recipe(iterations=catalog.live(500), batch=64, lr=6e-4, schedule="cosine", evaluate_every=10_000)
everything = masks.dense(network)
weights = {name: p.detach() for name, p in masks.prunable(network).items()}


def pruned_to(mask, density, iterations):
    """Prune the network to a density; retrain; return its mask and its validation accuracy."""
    mask = criteria.magnitude(weights, mask, 1 - density / masks.density(mask), scope="global")
    masks.apply(network, mask)
    if iterations:
        train(network, mnist, step.but(iterations=iterations), mask=mask)
    return mask, evaluate(network, mnist.validation)[1]


# %%
curves = {way: {1.0: [evaluate(network, mnist.validation)[1]]} for way in ("iterative", "one shot", "not retrained")}
small = {}  # the iteratively pruned networks: density → (weights, mask)
mask = everything
for density in DENSITIES:
    mask, accuracy = pruned_to(mask, density, step.iterations)
    curves["iterative"][density] = [accuracy]
    small[density] = snapshot(network), mask
for way, per_step in (("one shot", step.iterations), ("not retrained", 0)):
    for i, density in enumerate(DENSITIES, 1):
        network.load_state_dict(trained)
        curves[way][density] = [pruned_to(everything, density, i * per_step)[1]]

# %% Without retraining little can be removed tags=["hide-output"]
figure, ax = plt.subplots()
plots.against_density(curves, ax, ylabel="validation accuracy")
ax.set_title("LeNet-300-100, one seed")
for way, found in curves.items():
    print(f"{way:14s}", ", ".join(f"{percent(a[0], 2)} at {percent(d)}" for d, a in found.items()))
behind = {d: max(c[d][0] for c in curves.values()) - min(c[d][0] for c in curves.values()) for d in DENSITIES}
reveal("02.separate", next((str(d) for d, gap in behind.items() if gap > 0.01), "never"), ax)

# %% [markdown]
# Compare two distances in the printed lines: that between iterative and one shot, and that between these two and the
# third. **The paper reports** for AlexNet (Sec. 3.4, Fig. 5) that about 2× fewer weights are possible without
# retraining, 5× with it, and 9× if pruning and retraining are repeated.
#
# <details><summary>What one usually sees</summary>Iterative and one shot stay close to each other at all three
# densities. Without retraining the accuracy is several points lower at the first density already, and at the last one
# little of it is left.</details>
#
# What do L1 and L2 change? **We recorded** four strengths of each for lesson 01. The figures show the best of them on
# the validation set:

# %% L1 is better before retraining
penalties = runs.load_or_run("penalties-lenet-300-100", "desk")
chosen = penalties.settings["penalties"]
families = {
    "L2": [f"{kind} {strength:g}" for kind, strength in chosen if kind == "weight_decay" and strength],
    "L1": [f"{kind} {strength:g}" for kind, strength in chosen if kind == "l1"],
}
figure, axes = plt.subplots(1, 2, figsize=(13, 4.6))
for ax, when, suffix in ((axes[0], "not retrained", "_before"), (axes[1], "retrained", "")):
    lines = {}
    for family, methods in families.items():
        numbers = range(1, len(penalties.settings["densities"]) + 1)
        best = [penalties.best(methods, i, f"validation_error{suffix}") for i in numbers]
        values = [penalties.values(m, i, f"test_error{suffix}") for m, i in zip(best, numbers, strict=True)]
        lines[family] = dict(zip(penalties.settings["densities"], values, strict=True))
    plots.against_density(lines, ax, ylabel="test error")
    ax.set_title(f"one shot, {when}")
    smallest = penalties.settings["densities"][-1]
    said = ", ".join(f"{family} {spread(found[smallest])}" for family, found in lines.items())
    print(f"{when}, at {percent(smallest)} of the weights: test error {said}")

# %% [markdown]
# **The paper reports** (Fig. 5, for AlexNet) that L1 is better before retraining and L2 after it. **We measured** the
# first, but not the second: after retraining only 3 % tells the two apart, and there L1 is ahead, as in lesson 01.
# (The two figures have different scales.)

# %% [markdown]
# ## VGG-16 and AlexNet, on CIFAR-10
#
# ImageNet needs a graphics card and days of training. We therefore use smaller versions of the two networks: images
# of 32 × 32 pixels, ten classes, thinner layers (`models.create("vgg-16-cifar", width=…)`), and batch norm instead of
# dropout (an appendix below explains dropout; batch norm rescales each channel over the batch, see lesson 04). All
# layers are pruned *together*, so each layer's share follows from its weights. The next cell runs AlexNet live on a
# tenth of the images. The run is far too short to mean anything; it only shows that the code runs:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The live run only shows that the code runs. The results are in the recorded runs below it.
#
# **Ask** Why is top-5 accuracy a weak test with ten classes?
#
# **Expect** Five random guesses out of ten classes are right half of the time.
#
# </details>

# %% AlexNet, thin and short, live
runner = runs.Runner("han-alexnet-cifar")
_ = watch(runner, "AlexNet, thin and short")
live = runner.record
number = live.settings["rounds"]
for i in (0, number):
    top1, top5 = live.values("magnitude", i, "test_accuracy"), live.values("magnitude", i, "test_top5_accuracy")
    print(f"P_m {percent(live.values('magnitude', i, 'density')[0])}: top-1 {spread(top1)}, top-5 {spread(top5)}")

# %% [markdown]
# The slides' second column counts **top-5** errors: an answer is right if the class is among the five largest outputs.
# With ten classes this is an easy test; random guesses already reach 50 %.
#
# **We recorded** longer runs on all of CIFAR-10. The cell loads them if this copy of the course contains them:

# %%
found = {name: runs.if_recorded(name, "desk") for name in ("han-alexnet-cifar", "han-vgg-16-cifar")}
recorded = {name: record for name, record in found.items() if record}

# %% AlexNet and VGG-16 on CIFAR-10: longer training makes up for the pruning
shown = recorded or {"han-alexnet-cifar (live, thin and short)": live}
figure, axes = plt.subplots(1, len(shown), figsize=(6.5 * len(shown), 4.8), squeeze=False)
for ax, (name, record) in zip(axes[0], shown.items(), strict=True):
    last = record.settings["rounds"]
    plots.against_density(
        {method: record.curve(method, "test_accuracy") for method in ("magnitude", "random")},
        ax,
        ylabel="test accuracy, top-1",
        reference={"dense, trained on": record.values("dense", last, "test_accuracy")},
    )
    ax.set_title(name)

# %% In numbers, and layer by layer
for name, record in shown.items():
    last = record.settings["rounds"]
    print(f"{name}, pruned {1 / record.values('magnitude', last, 'density')[0]:.1f}×, minus the dense network:")
    print(f"  top-1 accuracy {points(record.change('magnitude', last, 'test_accuracy'))}", end="; ")
    print(f"top-5 accuracy {points(record.change('magnitude', last, 'test_top5_accuracy'))}")
    pairs = zip(*(record.values(m, last, "test_accuracy") for m in ("magnitude", "dense")), strict=True)
    print(f"  minus the dense network trained on: top-1 accuracy {points([p - d for p, d in pairs])}")
    print(f"  theoretical speed-up {record.values('magnitude', last, 'speed_up')[0]:.1f}×", end="; ")
    print(f"zero activations skipped {record.values('magnitude', last, 'speed_up_skipping_zeros')[0]:.1f}×")
    shares = record.values("magnitude", last, "layers")[0]
    print("  kept:", ", ".join(f"{layer.removesuffix('.weight')} {percent(s, 0)}" for layer, s in shares.items()))

# %% [markdown]
# Two facts limit what these runs show. First, each round starts at the learning rate of the dense training, not at a
# hundredth of it as in the paper. This was chosen on short trial runs of seed 0, by the validation set, but the test
# errors of the first of them were seen, too. Second, AlexNet was recorded three times, with rounds of a quarter, a half
# and all of the length of its training. In the first two recordings the network with a ninth of the weights was less
# accurate than the dense one. Only seed 1 of the third recording had never been seen before.
#
# **We recorded** two comparisons, and they give different answers. The slides' table compares a pruned network with
# the dense network that it was pruned from. By this comparison neither network loses top-1 accuracy in either seed,
# AlexNet at a ninth of its weights and VGG-16 at a tenth; AlexNet loses a little top-5 accuracy. But the pruned
# networks were trained for longer. The fair comparison is with the dense network trained on for as long (the second
# line of each), and by it both pruned networks are less accurate, in both seeds, though two seeds do not settle it.
#
# In AlexNet a random mask is no worse as long as half of the weights are left: there, choosing by magnitude pays only
# at high sparsity. In VGG-16 it pays from the first round on.
#
# So “no loss” here means that longer training has made up for the pruning.
#
# Both networks are thinner than the papers', VGG-16 more so. The printed shares show which layers were pruned most: in
# AlexNet the first dense layer, in VGG-16 the last convolutions, whereas its dense layers keep a large share. In the
# paper's Tables 4 and 5 the dense layers are pruned most in both networks. Why the difference? Compare the layers'
# sizes: our VGG-16 has no dense layer as large as fc6 for ImageNet.

# %% [markdown]
# ## The slides' table
#
# Here is the whole table, with the origin of every row: *slides* is the paper's Table 1, *computed* follows from shapes
# and layer tables, and *ours* was recorded. Our AlexNet and VGG-16 were trained on CIFAR-10, so their errors cannot be
# compared with the slides'.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** This is slide S3 row by row: what the slides say, what we counted, and what we measured.
#
# **Ask** Which entry of the table convinces you least?
#
# **Expect** Any entry that was not measured here is a good answer; the first column marks them.
#
# </details>


# %%
def cells(record, method="magnitude"):
    """Top-1, top-5 and weights of a record, before → after."""
    ends = (0, record.settings["rounds"])
    row = record.trials[0]["rows"][0]
    errors = [
        " → ".join(spread(record.values(method, i, key)) for i in ends) if key in row else "–"
        for key in ("test_error", "test_top5_error")
    ]
    kept = [record.values(method, i, "kept")[0] for i in ends]
    return [*errors, f"{kept[0]:,} → {kept[1]:,}", f"{kept[0] / kept[1]:.1f}×"]


# %% A tenth of the parameters, and no more errors
names = {"alexnet": "alexnet-cifar", "vgg-16": "vgg-16-cifar"}
rows = []
for name, paper in papers.HAN_TABLE_1.items():
    errors = [" → ".join(percent(e, 2) for e in pair) if pair else "–" for pair in (paper.top1, paper.top5)]
    rows.append([f"{paper.network}, slides", *errors, " → ".join(paper.parameters), f"{paper.compression}×"])
    counts = [sum(getattr(layer, key) for layer in pruned[name]) for key in ("weights", "kept")]
    ratio = f"{sparsity.compression(pruned[name]):.1f}×"
    rows.append([f"{paper.network}, computed", "–", "–", " → ".join(f"{c:,}" for c in counts), ratio])
    if record := runs.if_recorded(f"han-{names.get(name, name)}", "desk"):
        where = "CIFAR-10" if name in names else "MNIST"
        rows.append([f"{paper.network}, ours, {where}, recorded", *cells(record)])
    else:
        rows.append([f"{paper.network}, ours", "not recorded yet", "–", "–", "–"])
Table(["network", "top-1 error", "top-5 error", "weights", "compression"], rows)

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** One factor has become four: weights, bytes, arithmetic and milliseconds.
#
# **Ask** If quality does not drop, why not train the small network from scratch?
#
# **Expect** This is slide S4. Leave it open; the next lesson begins with it.
#
# </details>

# %%
for name, paper in papers.HAN_TABLE_1.items():
    print(f"{paper.network}: {sparsity.compression(pruned[name]):.1f}× fewer weights,", end=" ")
    print(f"{sparsity.speed_up(pruned[name]):.1f}× fewer FLOP")
for name, record in recorded.items():
    print(f"{name}: top-1 accuracy {points(record.change('magnitude', record.settings['rounds'], 'test_accuracy'))}")

# %% [markdown]
# The slides' parameter columns follow from the layers' shapes and shares. They count weights, most of which are in
# dense layers. Bytes, arithmetic and milliseconds have factors of their own, and these are mostly smaller. One question
# remains, that of S4: if the small network is as accurate as the large one, **why not train the small one from
# scratch?** Lesson [03](03_lottery_ticket.ipynb) tries it.
#
# The slides need no more of this lesson. Six short sections follow as appendices. They show how pruned weights are
# stored, what is gained in neurons and in milliseconds, the dropout rule, and how to run the slides' last two rows on
# ImageNet. Exercises 2 to 4 are about them.

# %% [markdown]
# ## Where is the weight?
#
# A twelfth of the weights needs more than a twelfth of the bytes, because the file must also say *where* each weight
# is. There are several ways to store this:
#
# - **CSR** (compressed sparse rows): for each weight its column, in 32 or 16 bits, and for each row where it begins.
# - **bitmask**: one bit for every weight, which says whether it is kept.
# - **relative index** (the paper's Sec. 5): for each weight the number of pruned weights since the last one, in 8 bits
#   for convolutions and in 5 bits for dense layers. Where this gap is too wide for the bits, a **filler** is stored: a
#   value 0.
#
# Take one row of nine weights by hand, with a relative index of 2 bits, which count to 3:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The file must also say where each weight is. Work out the row of nine weights on the board before you run the
# cell.
#
# **Ask** Two bits count to 3. How is a gap of 5 stored?
#
# **Expect** As a gap of 3, a filler, and a gap of 1.
#
# </details>

# %% A file must also say where each weight is tags=["nbval-check-output"]
keep = torch.tensor([1, 0, 0, 0, 0, 0, 1, 1, 0]).bool()
gaps, real = storage.relative_index(keep, bits=2)
print("kept at", keep.nonzero().flatten().tolist(), "· gaps by hand: 0, 5, 0; 5 is too wide, so 3, a filler, 1")
print("stored gaps:", gaps.tolist(), "· real weights:", real.tolist())

# %% [markdown]
# Now we write the three pruned networks to real files in each format, and read them back.

# %% A twelfth of the weights needs more than a twelfth of the bytes
sizes = {form: {} for form in storage.FORMATS if form != "relative"}
with tempfile.TemporaryDirectory() as folder:
    for density, (state, mask) in small.items():
        for form in sizes:
            file = Path(folder) / "weights.safetensors"
            sizes[form][density] = [storage.write(file, state, mask, form)]
            back = storage.read(file)
            assert all(torch.equal(back[name], state[name]) for name in mask)
Table(
    ["format", *(f"bytes at {percent(d)}" for d in DENSITIES), f"of dense, at {percent(DENSITIES[0])}"],
    [
        [
            form,
            *(f"{found[d][0]:,}" for d in DENSITIES),
            percent(found[DENSITIES[0]][0] / sizes["dense"][DENSITIES[0]][0]),
        ]
        for form, found in sizes.items()
    ],
)

# %% Fillers make short indices expensive
figure, ax = plt.subplots(figsize=(9, 4.6))
plots.against_density(sizes, ax, ylabel="bytes of the file", shares=False)
ax.set_yscale("log")
ax.legend(fontsize=11, ncols=2)
state, mask = small[DENSITIES[-1]]
for bits in (5, 8):
    stored = sum(len(storage.relative_index(m, bits)[0]) for m in mask.values())
    kept = masks.kept(mask)
    print(f"{bits} bits at {percent(DENSITIES[-1])}: {stored - kept:,} fillers for {kept:,} weights")
best = min((sizes[form][DENSITIES[0]][0], form) for form in sizes)
print(
    f"LeNet-300-100 at {percent(DENSITIES[0])}: {sizes['dense'][DENSITIES[0]][0] / best[0]:.1f}× fewer bytes ({best[1]})"
)

# %% [markdown]
# **The paper reports** an overhead of 15.6 % for the index of 5 bits (Sec. 5). This is 5/32, without any fillers. At
# densities of 8 or 9 % fillers are rare. At 4 %, the density of VGG-16's fc6, they are not: compare the two relative
# indices at 3.6 %. At 1 % the mean gap is 99, but 5 bits count to 31, so most of the stored values are fillers. The
# best format depends on the density.
#
# ## Neurons with nothing to do
#
# A neuron that has lost all its incoming or all its outgoing weights can be removed (the paper's Sec. 3.5). What is
# left is a smaller *dense* network. A neuron without inputs still passes on a constant, which comes from its bias;
# before the neuron is removed, this constant must be added to the biases of the next layer.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** If whole neurons are idle, they can be removed, and a smaller dense network is left.
#
# **Ask** May I simply delete a neuron that has no inputs?
#
# **Expect** Only if the constant that it sends is added to the biases of the next layer.
#
# </details>

# %% Pruning weights removes few neurons
rows = []
for density, (state, mask) in small.items():
    network.load_state_dict(state)
    smaller, smaller_mask = neurons.remove(network, mask)
    with torch.no_grad():
        apart = (network(mnist.test.x[:1000]) - smaller(mnist.test.x[:1000])).abs().max().item()
    sizes_left = " → ".join(str(w.shape[0]) for w in masks.prunable(smaller).values())
    rows.append([percent(density), sizes_left, f"{models.weight_count(smaller):,}", f"{masks.kept(mask):,}"])
    print(f"{percent(density)}: the outputs are equal up to rounding: {apart < 1e-4}")
Table(["density", "neurons left (300 → 100 → 10)", "weights of the smaller network", "of them kept"], rows)

# %% [markdown]
# Pruning weights removes few neurons: as a *dense* network, the rest is still many times larger than what the mask
# keeps.
#
# ## Milliseconds
#
# Is a sparse network faster? We compare three ways to multiply, on **one thread** of this machine: PyTorch's dense
# product, which also multiplies by the zeros, the CSR product of scipy, and that of PyTorch. Each is timed with one
# image at a time (*batch* 1) and with 256.

# %% tags=["hide-input"]
predict("02.speed")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Collect guesses, then run the cell: it measures this machine.
#
# **Ask** How much faster is the sparse product at a tenth of the weights?
#
# **Expect** Most guess ten times. It may even be slower, above all with one image at a time. Compare the guesses with
# the table.
#
# </details>

# %% Is a sparse network faster? tags=["hide-output"]
rows, faster = [], {}
for density, (state, mask) in small.items():
    network.load_state_dict(state)
    for batch in (1, 256):
        taken = latency.compare(network, mask, mnist.test.x[:batch])
        times = [f"{1e6 * s:,.0f}" for s in taken.values()]
        rows.append([f"{percent(density)}, batch {batch}", *times, f"{taken['dense'] / min(taken.values()):.1f}×"])
        faster[density, batch] = taken["dense"] / min(taken[way] for way in latency.WAYS[1:])
reveal("02.speed", faster[DENSITIES[0], 1])
Table(["LeNet-300-100", *(f"{way}, µs" for way in latency.WAYS), "fastest against dense"], rows)

# %% [markdown]
# Look for a row in which a sparse product is as many times faster as there are fewer weights.
#
# <details><summary>What one usually sees</summary>There is none. At a tenth of the weights a sparse product is far from
# ten times as fast, and with one image at a time it may be slower than the dense one. The next section says
# why.</details>

# %% [markdown]
# ## The break-even density
#
# Below which density is the sparse product faster? We time one layer of 1,024 × 1,024 weights under random masks:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** The density at which the lines cross depends on the machine.
#
# **Ask** Why does a batch of 256 change the picture?
#
# **Expect** Every call has a fixed cost. A batch shares it, and shares the lookups of the weights' places, too.
#
# </details>

# %% Sparse products pay off only at low density
SWEEP = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
figure, axes = plt.subplots(1, 2, figsize=(13, 4.8))
for ax, batch in zip(axes, (1, 256), strict=True):
    found = latency.sweep(1024, 1024, batch, SWEEP)
    lines = {way: {d: [1e6 * s] for d, s in zip(SWEEP, found[way], strict=True)} for way in latency.WAYS}
    plots.against_density(lines, ax, ylabel="microseconds", shares=False)
    ax.set(yscale="log", title=f"1,024 × 1,024, batch {batch}")
    for way in latency.WAYS[1:]:
        here = latency.break_even(SWEEP, found["dense"], found[way])
        print(f"batch {batch}, {way}: faster than dense", "nowhere" if here is None else f"below {percent(here)}")

# %% [markdown]
# The printed densities are those of the machine that ran the cell; on another machine they differ. (The dense line
# should be level. Where it is not, the machine was busy with other work, and a crossing nearby is uncertain.) The cause
# is the same on every machine. A dense product reads memory in order and multiplies many numbers in one instruction,
# whereas a sparse product looks up the place of every weight. So each remaining multiplication costs a sparse product
# much more than a dense one. Each call also has a fixed cost, which a small layer and a single image do not recover.
#
# **The paper** argues with energy instead (Fig. 1). Fetching one number from memory costs

# %% Memory costs more energy than arithmetic tags=["nbval-check-output"]
cost = papers.HAN_PICOJOULE
print(f"{cost['read from DRAM']} pJ, {cost['read from DRAM'] / cost['multiplication']:.0f} times a multiplication;")
print(f"from the small memory on the chip {cost['read from SRAM']} pJ")

# %% [markdown]
# so a network that is small enough for the chip's own memory saves energy even if it is no faster.
#
# In short, 12× counts weights. The factor in bytes is smaller, and time is saved only at low density, mostly with large
# batches.
#
# ## Dropout, when retraining
#
# AlexNet and VGG-16 are trained with **dropout**: at every step a random half of the neurons of a dense layer is set to
# 0, so that no neuron relies on another. A pruned layer has fewer weights and therefore overfits less. **The paper's**
# rule for it (Sec. 3.2, Eq. 1 and 2) is $D_r = D_o \sqrt{C_{ir} / C_{io}}$. Here $D_o$ and $D_r$ are the original
# dropout rate and that of the retraining, and $C_{io}$ and $C_{ir}$ are the numbers of connections:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** The paper gives a simple rule: fewer connections need less dropout.
#
# **Ask** A layer keeps a tenth of its connections. Does it need more dropout, or less?
#
# **Expect** Less, because a layer with fewer weights overfits less.
#
# </details>

# %%
for name, layers in (("alexnet", ("fc1", "fc2")), ("vgg-16", ("fc6", "fc7"))):
    for layer in layers:
        share = papers.HAN_LAYERS[name][layer].kept
        print(f"{name} {layer}: {share} % kept, dropout 50 % → {percent(rate_after_pruning(0.5, share, 100))}")

# %% [markdown]
# In our networks the dropout layer applies this rule automatically whenever a training begins:

# %% tags=["nbval-check-output"]
thin = models.create("alexnet-one-tower", shape=(3, 64, 64), width=1 / 16)
keep = criteria.magnitude({n: p.detach() for n, p in masks.prunable(thin).items()}, masks.dense(thin), 0.91)
masks.apply(thin, keep).train()
print(f"dropout before fc1: {thin.drop1.dense_rate} dense, {thin.drop1.rate:.3f} at {percent(0.09, 0)} of the weights")

# %% [markdown]
# ## All the way, where ImageNet is at hand
#
# If you have the ImageNet folder, or any folder of images with the same layout (`train/CLASS/…`, `val/CLASS/…`), these
# commands reproduce the slides' last two rows:
#
#     ltcourse record han-alexnet --data PATH --budget paper
#     ltcourse record han-vgg16 --data PATH --budget paper
#
# Images are read batch by batch. AlexNet is the version with a single tower, because torchvision publishes weights for
# it. The published weights are used if they can be downloaded; otherwise the networks are drawn at random and trained
# first, and the record says which was done. The networks are pruned to the paper's shares, fine-tuned at a hundredth of
# the learning rate with the dropout rule, and tested for top-1 and top-5 errors. Every finished epoch is saved, and a
# stopped run continues after the last one. A file that is not an image is named and skipped. **We have not recorded**
# these runs, because we did not have ImageNet.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** This is what it takes to repeat the last two rows of the slides' table.
#
# **Ask** What would you need to check these rows yourself?
#
# **Expect** The data, graphics cards, and days of computing. The commands are ready.
#
# </details>

# %% [markdown]
# Your predictions of this lesson, beside what was measured:

# %% tags=["hide-input"]
summary("02")

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb), replace `return None` with your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** The exercises are about counting. Begin with exercise 1.
#
# **Ask** Which of them could you solve without a computer?
#
# **Expect** All of them for a small network. Counting is the point of the lesson.
#
# </details>

# %% [markdown]
# ### 1. Counting parameters
#
# `layers` is a list of (outputs, inputs, kernel, groups), one per layer. A convolution has kernels of kernel · kernel
# pixels, and its outputs see only the inputs of their own group. A dense layer has kernel 1 and one group. Return the
# number of parameters of the network, weights and biases. (The check goes up to VGG-16.)


# %% tags=["exercise"]
def count_parameters(layers):
    return None


# %%
checks.count_parameters(count_parameters)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# One output sums over inputs / groups channels, each with kernel · kernel pixels. How many outputs are there?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Groups reduce the inputs of each output. They do not change the number of outputs. Every output has one bias.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def count_parameters(layers):
#     return sum(out * (into // groups) * kernel**2 + out for out, into, kernel, groups in layers)
# ```
#
# </details>

# %% [markdown]
# ### 2. Bytes of a relative index
#
# `keep` is a mask, read row by row. For each weight kept, a value of 4 bytes is stored and, in `bits` bits, a gap: the
# number of pruned weights since the last stored one (for the first: since the beginning). The largest gap is 2^bits −
# 1. Where a gap is wider, a filler is stored after 2^bits − 1 pruned weights: it takes the place of the next pruned
# weight, and has a value 0 of 4 bytes and a gap like any other. Nothing is stored after the last weight kept. Return
# the bytes of all values and gaps, rounded up to a whole byte.


# %% tags=["exercise"]
def relative_bytes(keep, bits):
    return None


# %%
checks.relative_bytes(relative_bytes)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# `keep.flatten().nonzero().flatten()` gives the positions. A gap is the difference of two neighboring positions, minus
# 1; before the first, imagine a position −1.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A filler accounts for 2^bits places: the pruned weights before it and its own. So a gap needs gap // 2^bits fillers.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def relative_bytes(keep, bits):
#     positions = keep.flatten().nonzero().flatten().tolist()
#     gaps = [b - a - 1 for a, b in zip([-1, *positions], positions)]
#     stored = len(gaps) + sum(gap // 2**bits for gap in gaps)
#     return 4 * stored + -(-stored * bits // 8)
# ```
#
# `storage.encode` writes such bytes, and `storage.decode` reads them.
#
# </details>

# %% [markdown]
# ### 3. Dropout for retraining
#
# A layer was trained with dropout `rate`, and `kept` of its `total` weights are left. Return the dropout rate for its
# retraining.


# %% tags=["exercise"]
def retraining_dropout(rate, kept, total):
    return None


# %%
checks.retraining_dropout(retraining_dropout)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# A layer between $N$ and $N$ neurons has $N^2$ weights. Dropout removes neurons, pruning removes weights.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The rule is in "Dropout, when retraining". `rate` is the share of neurons that is dropped.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def retraining_dropout(rate, kept, total):
#     return rate * (kept / total) ** 0.5
# ```
#
# </details>

# %% [markdown]
# ### 4. Where CSR breaks even
#
# A matrix has `rows` × `columns` weights. Stored densely, each weight takes 32 bits. In CSR each weight kept takes 32
# bits and a column index of `index_bits` bits, and `rows` + 1 numbers of 32 bits say where the rows begin and the last
# one ends. Return the density at which both are equally large. If a product with one image only waited for memory, it
# would also be the density below which the sparse product is faster. This prediction can be tested.


# %% tags=["exercise"]
def break_even_density(rows, columns, index_bits):
    return None


# %%
checks.break_even_density(break_even_density)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Write down the number of bits of both, with the density as the unknown.
#
# </details>
# <details><summary>Hint 2</summary>
#
# 32 · n = density · n · (32 + index_bits) + 32 · (rows + 1), with n = rows · columns.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def break_even_density(rows, columns, index_bits):
#     n = rows * columns
#     return 32 * (n - rows - 1) / ((32 + index_bits) * n)
# ```
#
# </details>

# %% [markdown]
# Now test the prediction: is the sparse product faster below this density?

# %%
predicted = break_even_density(1024, 1024, 32)
print("predicted:", "not done yet" if predicted is None else percent(predicted))
found = latency.sweep(1024, 1024, 1, SWEEP)
for way in latency.WAYS[1:]:
    here = latency.break_even(SWEEP, found["dense"], found[way])
    print(f"measured, batch 1, {way}:", "nowhere" if here is None else percent(here))

# %% [markdown]
# If the measured density is below the predicted one, memory alone does not decide the time: looking up the places of
# the weights costs time, too.
#
# ## References
#
# - Song Han, Jeff Pool, John Tran, William Dally: *Learning both Weights and Connections for Efficient Neural Networks*,
#   2015, arXiv:1506.02626. The table, its layer tables, the dropout rule, the relative index.
# - Song Han, Huizi Mao, William Dally: *Deep Compression*, 2016, arXiv:1510.00149. The filler.
# - Davis Blalock, Jose Javier Gonzalez Ortiz, Jonathan Frankle, John Guttag: *What is the State of Neural Network
#   Pruning?*, 2020, arXiv:2003.03033. Compression ratio and theoretical speed-up.
# - Alex Krizhevsky, Ilya Sutskever, Geoffrey Hinton: *ImageNet Classification with Deep Convolutional Neural Networks*,
#   2012. AlexNet.
# - Karen Simonyan, Andrew Zisserman: *Very Deep Convolutional Networks for Large-Scale Image Recognition*, 2014,
#   arXiv:1409.1556. VGG-16.
# - Nitish Srivastava and others: *Dropout*, 2014.
