# %% [markdown]
# # The slides' table whole: from LeNet to VGG-16
#
# **Question** What do the four rows of the slides' table mean in weights, in bytes, in arithmetic and in milliseconds?
#
# **Slides** S3, and S4 as the way out
#
# **Before you start** Lesson [01](01_pruning_lenet.ipynb): mask, density, one shot, fine-tuning.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the parameter columns · why the dense layers · fewer multiplications · compression is not speed · before and
# after retraining · where is the weight · neurons with nothing to do · milliseconds · dropout · VGG-16 and AlexNet on
# CIFAR-10 · ImageNet · the slides' table · exercises

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from ltcourse import data, papers
from ltcourse.classroom import checks
from ltcourse.display import plots
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
# and twelve thirteenths of their parameters, and no accuracy. Two of them you have pruned in lesson 01. The other two are AlexNet
# and VGG-16, for the photographs of ImageNet: 1.2 million images of 1,000 classes. Before anybody trains them, their
# sizes can be counted. A network on the device *meta* has shapes and no weights, so that even the largest fits anywhere:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Nothing is trained here: the columns of slide S3 follow from shapes and from the shares that the paper
# prints.
#
# **Ask** For which network does the rounding of the printed shares matter most?
#
# **Expect** For the one with the largest dense layer: half a percent of it is a great many weights.
#
# </details>

# %%
dense = {}
for name in papers.HAN_TABLE_1:
    network = models.create(name, device="meta")
    dense[name] = sparsity.layers(network, None, torch.empty(1, *models.usual_shape(name), device="meta"))
    print(f"{name}: {len(dense[name])} layers on images of {models.usual_shape(name)}")

# %% [markdown]
# By hand, for the second layer of AlexNet. It has 256 outputs and 96 inputs, 5 × 5 pixels each; but the network was
# once divided over two graphics cards, and so the layer has two **groups**, each of which sees half of the inputs:

