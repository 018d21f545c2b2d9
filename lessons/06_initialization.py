# %% [markdown]
# # Initialization
#
# **Question** How large should the random numbers be that a network begins with, and what happens if they are not?
#
# **Slides** S12
#
# **Before you start** Lesson [03](03_lottery_ticket.ipynb): initial weights, ticket. Mean and variance of a random
# number, and that the variances of independent ones add up.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** thirty multiplications · one neuron adds up · ReLU halves it · the way back · convolutions · thirty layers ·
# move the gain · other activations · does it train? · two values · what tickets it holds · exercises

# %%
from math import sqrt

import matplotlib.pyplot as plt
import torch
from torch import nn

from ltcourse import data
from ltcourse.classroom import checks
from ltcourse.display import plots, widgets
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points, spread
from ltcourse.experiments import catalog, runs
from ltcourse.instruments import signals
from ltcourse.instruments.signals import rms
from ltcourse.networks import initializers, models
from ltcourse.networks.initializers import initialize, kaiming_normal, signed_constant, with_gain, xavier_normal

plots.use_style()
mnist = data.load("mnist")
images, labels = mnist.train.x[:200], mnist.train.y[:200]

# %% [markdown]
# ## Thirty multiplications
#
# A layer multiplies its inputs by weights and adds up; the next layer does it again. Thirty layers do it thirty times,
# and what is multiplied thirty times by a number a little below 1 is soon nothing, and by a number a little above 1 soon
# enormous.
#
# Here are 200 digits on their way through thirty layers of 100 neurons with ReLU. The weights are drawn from a normal
# distribution with mean 0, and `std` is its standard deviation. For one number a layer we take the **spread**: the root
# of the mean of the squares, over all neurons and images.
#
# *Predict: for which of the four is the thirtieth layer about as large as the images?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The problem in four lines of output. Collect guesses first.
#
# **Ask** For which of the four does the signal survive thirty layers?
#
# **Expect** Most expect the smallest or the largest. One in the middle, and its neighbors miss by powers of ten.
#
# </details>

# %%
generator = torch.Generator().manual_seed(0)
print(f"the images: {rms(images):.2f}")
for std in (0.05, 0.1, 0.14, 0.2):
    a = images.flatten(1)
    for _ in range(30):
        w = std * torch.randn(100, a.shape[1], generator=generator)
        a = torch.relu(a @ w.T)
    print(f"std {std}: after 30 layers {rms(a):.1e}")

# %% [markdown]
# One of the four keeps the size, and its neighbors miss it by powers of ten. Twice as large a number does not make the
# result twice as large. Which number is it, and why? **The slides give** two answers (S12), in which $n_i$ is the number of
# neurons in layer *i*:
#
# $$\text{Xavier: } \mathrm{std}_i = \sqrt{\frac{2}{n_{i-1} + n_i}} \qquad\qquad
# \text{Kaiming: } \mathrm{std}_i = \sqrt{\frac{2}{n_{i-1}}}$$
#
# They are named after the first names of their authors, Xavier Glorot and Kaiming He. Three observations lead to both.
#
# ## One neuron adds up
#
# A neuron of layer *i* receives the $n_{i-1}$ numbers $a_1, a_2, \dots$ of the layer before, and adds up as many products:
# $z = w_1 a_1 + w_2 a_2 + \dots$ (Left. The right side is for later.)

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** On the board: square the sum, the mixed terms are 0 in the mean, count the rest. This is the whole lesson.
#
# **Ask** More inputs: larger or smaller weights?
#
# **Expect** Smaller: the squares of all inputs add up.
#
# </details>

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4.8))
plots.layer_sums(6, 4, axes[0])
_ = plots.layer_sums(6, 4, axes[1], back=True)

# %% [markdown]
# The weights are drawn independently, of the inputs and of each other, with mean 0 and variance $\sigma^2$. How large is
# $z$, in the mean square?
#
# - Square the sum: there are the squares $w_k^2 a_k^2$, and the mixed products $w_k w_l \, a_k a_l$.
# - The mixed ones are 0 in the mean, since $w_k$ and $w_l$ are independent with mean 0.
# - A square is $\sigma^2 \, a_k^2$ in the mean. There are $n_{i-1}$ of them.
#
# $$\overline{z^2} = n_{i-1} \, \sigma^2 \, \overline{a^2}$$
#
# The bar is the mean. Nothing was asked of the inputs but their mean square: they may all be positive, as pixels are. Try
# it, one layer of 5,000 neurons:

# %%
n, std = 784, 0.03
a = images.flatten(1)
z = a @ (std * torch.randn(5000, n, generator=generator)).T
print(f"mean square of z: {z.square().mean():.4f}")
print(f"n σ² times that of the inputs: {n * std**2 * a.square().mean():.4f}")

# %% [markdown]
# So a layer without an activation multiplies the mean square by $n_{i-1} \sigma^2$, and keeps it if
# $\sigma^2 = 1 / n_{i-1}$. The more inputs, the smaller each weight.
#
# ## ReLU halves it
#
# Behind the sum stands ReLU: negative numbers become 0. Since $w$ is as often negative as positive, so is $z$: half of
# the squares go, and those of the other half stay.
#
# $$\overline{\mathrm{relu}(z)^2} = \tfrac{1}{2}\, \overline{z^2}$$
#
# *Predict: is the **variance** of relu(z) half of that of z, too?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Half of the squares go. That is the 2 in Kaiming's formula.
#
# **Ask** Is the variance halved, too?
#
# **Expect** Most say yes. No: after ReLU the mean is not 0. The mean square is what matters.
#
# </details>

# %%
r = torch.relu(z)
print(f"mean square: {r.square().mean() / z.square().mean():.3f} of that of z")
print(f"variance:    {r.var() / z.var():.3f} of that of z")

# %% [markdown]
# The mean square is halved, the variance loses more: after ReLU the mean is no longer 0, and the variance does not count
# it. The next neuron adds up squares, so the mean square is what matters. Together:
#
# $$\overline{a_i^2} = \tfrac{1}{2} \, n_{i-1} \, \sigma^2 \; \overline{a_{i-1}^2}$$
#
# It stays as it is if the factor is 1, that is $\sigma^2 = 2 / n_{i-1}$: **Kaiming's formula** (He et al. 2015, Eq. 10).
# For layers of 100 neurons it says 0.141. That was one of the four numbers above.
#
# In the library an initializer is a function: a weight tensor and a random generator in, the drawn weights out. A
# weight has the shape (neurons out, neurons in), so a row is what one neuron multiplies by.


# %%
def by_hand(weight, generator):
    fan_in = weight[0].numel()  # how many products one neuron adds up
    return torch.randn(weight.shape, generator=generator) * sqrt(2 / fan_in)


# %% tags=["nbval-check-output"]
layer = torch.empty(100, 784)
mine, library = (draw(layer, torch.Generator().manual_seed(1)) for draw in (by_hand, kaiming_normal))
pytorch = nn.init.kaiming_normal_(layer, nonlinearity="relu", generator=torch.Generator().manual_seed(1))
print("by hand and by the library, the same weights:", torch.equal(mine, library))
print("and by PyTorch:", torch.allclose(mine, pytorch))

# %% [markdown]
# ## The way back
#
# Training sends gradients through the same weights, in the other direction. What a neuron of layer *i* − 1 receives, the
# derivative of the loss by its number, is again a sum of products, one from each neuron that it feeds: of the $n_i$
# neurons of the *next* layer (right side of the figure). The same calculation gives, without an activation,
#
# $$\overline{g_{i-1}^2} = n_i \, \sigma^2 \; \overline{g_i^2}$$
#
# and asks for $\sigma^2 = 1 / n_i$. Two wishes for one number! If the layers are of different sizes, both cannot be had.
# **Xavier's formula** takes the mean of the two counts (Glorot & Bengio 2010, Eq. 12):
#
# $$\sigma^2 = \frac{1}{(n_{i-1} + n_i) / 2} = \frac{2}{n_{i-1} + n_i}$$
#
# The 2 above has nothing to do with ReLU: it is the 2 of the mean. The formula is of 2010 and made for tanh, which is
# nearly a straight line of slope 1 around 0. Kaiming's is of 2015 and made for ReLU, where the gradient, too, passes only
# half of the neurons. It fulfills the wish of the way forward alone. On the way back a layer then has the factor
# $n_i / n_{i-1}$, and in the product of all layers every count but the first and the last cancels: it does not grow with
# the depth (He et al. 2015, Sec. 2.2).
#
# (On the way back we have pretended that gradients and weights are independent. They are not quite, and it works well
# enough: you will see.)

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The same sum in the other direction, and so another count. Two wishes, one number: that is Xavier's
# compromise.
#
# **Ask** Where does the 2 in Xavier's formula come from?
#
# **Expect** From the mean of two counts, not from ReLU.
#
# </details>