# %% tags=["nbval-check-output"]
by_hand = 256 * (96 // 2) * 5 * 5
print(f"{by_hand:,} weights by hand, {dense['alexnet'][1].weights:,} by the library (the paper's Table 4: 307K)")

# %%
rows = []
for name, paper in papers.HAN_TABLE_1.items():
    network = models.create(name, device="meta")
    parameters = sum(p.numel() for p in network.parameters())
    rows.append([paper.network, paper.parameters[0], f"{parameters:,}", f"{models.weight_count(network):,}"])
Table(["network", "slides", "from the shapes, with biases", "weights alone"], rows)

# %% [markdown]
# That is the column before pruning, to the digits printed. (PyTorch's own AlexNet is another one: one tower in place of
# two groups, and other widths. Its parameters are printed below. The difference is small only because nearly all of the
# weights are elsewhere.)
#
# The column *after* pruning follows from the share that each layer keeps, which the paper prints in whole percent
# (Tables 2 to 5). So there is some play: "4 %" may be 3.5 or 4.5.
#
# *Predict: for which network does the play matter most?*

# %%
other = models.create("alexnet-one-tower", device="meta")
print(f"AlexNet with one tower: {sum(p.numel() for p in other.parameters()):,} parameters")
rows = []
for name, paper in papers.HAN_TABLE_1.items():
    shares = papers.HAN_SHARES[name]
    exactly, low, high = (
        sum(layer.weights * (shares[layer.name.removesuffix(".weight")] + play) for layer in dense[name])
        for play in (0, -0.005, 0.005)
    )
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
Table(["network", "slides", "from the layer tables", "with their rounding", "compression, slides", "computed"], rows)

# %% [markdown]
# The two LeNets come out as printed. Of AlexNet and VGG-16 the shares as printed give a little more than the slides
# say; the printed numbers lie within the rounding. VGG-16's fc6 alone, at "4 %" of 103 million, has half a million
# weights of play to either side. Compression is printed as 13× in the paper's Table 1 and in its text, and as 12× in
# the caption of its Table 5.
#
# ## Why the dense layers
#
# Where are the weights, and where is the work? A weight of a dense layer is used once for an image. A weight of a
# convolution is used at *every position* of its output. Work is counted in **FLOP**, floating-point operations: one
# multiplication and one addition for each weight and position.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Where the weights are is not where the work is. Point at the two ends of the figure.
#
# **Ask** If you could prune only three layers of VGG-16, which? And if you wanted it faster?
#
# **Expect** The dense ones for size, the convolutions for work.
#
# </details>

# %%
figure, axes = plt.subplots(1, 2, figsize=(14, 6.4))
for ax, name in zip(axes, ("alexnet", "vgg-16"), strict=True):
    plots.weights_and_flop(dense[name], ax, papers.HAN_TABLE_1[name].network)

# %%
for name, layers in dense.items():
    fc = [layer for layer in layers if len(layer.shape) == 2]
    flop = sum(layer.flop for layer in layers)
    print(f"{name}: dense layers hold {percent(sum(f.weights for f in fc) / sum(r.weights for r in layers))}", end=" ")
    print(f"of the weights and do {percent(sum(f.flop for f in fc) / flop)} of {flop:,} FLOP ", end="")
    print(f"(the paper: {papers.HAN_FLOP[name]})")

# %% [markdown]
# In AlexNet and VGG-16 nearly all weights are in three dense layers, and nearly all work is in the convolutions. Prune
# the dense layers to 4 or 9 %, and the compression is made; the convolutions, which keep 22 to 84 %, hardly count in it.
#
# ## Fewer multiplications
#
# In arithmetic the same masks are worth much less:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The same masks, counted in arithmetic. The paper's column counts zeros of activations, too, which are there
# without pruning.
#
# **Ask** Which part of the saving is due to pruning alone?
#
# **Expect** The column fewer FLOP. The rest needs a machine that skips zeros.
#
# </details>

# %%
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
# The last two columns agree, which explains how **the paper** counts (Tables 2 to 5): after ReLU many outputs are
# exactly 0, and a multiplication by such an *activation* is not needed either, so its "FLOP %" is the share of weights
# times the share of nonzero inputs. But zero activations are there *without* pruning, too. What pruning saves is the
# column "fewer FLOP". The paper's factors of 3 to 6 in compute are both effects together, and only a machine that
# skips zeros of both kinds can have them.
#
# ## Compression is not speed
#
# Blalock et al. (2020) read 81 papers on pruning and ask for both numbers, always: the **compression ratio** and the
# **theoretical speed-up**. Neither follows from the other:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Two numbers, always both. Only where there are no convolutions are they the same.
#
# **Ask** A paper says 13 times. Thirteen times what?
#
# **Expect** Fewer weights; neither bytes nor milliseconds follow from it.
#
# </details>

# %%
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
# Only in the network without convolutions are the two the same.
#
# ## Before and after retraining
#
# From here on we measure. A LeNet-300-100, trained here:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** From here on it is measured. Three ways to the same density, live.
#
# **Ask** At which density do the three part?
#
# **Expect** The one without retraining leaves first; the other two stay close for a long way.
#
# </details>

# %%
mnist = data.load("mnist")
settings = catalog.settings("han-lenet-300-100")
network = models.create("lenet-300-100", initializer=kaiming_normal, seed=0)
training = watch(evaluations(network, mnist, settings.recipe), "training")
trained = snapshot(network)

# %% [markdown]
# It is pruned to three densities, all layers together (the smallest weights of the network go, wherever they are, so
# that the small output layer is spared): iteratively, each step from the one before; in one shot from the dense network, and
# then trained for *as many iterations* as all steps up to there; and in one shot without retraining.
#
# *Predict: at which density do the three part?*

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

# %%
figure, ax = plt.subplots()
plots.against_density(curves, ax, ylabel="validation accuracy")
ax.set_title("LeNet-300-100, one seed")
for way, found in curves.items():
    print(f"{way:14s}", ", ".join(f"{percent(a[0], 2)} at {percent(d)}" for d, a in found.items()))

# %% [markdown]
# Read off how far apart iterative and one shot are, and how far the two are above the third. **The paper reports** for
# AlexNet (Sec. 3.4, Fig. 5) about 2× without retraining, 5× with it, and 9× when that is repeated. What L1 and L2 change
# **we recorded** for lesson 01, with four strengths of each; here are the best of them on the validation set:

# %%
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
# **The paper reports** (Fig. 5, for AlexNet) L1 ahead before retraining, L2 ahead after it. Our runs (lesson 01) show
# the first of these, not the second: after retraining L1 stays ahead, if by little. (Mind the two scales.)
#
# ## Where is the weight?
#
# A twelfth of the weights is not a twelfth of the bytes: one must also store *where* each weight is. Ways to do that:
#
# - **CSR** (compressed sparse rows): for each weight its column, 32 or 16 bits; for each row where it begins.
# - **bitmask**: one bit for every weight, kept or not.
# - **relative index** (the paper's Sec. 5): for each weight how many were pruned since the last one, in 8 bits for
#   convolutions and 5 for dense layers. A gap that is too wide for the bits needs a **filler**: a stored value 0.
#
# By hand, for one row of nine weights and 2 bits, which count to 3:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** One must also store where each weight is. Do the row of nine weights on the board before you run the cell.
#
# **Ask** Two bits count to 3. What do we store for a gap of 5?
#
# **Expect** A filler: a stored zero after 3, then 1.
#
# </details>

# %% tags=["nbval-check-output"]
keep = torch.tensor([1, 0, 0, 0, 0, 0, 1, 1, 0]).bool()
gaps, real = storage.relative_index(keep, bits=2)
print("kept at", keep.nonzero().flatten().tolist(), "· gaps by hand: 0, 5, 0; 5 is too wide: a filler after 3, then 1")
print("stored gaps:", gaps.tolist(), "· real weights:", real.tolist())

# %% [markdown]
# Now in real files: the three pruned networks, written in each format, and read back.

# %%
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

# %%
figure, ax = plt.subplots(figsize=(9, 4.6))
plots.against_density(sizes, ax, ylabel="bytes of the file", shares=False)
ax.set_yscale("log")
ax.legend(fontsize=11, ncols=2)
state, mask = small[DENSITIES[-1]]
for bits in (5, 8):
    stored = sum(len(storage.relative_index(m, bits)[0]) for m in mask.values())
    kept = masks.kept(mask)
    print(f"{bits} bits at {percent(DENSITIES[-1])}: {stored - kept:,} fillers for {kept:,} weights")

# %% [markdown]
# **The paper reports** an overhead of 15.6 % for the index of 5 bits (Sec. 5): that is 5/32, with no filler counted. At
# 8 or 9 % fillers are few. At 4 %, as in VGG-16's fc6, they no longer are: see which index is smaller at 3.6 %. And at
# 1 % the mean gap is 99 and 5 bits count to 31: most of what is stored then are fillers, and the smallest format is
# another one. Which index pays is a question of the density.
#
# ## Neurons with nothing to do
#
# When all weights to a neuron are gone, or all weights away from it, the neuron can go, too (the paper's Sec. 3.5), and
# what is left is a smaller *dense* network. One care is needed: a neuron without inputs still passes on its bias, a
# constant, which has to go into the biases of the next layer.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** When a whole neuron is idle, the network that is left is a smaller dense one.
#
# **Ask** A neuron with no inputs: may I just delete it?
#
# **Expect** Only if its bias is handed on: it still sends a constant.
#
# </details>

# %%
rows = []
for density, (state, mask) in small.items():
    network.load_state_dict(state)
    smaller, smaller_mask = neurons.remove(network, mask)
    with torch.no_grad():
        apart = (network(mnist.test.x[:1000]) - smaller(mnist.test.x[:1000])).abs().max().item()
    sizes_left = " → ".join(str(w.shape[0]) for w in masks.prunable(smaller).values())
    rows.append([percent(density), sizes_left, f"{models.weight_count(smaller):,}", f"{masks.kept(mask):,}"])
    print(f"{percent(density)}: the outputs are equal but for rounding: {apart < 1e-4}")
Table(["density", "neurons left (300 → 100 → 10)", "weights of the smaller network", "of them kept"], rows)

# %% [markdown]
# Pruning weights hardly removes neurons: as a *dense* network, what is left is still many times larger than what the
# mask keeps.
#
# ## Milliseconds
#
# Does a sparse network answer sooner? Three ways to multiply, on **one thread** of this machine: PyTorch's dense
# product, which multiplies by all the zeros; the CSR product of scipy; and that of PyTorch. With one image at a time
# (*batch* 1), and with 256.
#
# *Predict: at 10 % of the weights, is the sparse product ten times as fast? Faster at all?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The sobering part. Collect guesses, then run it: it is a measurement on this machine.
#
# **Ask** At a tenth of the weights, how much faster is the sparse product?
#
# **Expect** Guesses of ten times. It can even be slower; read what the table says here.
#
# </details>

# %%
rows = []
for density, (state, mask) in small.items():
    network.load_state_dict(state)
    for batch in (1, 256):
        taken = latency.compare(network, mask, mnist.test.x[:batch])
        times = [f"{1e6 * s:,.0f}" for s in taken.values()]
        rows.append([f"{percent(density)}, batch {batch}", *times, f"{taken['dense'] / min(taken.values()):.1f}×"])
Table(["LeNet-300-100", *(f"{way}, µs" for way in latency.WAYS), "fastest against dense"], rows)

# %% [markdown]
# ## The break-even density
#
# From which density on does the sparse product win? One layer of 1,024 × 1,024, random masks:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Where the lines cross is a property of the machine, not of pruning.
#
# **Ask** Why does a batch of 256 change the picture?
#
# **Expect** A call has a price of its own, and dense products use memory and instructions well.
#
# </details>

# %%
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
# The printed lines are of the machine that ran this; on another one the crossing lies elsewhere. (The dense line should
# be level. Where it is not, that is the noise of the machine, and a crossing near it is uncertain.) What they have in
# common: a dense product reads memory in order and multiplies many numbers in one instruction, while a sparse one looks
# up the place of every weight. So each multiplication that is still done costs a sparse product far more than a dense
# one, and each call has a price of its own, which a small layer and a single image do not earn back. **The paper**
# argues with energy (Fig. 1): to fetch one number from memory costs

# %% tags=["nbval-check-output"]
cost = papers.HAN_PICOJOULE
print(f"{cost['read from DRAM']} pJ, {cost['read from DRAM'] / cost['multiplication']:.0f} times a multiplication;")
print(f"from the small memory on the chip {cost['read from SRAM']} pJ")

# %% [markdown]
# so that a network small enough for the chip saves energy whatever happens to the milliseconds. So much for 12×: that is
# how many times fewer weights there are. The factor in bytes is smaller, and milliseconds are saved only where machine,
# density and batch suit.
#
# ## Dropout, when retraining
#
# AlexNet and VGG-16 are trained with **dropout**: at every step half of the neurons of a dense layer are set to 0, so that
# none relies on another. A pruned layer has less to overfit with. **The paper's** rule (Sec. 3.2, Eq. 1 and 2) is
# $D_r = D_o \sqrt{C_{ir} / C_{io}}$, with $C$ the connections of the layer, retrained and original:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** A rule of one line from the paper: fewer connections need less dropout.
#
# **Ask** A layer keeps a tenth of its connections. More dropout, or less?
#
# **Expect** Less: there is less to overfit with.
#
# </details>

# %%
for name, layers in (("alexnet", ("fc1", "fc2")), ("vgg-16", ("fc6", "fc7"))):
    for layer in layers:
        share = papers.HAN_LAYERS[name][layer].kept
        print(f"{name} {layer}: {share} % kept, dropout 50 % → {percent(rate_after_pruning(0.5, share, 100))}")

# %% [markdown]
# In our networks the layer follows the rule by itself, whenever training begins:

# %% tags=["nbval-check-output"]
thin = models.create("alexnet-one-tower", shape=(3, 64, 64), width=1 / 16)
keep = criteria.magnitude({n: p.detach() for n, p in masks.prunable(thin).items()}, masks.dense(thin), 0.91)
masks.apply(thin, keep).train()
print(f"dropout before fc1: {thin.drop1.dense_rate} dense, {thin.drop1.rate:.3f} at {percent(0.09, 0)} of the weights")

# %% [markdown]
# ## VGG-16 and AlexNet, on CIFAR-10
#
# ImageNet needs a graphics card and days. The same two networks can be had smaller: 32 × 32 pixels, ten classes, batch
# norm in place of dropout (it scales each channel anew over the batch; lesson 04), and thinner layers
# (`models.create("vgg-16-cifar", width=…)`). All layers are pruned *together*, so that each layer's share follows from
# its weights. One of them live, on a tenth of the images, much too short to mean anything but that it runs:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The live run only shows that it runs. What counts is recorded, where it is.
#
# **Ask** Why is top-5 a weak test with ten classes?
#
# **Expect** Five guesses out of ten are right half of the time by chance.
#
# </details>

# %%
runner = runs.Runner("han-alexnet-cifar")
_ = watch(runner, "AlexNet, thin and short")
live = runner.record
number = live.settings["rounds"]
for i in (0, number):
    top1, top5 = live.values("magnitude", i, "test_accuracy"), live.values("magnitude", i, "test_top5_accuracy")
    print(f"P_m {percent(live.values('magnitude', i, 'density')[0])}: top-1 {spread(top1)}, top-5 {spread(top5)}")

# %% [markdown]
# **Top-5** is what the slides' second column counts: right if the class is among the five largest outputs. On ten
# classes that is an easy test (by lot it gives 50 %).
#
# **We recorded** longer runs, on all of CIFAR-10, where they are in this copy of the course:

# %%
found = {name: runs.if_recorded(name, "desk") for name in ("han-alexnet-cifar", "han-vgg-16-cifar")}
recorded = {name: record for name, record in found.items() if record}

# %%
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

# %%
for name, record in shown.items():
    last = record.settings["rounds"]
    print(
        f"{name}, pruned {1 / record.values('magnitude', last, 'density')[0]:.1f}×, in points against its dense self:"
    )
    print(f"  top-1 accuracy {points(record.change('magnitude', last, 'test_accuracy'))}", end="; ")
    print(f"top-5 accuracy {points(record.change('magnitude', last, 'test_top5_accuracy'))}")
    pairs = zip(*(record.values(m, last, "test_accuracy") for m in ("magnitude", "dense")), strict=True)
    print(f"  against the dense network trained on, top-1 accuracy {points([p - d for p, d in pairs])}")
    print(f"  theoretical speed-up {record.values('magnitude', last, 'speed_up')[0]:.1f}×", end="; ")
    print(f"zero activations skipped {record.values('magnitude', last, 'speed_up_skipping_zeros')[0]:.1f}×")
    shares = record.values("magnitude", last, "layers")[0]
    print("  kept:", ", ".join(f"{layer.removesuffix('.weight')} {percent(s, 0)}" for layer, s in shares.items()))

# %% [markdown]
# One caution: the rounds begin at the learning rate of the dense training, not at a hundredth of it as in the paper.
# That was settled on short trial runs of seed 0, by the validation set; of the first ones the test errors were seen,
# too. AlexNet was recorded three times, with rounds of a quarter of its training, of a half, and as long as the
# training: the first two times it was behind its dense self at a ninth. Only the third has a seed, 1, that nobody had
# seen before.
#
# **We recorded** two comparisons, and two answers. Against their dense selves, as in the slides' table, both networks
# lose nothing of their top-1 accuracy: AlexNet at a ninth of its weights, VGG-16 at a tenth, with each seed. Of its
# top-5 accuracy AlexNet loses a little. But the pruned networks have been trained for longer. Against the dense network
# that was trained on for as long, the fair comparison, both are behind: read the second line of each. And in AlexNet a
# mask drawn by lot is no worse as long as half of the weights are left: what the choice is worth shows where few are.
#
# So "no loss" means here that more training has made up for the pruning. Both networks are thinner than the papers',
# VGG-16 more so. What the layers keep depends on their size, not only on being a convolution: read off which layers
# were cut most, and compare with the paper's Tables 4 and 5, where the dense layers are far larger than here.
#
# ## All the way, where ImageNet is at hand
#
# Whoever has ImageNet's folder, or any folder of images laid out like it (`train/CLASS/…`, `val/CLASS/…`), makes the
# slides' last two rows with
#
#     ltcourse record han-alexnet --data PATH --budget paper
#     ltcourse record han-vgg16 --data PATH --budget paper
#
# Images are read batch by batch; AlexNet is the one with a single tower, for which there are published weights;
# torchvision's published weights are taken where they can be had, else the networks are drawn at random and trained
# first, and the record says which; pruned to the paper's shares, fine-tuned at a hundredth of the learning rate with
# the dropout rule, tested for top-1 and top-5. Every epoch is kept: a stopped run goes on behind the last one. A file
# that is no image is named and skipped. **We have not recorded** them: no ImageNet here.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** What the slides' table is really about, and what it would take to repeat it.
#
# **Ask** What would you need to check these rows yourself?
#
# **Expect** The data, graphics cards and days. The commands are there.
#
# </details>

# %% [markdown]
# ## The slides' table
#
# All of it, each cell with its origin: *slides* is the paper's Table 1, *computed* follows from shapes and layer tables,
# *ours* is recorded or run here. For AlexNet and VGG-16 ours is on CIFAR-10, and may not be compared digit by digit.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The whole of S3, row by row: what the slides say, what was counted, what was measured.
#
# **Ask** Which cell of the table convinces you least?
#
# **Expect** Any that was not measured here. That is a good answer: the lesson marks them.
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


# %%
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
# **Say** One factor became four: weights, bytes, arithmetic, milliseconds.
#
# **Ask** If quality does not drop, why not train the small network from scratch?
#
# **Expect** Slide S4. Leave it open; the next lesson begins with it.
#
# </details>

# %%
for name, paper in papers.HAN_TABLE_1.items():
    print(f"{paper.network}: {sparsity.compression(pruned[name]):.1f}× fewer weights,", end=" ")
    print(f"{sparsity.speed_up(pruned[name]):.1f}× fewer FLOP")
best = min((sizes[form][DENSITIES[0]][0], form) for form in sizes)
print(
    f"LeNet-300-100 at {percent(DENSITIES[0])}: {sizes['dense'][DENSITIES[0]][0] / best[0]:.1f}× fewer bytes ({best[1]})"
)
for name, record in recorded.items():
    print(f"{name}: top-1 accuracy {points(record.change('magnitude', record.settings['rounds'], 'test_accuracy'))}")

# %% [markdown]
# The slides' parameter columns follow from shapes and shares. They speak of weights, and mostly of those in dense
# layers; bytes, arithmetic and milliseconds each have a number of their own, mostly a smaller one. And they leave the
# question of S4: if the small network does as well as the large one, **why not train the small one from scratch?**
# Lesson [03](03_lottery_ticket.ipynb) asks it.
#
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` by your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** They are about counting. Exercise 1 is the one to begin with.
#
# **Ask** Which of them could you do without a computer?
#
# **Expect** The counts: that is the point of the lesson.
#
# </details>

# %% [markdown]
# ### 1. Counting parameters
#
# `layers` is a list of (outputs, inputs, kernel, groups), one for each layer: a convolution with kernel · kernel pixels,
# whose outputs see the inputs of their own group only; a dense layer has kernel 1 and one group. Return how many
# parameters the network has, weights and biases. (The check goes up to VGG-16.)


# %% tags=["exercise"]
def count_parameters(layers):
    return None


# %%
checks.count_parameters(count_parameters)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# One output sums inputs / groups channels, each over kernel · kernel pixels. How many outputs are there?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Groups divide the inputs of each output, and do not change how many outputs there are. Every output has one bias.
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
# `keep` is a mask, read row by row; each weight kept is stored as 4 bytes and, in `bits` bits, the number of pruned
# weights since the one stored before it (for the first: since the beginning). The largest gap is 2^bits − 1. Where a gap
# is wider, a filler is stored after 2^bits − 1 pruned weights: it stands on the next pruned one, has a value 0 of 4
# bytes and a gap like any other. Behind the last weight kept, nothing is stored. Return the bytes of values and gaps; a
# byte that is begun is a whole one.


# %% tags=["exercise"]
def relative_bytes(keep, bits):
    return None


# %%
checks.relative_bytes(relative_bytes)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# `keep.flatten().nonzero().flatten()` are the positions. A gap is the difference of two neighbors, minus 1; before the
# first, imagine one at −1.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A filler takes 2^bits places with it: the pruned weights before it and its own. So a gap needs gap // 2^bits of them.
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
# `storage.encode` makes the bytes, `storage.decode` reads them.
#
# </details>

# %% [markdown]
# ### 3. Dropout for retraining
#
# A layer was trained with dropout `rate`, and `kept` of its `total` weights are left. Which rate is it retrained with?


# %% tags=["exercise"]
def retraining_dropout(rate, kept, total):
    return None


# %%
checks.retraining_dropout(retraining_dropout)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# A layer between $N$ and $N$ neurons has $N^2$ weights. Dropout speaks of neurons, pruning of weights.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The rule is in "Dropout, when retraining". `rate` is the share that is dropped.
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
# A matrix of `rows` × `columns`. Dense, a weight has 32 bits. In CSR a weight kept has 32 bits and a column of
# `index_bits` bits, and `rows` + 1 numbers of 32 bits say where the rows begin and the last one ends. At which density
# are the two equally large? If a product with one image did nothing but wait for memory, that would also be the density
# below which the sparse one is faster: a prediction that can be tested.


# %% tags=["exercise"]
def break_even_density(rows, columns, index_bits):
    return None


# %%
checks.break_even_density(break_even_density)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Write down the bits of both, with the density as the unknown.
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
# Then measure it: is the density that you predict the one below which the product is faster?

# %%
predicted = break_even_density(1024, 1024, 32)
print("predicted:", "not done yet" if predicted is None else percent(predicted))
found = latency.sweep(1024, 1024, 1, SWEEP)
for way in latency.WAYS[1:]:
    here = latency.break_even(SWEEP, found["dense"], found[way])
    print(f"measured, batch 1, {way}:", "nowhere" if here is None else percent(here))

# %% [markdown]
# Where a measured density lies below the predicted one, memory alone does not decide: looking up places costs time, too.
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