# %%
lenet = models.create("lenet-300-100")
rows = []
for name, w in lenet.named_parameters():
    if w.dim() == 2:
        after, before = w.shape
        xavier, kaiming = sqrt(2 / (before + after)), sqrt(2 / before)
        rows.append([name, before, after, f"{xavier:.4f}", f"{w.std():.4f}", f"{kaiming:.4f}"])
Table(["LeNet-300-100", "n before", "n after", "Xavier", "drawn (Xavier)", "Kaiming"], rows)

# %% [markdown]
# ## Convolutions
#
# "Number of neurons" is not enough for a convolution. What counts is how many products a number is the sum of. The
# weight has the shape (channels out, channels in, height, width), and one number of the output adds up over all channels
# in *and* the whole window of height × width. This is the **fan-in**. On the way back a number collects from all
# channels out, and from every position of the window: the **fan-out**. The kernel's area counts in both.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** What counts is the number of products that are added up: the window belongs to it.
#
# **Ask** Leave the area out: how much too large is the spread after eight layers?
#
# **Expect** Three times a layer. The program runs, and nothing warns.
#
# </details>

# %% tags=["nbval-check-output"]
w = models.create("conv-2").conv2.weight
print("shape", tuple(w.shape))
print("fan-in  by hand:", w.shape[1] * 3 * 3, "= numbers in", tuple(w[0].shape))
print("fan-out by hand:", w.shape[0] * 3 * 3, "= numbers in", tuple(w[:, 0].shape))
print("library:", initializers.fans(tuple(w.shape)))
print("PyTorch:", nn.init._calculate_fan_in_and_fan_out(w))

# %% [markdown]
# Leaving the area out is the classic error: the formula on the slide *reads* as if $n_{i-1}$ were the channels. What does
# it do? Eight convolutions of 3×3, with ReLU.
#
# *Predict: how much too large is the spread after eight layers?*


# %%
def without_area(weight, generator):
    return torch.randn(weight.shape, generator=generator) * sqrt(2 / weight.shape[1])


stack = nn.Sequential()
for channels in [1] + [32] * 7:
    stack.extend([nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU()])
stack.extend([nn.Flatten(), nn.Linear(32 * 28 * 28, 10)])

found = {}
for label, draw in (("with the area", kaiming_normal), ("without the area", without_area)):
    initialize(stack, draw, seed=0)
    found[label] = [signals.measure(stack, images[:30], labels[:30]).activations[:-1]]

figure, ax = plt.subplots()
plots.through_layers(found, ax, ylabel="spread")
for label, (spreads,) in found.items():
    print(f"{label}: × {signals.factor(spreads):.2f} a layer, × {spreads[-1] / spreads[0]:,.1f} after 8")

# %% [markdown]
# The variance is 9 times too large, so each layer multiplies by 3 too much: 3⁸ = 6,561 after eight. (Not exactly: at the
# border of an image the window reaches over it, and adds up fewer products.) The program runs, nothing warns, and the
# network will not train.
#
# ## Thirty layers
#
# Back to dense layers, now with a name: `signals.plain` builds a network of dense layers and nothing else, and
# `signals.measure` sends images through it and their loss back. Five initializations, with ReLU and with tanh, three
# seeds each. "Too small" and "too large" are the same std for every layer, by hand.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Read activations from left to right, gradients from right to left.
#
# **Ask** Which lines are straight, and which way do the gradients go?
#
# **Expect** With ReLU all: each layer multiplies by the same factor, the one that was calculated.
#
# </details>


# %%
def fixed(std):
    return lambda weight, generator: std * torch.randn(weight.shape, generator=generator)


candidates = {
    "zero": fixed(0.0),
    "too small": fixed(0.05),
    "xavier": xavier_normal,
    "kaiming": kaiming_normal,
    "too large": fixed(0.4),
}
measured = {
    (activation, name): [
        signals.measure(signals.plain(30, 100, activation=activation, initializer=draw, seed=seed), images, labels)
        for seed in range(3)
    ]
    for activation in ("ReLU", "tanh")
    for name, draw in candidates.items()
}

# %% [markdown]
# *Predict: which lines will be straight on a logarithmic axis? Which level? And in which direction do the gradients go?*

# %%
for activation in ("ReLU", "tanh"):
    figure, axes = plt.subplots(1, 2, figsize=(15, 4.8))
    for ax, what in zip(axes, ("activations", "gradients"), strict=True):
        curves = {name: [getattr(s, what) for s in measured[activation, name]] for name in candidates}
        title = f"{activation}: {what}"
        plots.through_layers(curves, ax, ylabel="spread", title=title, legend=what == "gradients")

# %% [markdown]
# Activations are read from left to right. Gradients arise at the right, at the loss, and are read from right to left.
# With ReLU each line is straight: every layer multiplies by the same factor, and the factor is nearly the one that we
# have calculated. (Forward it is a little less: the formula is about the mean over many draws, and a typical draw of
# 100 neurons falls short of it.)

# %%
predicted = {"too small": 0.05 * sqrt(50), "xavier": sqrt(0.5), "kaiming": 1.0, "too large": 0.4 * sqrt(50)}
rows = []
for name, expected in predicted.items():
    seen = measured["ReLU", name]
    forward = sum(signals.factor(s.activations[1:-1]) for s in seen) / len(seen)  # hidden layers, 100 → 100
    back = sum(1 / signals.factor(s.gradients[1:-1]) for s in seen) / len(seen)
    total = seen[0].activations[-1] / seen[0].activations[0]
    rows.append([name, f"{expected:.2f}", f"{forward:.2f}", f"{back:.2f}", f"{total:.0e}"])
Table(["ReLU, factor a layer", "calculated", "forward", "back", "after 30, seed 0"], rows)

# %% [markdown]
# - **Zero**: nothing goes through, nothing comes back, and no weight will ever change. Another constant would not
#   help: all neurons of a layer would compute the same, and be changed in the same way. Chance must tell them apart.
# - **Xavier with ReLU**: for layers of equal size Xavier is $1/n$, so ReLU halves the mean square thirty times.
# - **tanh** forgives on the way forward: it never exceeds 1, so that even "too large" looks healthy; its gradients
#   explode on the way back. And Xavier, made for tanh, lets the signal fade slowly: away from 0 tanh is flatter than
#   there, and a somewhat larger gain makes up for that. Both figures are needed for a diagnosis.
#
# ## Move the gain
#
# The **gain** is the std times $\sqrt{n_{i-1}}$: 1 is Xavier's (for layers of equal size), √2 is Kaiming's. Two networks a
# picture. Things to find:
#
# - With ReLU and 30 layers, how far may the gain be from √2 before a signal is lost?
# - Set the gain to √2 and the width to 10. Is the spread still kept, in each network?
# - With tanh, which gain keeps the gradients? Does the same gain keep the activations?

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Take the three tasks of the text. Somebody at the keyboard, the room decides.
#
# **Ask** With ReLU and 30 layers, how far may the gain be from √2?
#
# **Expect** Not far. Then set the width to 10: even the right gain does not save a narrow network.
#
# </details>

# %%
explorer = widgets.SignalExplorer(
    images[:30],
    labels[:30],
    depths=(5, 15, 30),
    widths=(10, 30, 100),
    gains={"0.5": 0.5, "1 (Xavier)": 1.0, "1.2": 1.2, "√2 (Kaiming)": sqrt(2), "1.6": 1.6, "2": 2.0, "3": 3.0},
)
widgets.explore(
    explorer.draw, depth=explorer.depths, width=explorer.widths, gain=explorer.gains, activation=explorer.activations
)

# %% [markdown]
# Narrow networks wander, even with the right gain. The formulas speak of a mean over many draws; one draw of 10 neurons is
# far from it, and thirty such layers multiply their errors. How far a ReLU network strays is decided by the sum of
# 1 / width over its layers (**shown by** Hanin & Rolnick 2018): deep networks must be wide, too.
#
# ## Other activations
#
# Every activation takes away another share of the mean square, so each has a gain of its own. PyTorch has a table of
# recommended ones, `nn.init.calculate_gain`. Do they keep the spread, over 30 layers?

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Every activation takes another share of the square.
#
# **Ask** Is PyTorch's gain for tanh derived?
#
# **Expect** No, a convention. Exercise 2 finds the gain that keeps the sums z at a spread of 1.
#
# </details>

# %%
rows = []
for activation, name in (("none", "linear"), ("ReLU", "relu"), ("tanh", "tanh")):
    gain = nn.init.calculate_gain(name)
    network = signals.plain(30, 300, activation=activation, initializer=with_gain(gain), seed=0)
    hidden = signals.measure(network, images, labels).activations[1:-1]
    rows.append([activation, f"{gain:.3f}", f"{hidden[0]:.2f}", f"{hidden[14]:.2f}", f"{hidden[-1]:.2f}"])
Table(["activation", "recommended gain", "layer 1", "layer 15", "layer 29"], rows)

# %% [markdown]
# For ReLU, √2 follows from the calculation above; a single draw wanders a little. That of tanh, 5/3, is a convention:
# the spread settles, below 1, since tanh never exceeds 1. Exercise 2 asks you for the gain that keeps the *sums* z at a
# spread of 1.
#
# ## Does it train?
#
# With ReLU there is something special about the scale. ReLU(c · z) is c · ReLU(z) for positive c. So if all weights of a
# layer are multiplied by a constant, so is everything behind it. Draw two networks from the same random numbers, one with
# Xavier's std and one with Kaiming's:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Two networks that differ by one factor. Start the run while you explain why they give each image the same
# class.
#
# **Ask** At which depth does Xavier fall behind? Does Adam need Kaiming at all?
#
# **Expect** Not in five layers. Read off the deepest line, with and without Adam.
#
# </details>

# %% tags=["nbval-check-output"]
logits = {}
for name in ("xavier", "kaiming"):
    network = signals.plain(30, 100, initializer=initializers.named(name), seed=0)
    with torch.inference_mode():
        logits[name] = network(images).double()
ratio = logits["kaiming"] / logits["xavier"]
print("all logits differ by one and the same factor:", torch.allclose(ratio, ratio.mean().expand_as(ratio), rtol=0.01))
print("they give each image the same class:", torch.equal(*(z.argmax(1) for z in logits.values())))

# %% [markdown]
# They are the same function but for a factor. All that differs is the size of what goes through and of what comes back.
# Does it matter for training? Three depths, two seeds, SGD with the same learning rate for all; for the deepest ones
# also Adam, which divides every gradient by its own size.
#
# *Predict: at which depth will Xavier fall behind? And does Adam need Kaiming at all?*

# %%
settings = catalog.settings("depth")
runner = runs.Runner("depth")
_ = watch(runner, "depth", total=len(settings.seeds) * settings.trainings)
depth = runner.record

# %%
methods = (*settings.initializers, "xavier and Adam", "kaiming and Adam")
accuracy = {method: depth.by("depth", "test_accuracy", method) for method in methods}
most_frequent = mnist.test.y.bincount().max().item() / len(mnist.test)
figure, ax = plt.subplots()
curves = {name: accuracy[name] for name in settings.initializers}
title = f"SGD, {settings.recipe.iterations} iterations"
_ = plots.against_depth(curves, ax, guess=most_frequent, title=title)

# %%
deepest = settings.depths[-1]
print(f"{deepest} layers, test accuracy (always the most frequent digit: {percent(most_frequent)})")
for method, by_depth in accuracy.items():
    print(f"  {method:17s} {spread(by_depth[deepest], 1)}")

# %% [markdown]
# Read off three things. In five layers not much can be lost, and training makes up for it. (So the choice in
# LeNet-300-100 is a matter of taste.) Where a line lies on the dashed one, the network says the same digit to every image.
# And compare the lines with and without Adam: it rescales each gradient, but not what goes forward.
#
# **The paper reports** the same for convolutional networks on photographs (He et al. 2015, Sec. 2.2): from both formulas a
# deep network learns, from Kaiming's sooner; a still deeper one learns from Kaiming's alone.
#
# Be fair, though. How much have the deepest networks learned from Kaiming, beside the shallow ones, and how far apart are
# two seeds? The scale is right, and something else is not. Take two different images, and the numbers that they cause in a
# layer, as two vectors: what is the cosine of the angle between them? (1: the layer cannot tell them apart, but for a
# factor.)

# %%
network = signals.plain(30, 100, initializer=kaiming_normal, seed=0)
a, number = images[:50], 0
with torch.inference_mode():
    for module in network:
        a = module(a)
        number += isinstance(module, nn.ReLU)
        if isinstance(module, (nn.Flatten, nn.ReLU)) and number in (0, 1, 5, 10, 20, 29):
            b = nn.functional.normalize(a)
            cosines = (b @ b.T)[~torch.eye(50, dtype=torch.bool)]
            print(f"layer {number:2d}: cosine {cosines.mean():.3f} on average, {cosines.min():.3f} at least")

# %% [markdown]
# A deep ReLU network before training maps all digits to nearly the same direction, whatever the scale. The formulas
# keep the *size* of the signal, not what it says. This is one reason why networks of real depth also have the shortcuts
# and the batch norm of lesson [04](04_when_tickets_fail.ipynb). Where those are, the choice between the formulas
# matters far less.
#
# A longer comparison, with more depths and seeds, and with the third initialization that follows now:
# `ltcourse record depth --budget desk`.
#
# ## Two values
#
# There is a third initialization in this course: the **signed constant** of Ramanujan et al. (2020, Sec. 4.1). Every weight
# is $+\sqrt{2 / n_{i-1}}$ or $-\sqrt{2 / n_{i-1}}$, by the toss of a coin. The calculation above asked two things of the
# weights: mean 0, and variance $2 / n_{i-1}$. Two values fulfill them as well as a bell curve does.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Mean 0 and the right variance: two values fulfill both as well as a bell curve.
#
# **Ask** Why would anybody want that?
#
# **Expect** Then only signs are left to choose by: the bridge to lesson 07.
#
# </details>

# %%
layer = torch.empty(300, 784)
figure, axes = plt.subplots(1, 2, figsize=(13, 4), sharex=True)
for ax, draw, name in zip(axes, (kaiming_normal, signed_constant), ("kaiming", "signed constant"), strict=True):
    w = draw(layer, torch.Generator().manual_seed(0))
    plots.weight_histogram(w, ax, limit=0.2, title=f"{name}: std {w.std():.4f}")
    network = [signals.plain(30, 100, initializer=draw, seed=seed) for seed in range(3)]
    layers = [signals.factor(signals.measure(n, images, labels).activations[1:-1]) for n in network]
    print(f"{name}: × {sum(layers) / 3:.2f} a layer through 30 layers")

# %% [markdown]
# Why would anybody want that? Because all *magnitudes* are then equal, and only the signs are left to chance. Zhou et
# al. (2019) had found that of a ticket's initial weights the sign matters most (which is contested: later work finds
# that deep networks do not stand newly drawn magnitudes with the old signs). Ramanujan et al. do not train weights at
# all: they only choose which to keep. With two values there is nothing left to choose by but the place and the sign,
# and it works better: for a ResNet-50 that keeps 30 % of its random weights **the paper reports** 68.6 % on ImageNet,
# instead of 61.7 % from Kaiming's formula. That is lesson 07.
#
# ## What tickets it holds
#
# Does the choice change pruning? Magnitude pruning removes small weights, and where a weight ends depends on where it
# began. From the signed constant all begin at the same magnitude: which ones are pruned is decided by training alone.
#
# The lottery of lesson 03, from all three initializations, with seven of the paper's rounds taken as one. Beside the last
# ticket: its mask with newly drawn weights, from the same initialization.
#
# *Predict: will one of them lose more by pruning than the others?*

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Does the start change what pruning finds?
#
# **Ask** Will one of the three lose more by pruning than the others?
#
# **Expect** Compare seed by seed, and see whether the seeds agree on the sign.
#
# </details>

# %%
settings = catalog.settings("first-tickets-lenet-300-100")
runner = runs.Runner("first-tickets-lenet-300-100")
_ = watch(runner, "tickets", total=len(settings.seeds) * settings.trainings)
first = runner.record

# %%
figure, ax = plt.subplots()
curves = {name: first.curve(name, "test_accuracy") for name in settings.initializers}
_ = plots.against_density(curves, ax, ylabel="test accuracy")
ax.set_title(f"LeNet-300-100, {settings.recipe.iterations} iterations a round, {len(settings.seeds)} seeds")

last = settings.rounds
kept = percent(first.values("xavier", last, "density")[0])
rows = []
for name in settings.initializers:
    dense, ticket = (first.values(name, n, "test_accuracy") for n in (0, last))
    redrawn = first.values(f"{name}, re-initialized", last, "test_accuracy")
    rows.append([name, *(spread(values) for values in (dense, ticket, redrawn))])
Table(["from", "dense", f"ticket at {kept}", "its mask, re-initialized"], rows)

# %% [markdown]
# Which of the differences are more than noise? A seed means the same random numbers for Xavier and for Kaiming, and for
# all three the same order of the examples, so compare seed by seed, and see whether the seeds agree on the sign. And how
# far apart are two seeds of the same initialization?


# %%
def compare(method, other, number):
    pairs = zip(
        first.values(method, number, "test_accuracy"), first.values(other, number, "test_accuracy"), strict=True
    )
    differences = [a - b for a, b in pairs]
    agree = len({d > 0 for d in differences}) == 1 and 0 not in differences
    return f"{points(differences)}, {'the seeds agree' if agree else 'within the noise'}"


for number, what in ((0, "dense"), (last, "ticket")):
    for method in ("kaiming", "signed constant"):
        print(f"{what:6s}: {method} minus Xavier {compare(method, 'xavier', number)}")
for name in settings.initializers:
    print(f"ticket minus re-initialized, {name}: {compare(name, f'{name}, re-initialized', last)}")

# %% [markdown]
# Read the last three lines first: does the ticket beat its own mask with new weights, whichever the initialization? And is
# that more than what the initializations differ by? A few tenths of a point between two initializations are not a finding
# with two seeds, even where these agree: two coins agree in half of the cases. If the signed constant is ahead after
# pruning, one possible reason was named above. A proof would take more seeds, longer trainings and a test of that
# reason; `ltcourse record first-tickets-lenet-300-100 --budget desk` is a beginning.
#
# **The paper** on tickets uses Xavier's formula (with a normal distribution: Frankle & Carbin 2019, Fig. 2), and so do the
# LeNets of lesson 03.
#
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Two formulas, one calculation.
#
# **Ask** Where does it not matter?
#
# **Expect** In shallow networks, and where there is batch norm.
#
# </details>

# %%
forward = {
    name: sum(signals.factor(s.activations[1:-1]) for s in measured["ReLU", name]) / len(measured["ReLU", name])
    for name in ("xavier", "kaiming")
}
print(f"a ReLU layer multiplies the spread by {forward['xavier']:.2f} (Xavier), {forward['kaiming']:.2f} (Kaiming)")
print(f"{deepest} layers, SGD, {len(depth.trials)} seeds:")
for name in ("xavier", "kaiming"):
    print(f"  {name:15s} {spread(accuracy[name][deepest], 1)}")
print(f"tickets of LeNet-300-100 at {kept}:")
for name in settings.initializers:
    print(f"  {name:15s} minus dense {points(first.change(name, last, 'test_accuracy'))}")

# %% [markdown]
# The two formulas of the slide are two answers to one wish: that a signal keeps its size through many layers. Kaiming's
# keeps what goes forward, and counts that ReLU halves it; Xavier's is a compromise between forward and back, for
# activations that do not. In shallow networks either will do. In deep ones, with SGD, the scale decides how much is
# learned in the same time, and in the deepest here whether anything is. And a *good* beginning can be made of two
# values: in lesson 07 it is all that a network will ever have.

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` by your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Exercise 1 counts the fan-in of any layer.
#
# **Ask** What is it for a convolution?
#
# **Expect** Channels in times the window.
#
# </details>

# %% [markdown]
# ### 1. Both formulas
#
# `shape` is that of a weight: (out, in) of a dense layer, or (out, in, height, width) of a convolution. Return the pair of
# standard deviations (Xavier, Kaiming).


# %% tags=["exercise"]
def xavier_and_kaiming(shape):
    return None


# %%
checks.xavier_and_kaiming(xavier_and_kaiming)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# In place of $n_{i-1}$ stands the fan-in, in place of $n_i$ the fan-out: see "Convolutions". A dense layer is a convolution
# with a window of one number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `shape[2:]` is the window, `()` for a dense layer. `math.prod` of it is its area, and of `()` it is 1.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def xavier_and_kaiming(shape):
#     area = torch.Size(shape[2:]).numel()
#     fan_in, fan_out = shape[1] * area, shape[0] * area
#     return sqrt(2 / (fan_in + fan_out)), sqrt(2 / fan_in)
# ```
#
# `initializers.fans` returns the two counts.
#
# </details>

# %% [markdown]
# ### 2. The gain of an activation
#
# `activation` is a function of a tensor, number by number. If $z$ is normal with mean 0 and variance 1, how much of its mean
# square does the activation leave? Return the gain that makes up for it: the number by which the weights must be multiplied,
# so that the mean square is 1 again. Within 2 %.


# %% tags=["exercise"]
def keeping_gain(activation):
    return None


# %%
checks.keeping_gain(keeping_gain)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# For ReLU a half is left, and the gain is √2. Where does the root come from?
#
# </details>
# <details><summary>Hint 2</summary>
#
# You need no integral: draw. A hundred thousand numbers from `torch.randn`, with a generator of your own, are enough.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def keeping_gain(activation):
#     z = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
#     return 1 / activation(z).square().mean().sqrt().item()
# ```
#
# For tanh it is not the 5/3 of PyTorch's table.
#
# </details>

# %% [markdown]
# ### 3. A diagnosis
#
# `spreads` are the spreads of the activations, a list: first the images, then layer after layer. Return a pair.
#
# - Second: the factor by which a layer multiplies the spread, the geometric mean of all layers.
# - First: `"too small"` if this factor is below 0.95, `"too large"` if it is above 1.05, else `"kept"`.
#
# The first spread is positive; later ones can be 0 or infinite, and so can the factor.


# %% tags=["exercise"]
def diagnose(spreads):
    return None


# %%
checks.diagnose(diagnose)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Multiply the factors of all layers: what cancels? Only two of the spreads are needed.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Three spreads are two layers. The geometric mean of *n* factors is the *n*-th root of their product: `product ** (1 / n)`.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def diagnose(spreads):
#     factor = (spreads[-1] / spreads[0]) ** (1 / (len(spreads) - 1))
#     return "too small" if factor < 0.95 else "too large" if factor > 1.05 else "kept", factor
# ```
#
# `signals.factor` is the second half.
#
# </details>

# %% [markdown]
# ### 4. Fill a network
#
# Fill `network` in place from Kaiming's formula, with normal numbers: every weight of every dense layer and of every
# convolution, drawn from `generator`, one after the other. Their biases become 0. Return the network. A layer may have no
# bias, and may be inside another one; norm layers stay as they are.


# %% tags=["exercise"]
def fill_kaiming(network, generator):
    return None


# %%
checks.fill_kaiming(fill_kaiming)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Go through `network.modules()`, which also finds the layers inside others. Dense layers are `nn.Linear`, convolutions
# `nn.Conv2d`. Write into `layer.weight` under `with torch.no_grad():`, with `copy_(…)`, and into `layer.bias`, if it is
# not None, with `zero_()`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `layer.weight[0].numel()` is the fan-in, of dense layers and of convolutions.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def fill_kaiming(network, generator):
#     with torch.no_grad():
#         for layer in network.modules():
#             if isinstance(layer, (nn.Linear, nn.Conv2d)):
#                 w = layer.weight
#                 w.copy_(torch.randn(w.shape, generator=generator) * sqrt(2 / w[0].numel()))
#                 if layer.bias is not None:
#                     layer.bias.zero_()
#     return network
# ```
#
# `initializers.initialize` does this with any initializer, and sets norm layers back to what PyTorch makes them.
#
# </details>

# %% [markdown]
# ## References
#
# - Xavier Glorot, Yoshua Bengio: *Understanding the Difficulty of Training Deep Feedforward Neural Networks*, 2010. The first
#   formula, and figures of activations and gradients by layer.
# - Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun: *Delving Deep into Rectifiers*, 2015, arXiv:1502.01852. The second
#   formula.
# - Boris Hanin, David Rolnick: *How to Start Training: The Effect of Initialization and Architecture*, 2018,
#   arXiv:1803.01719. Why deep networks must be wide.
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a Randomly
#   Weighted Neural Network?*, 2019, arXiv:1911.13299. The signed constant.
# - Hattie Zhou, Janice Lan, Rosanne Liu, Jason Yosinski: *Deconstructing Lottery Tickets*, 2019, arXiv:1905.01067. What of the
#   first values matters.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis*, 2019, arXiv:1803.03635. Tickets from Xavier's formula.
