# %% [markdown]
# # Initialization
#
# **Question** How large should a network's initial random weights be, and what happens if they are too small or too
# large?
#
# **Slides** S12
#
# **Before you start** Lesson [03](03_lottery_ticket.ipynb): initial weights, ticket. You need the mean and the variance
# of a random number, and that the variances of independent numbers add up.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** thirty multiplications · one neuron adds up · ReLU halves it · the way back · convolutions · thirty layers ·
# move the gain · other activations · does it train? · two values · what tickets it holds · exercises

# %%
from math import log10, sqrt
from statistics import fmean

import matplotlib.pyplot as plt
import torch
from torch import nn

from ltcourse import data
from ltcourse.classroom import checks
from ltcourse.classroom.predictions import predict, reveal, summary
from ltcourse.display import layers, plots, widgets
from ltcourse.display.layers import layer_sums
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
# A layer multiplies its inputs by weights and adds up the products; the next layer does it again. Thirty layers do it
# thirty times. A signal that is multiplied thirty times by a number a little below 1 vanishes; one that is multiplied
# thirty times by a number a little above 1 explodes.
#
# The next cell sends 200 digits through thirty layers of 100 neurons with ReLU. The weights are drawn from a normal
# distribution with mean 0 and standard deviation `std`. We describe each layer by one number, the **spread**: the root
# of the mean square (`rms`), over all neurons and images.

# %% tags=["hide-input"]
predict("06.spread")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Four lines of output show the problem. Collect guesses first.
#
# **Ask** For which of the four does the signal survive thirty layers?
#
# **Expect** Most guess the smallest or the largest. It is one in the middle, and its neighbors miss by powers of ten.
#
# </details>

# %% tags=["hide-output"]
generator = torch.Generator().manual_seed(0)
print(f"the images: {rms(images):.2f}")
missed = {}
for std in (0.05, 0.1, 0.14, 0.2):
    a = images.flatten(1)
    for _ in range(30):
        w = std * torch.randn(100, a.shape[1], generator=generator)
        a = torch.relu(a @ w.T)
    print(f"std {std}: after 30 layers {rms(a):.1e}")
    missed[std] = abs(log10(rms(a) / rms(images)))  # by how many powers of ten
reveal("06.spread", str(min(missed, key=missed.get)))

# %% [markdown]
# One of the four keeps the spread, and its neighbors miss it by powers of ten: doubling the std multiplies the output
# by $2^{30}$. Which number is right, and why? **The slides give** two answers (S12), in which $n_i$ is the number of
# neurons in layer *i*:
#
# $$\text{Xavier: } \mathrm{std}_i = \sqrt{\frac{2}{n_{i-1} + n_i}} \qquad\qquad
# \text{Kaiming: } \mathrm{std}_i = \sqrt{\frac{2}{n_{i-1}}}$$
#
# They are named after the first names of their authors, Xavier Glorot and Kaiming He. Three steps lead to both.
#
# ## One neuron adds up
#
# A neuron of layer *i* receives the $n_{i-1}$ numbers $a_1, a_2, \dots$ of the layer before and adds up as many
# products: $z = w_1 a_1 + w_2 a_2 + \dots$ (left-hand figure; the right-hand one is for later).

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Do it on the board: square the sum, note that the mixed terms are 0 on average, and count the rest. This is
# the whole lesson.
#
# **Ask** If there are more inputs, should the weights be larger or smaller?
#
# **Expect** Smaller: the squares of all inputs add up.
#
# </details>

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4.8))
layer_sums(6, 4, axes[0])
_ = layer_sums(6, 4, axes[1], back=True)

# %% [markdown]
# The weights are drawn independently of the inputs and of each other, with mean 0 and variance $\sigma^2$. What is the
# mean square of $z$?
#
# - Square the sum. It consists of the squares $w_k^2 a_k^2$ and the mixed products $w_k w_l \, a_k a_l$.
# - The mixed products are 0 on average, since $w_k$ and $w_l$ are independent with mean 0.
# - Each square is $\sigma^2 \, a_k^2$ on average, and there are $n_{i-1}$ of them.
#
# $$\overline{z^2} = n_{i-1} \, \sigma^2 \, \overline{a^2}$$
#
# The bar denotes the mean. Of the inputs, only their mean square matters: they may all be positive, as pixels are. We
# try it on one layer of 5,000 neurons:

# %%
n, std = 784, 0.03
a = images.flatten(1)
z = a @ (std * torch.randn(5000, n, generator=generator)).T
print(f"mean square of z: {z.square().mean():.4f}")
print(f"n σ² times that of the inputs: {n * std**2 * a.square().mean():.4f}")

# %% [markdown]
# So a layer without an activation multiplies the mean square by $n_{i-1} \sigma^2$ and keeps it if
# $\sigma^2 = 1 / n_{i-1}$. The more inputs a neuron has, the smaller its weights must be.
#
# ## ReLU halves it
#
# ReLU follows the sum and sets negative numbers to 0. Since $w$ is negative as often as positive, so is $z$. So half of
# the squares become 0 and the other half stay.
#
# $$\overline{\mathrm{relu}(z)^2} = \tfrac{1}{2}\, \overline{z^2}$$

# %% tags=["hide-input"]
predict("06.variance")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Half of the squares go. That is the 2 in Kaiming's formula.
#
# **Ask** Is the variance halved, too?
#
# **Expect** Most say yes. It is not, because the mean after ReLU is not 0. The mean square is what matters.
#
# </details>

# %% ReLU halves the mean square tags=["hide-output"]
r = torch.relu(z)
print(f"mean square: {r.square().mean() / z.square().mean():.3f} of that of z")
print(f"variance:    {r.var() / z.var():.3f} of that of z")
left = (r.var() / z.var()).item()
reveal("06.variance", "less" if left < 0.45 else "more" if left > 0.55 else "half")

# %% [markdown]
# The mean square is halved. The variance loses more, because the mean after ReLU is no longer 0, and the variance
# leaves the mean out. The next neuron adds up squares, so the mean square is what matters. Both steps together give
#
# $$\overline{a_i^2} = \tfrac{1}{2} \, n_{i-1} \, \sigma^2 \; \overline{a_{i-1}^2}$$
#
# The mean square is kept if the factor is 1, that is, if $\sigma^2 = 2 / n_{i-1}$. This is **Kaiming's formula** (He et
# al. 2015, Eq. 10). For layers of 100 neurons it gives a std of 0.141, which is nearly one of the four numbers above.
#
# In the library an initializer is a function that takes a weight tensor and a random generator and returns the drawn
# weights. A weight tensor has the shape (neurons out, neurons in), so each row holds the weights of one neuron.


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
# Training sends gradients through the same weights in the other direction. A neuron of layer *i* − 1 receives the
# derivative of the loss with respect to its output. This, too, is a sum of products, one from each of the $n_i$ neurons
# of the *next* layer (right-hand figure). The same calculation gives, without an activation,
#
# $$\overline{g_{i-1}^2} = n_i \, \sigma^2 \; \overline{g_i^2}$$
#
# and so requires $\sigma^2 = 1 / n_i$. These are two conditions on one number. If the layers differ in size, no
# $\sigma$ satisfies both. **Xavier's formula** takes the mean of the two counts (Glorot & Bengio 2010, Eq. 12):
#
# $$\sigma^2 = \frac{1}{(n_{i-1} + n_i) / 2} = \frac{2}{n_{i-1} + n_i}$$
#
# The 2 in the numerator has nothing to do with ReLU; it comes from the mean. The formula dates from 2010 and was made
# for tanh, which is nearly a straight line of slope 1 around 0. Kaiming's formula dates from 2015 and was made for
# ReLU, where the gradient, too, passes through only half of the neurons. It satisfies the forward condition alone. On
# the way back a layer then multiplies the mean square by $n_i / n_{i-1}$. In the product over all layers every count
# but the first and the last cancels, so this factor does not grow with depth (He et al. 2015, Sec. 2.2).
#
# (For the way back we have assumed that gradients and weights are independent. They are not quite, but the result is
# good enough, as you will see.)

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** It is the same sum in the other direction, with the other count. There are two conditions on one number, and
# Xavier's formula is a compromise.
#
# **Ask** Where does the 2 in Xavier's formula come from?
#
# **Expect** It comes from the mean of two counts, not from ReLU.
#
# </details>

# %% The two formulas, for LeNet-300-100
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
# For a convolution the "number of neurons" does not tell enough. What counts is the number of products in a sum. The
# weight has the shape (channels out, channels in, height, width), and each output number is a sum over all channels in
# *and* over the whole window of height × width. The number of its terms is the **fan-in**. On the way back each number
# is a sum over all channels out and over every position of the window. The number of these terms is the **fan-out**.
# The kernel's area is a factor of both.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** What counts is the number of products that are added up, and the window is part of it.
#
# **Ask** If the area is left out, by what factor is the spread too large after eight layers?
#
# **Expect** By a factor of three per layer. The program runs without a warning.
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
# A classic error is to leave the area out: the slide's formula *reads* as if $n_{i-1}$ were the number of channels. The
# next cell shows the effect on eight 3×3 convolutions with ReLU.

# %% tags=["hide-input"]
predict("06.factor")


# %% Without the kernel's area every layer is wrong by the same factor tags=["hide-output"]
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
layers.through_layers(found, ax, ylabel="spread")
for label, (spreads,) in found.items():
    print(f"{label}: × {signals.factor(spreads):.2f} per layer, × {spreads[-1] / spreads[0]:,.1f} after 8")
(right,), (wrong,) = found.values()
reveal("06.factor", wrong[-1] / right[-1], ax, times=right[-1])

# %% [markdown]
# The variance is 9 times too large, so each layer multiplies the spread by a factor that is 3 times too large: after
# eight layers by 3⁸ = 6,561. (The measured factor is smaller, because a window at the border of the image adds up fewer
# products.) The program runs without a warning, and the network will not train.
#
# ## Thirty layers
#
# Back to dense layers, now with the library: `signals.plain` builds a network of nothing but dense layers, and
# `signals.measure` sends images forward through it and the gradients of their loss back. We compare five
# initializations with ReLU and with tanh, with three seeds each. "Too small" and "too large" use one fixed std for
# every layer.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Activations run from left to right, gradients from right to left.
#
# **Ask** Which lines are straight, and in which direction do the gradients run?
#
# **Expect** With ReLU all lines are straight: each layer multiplies by the same factor, the one that we calculated.
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

# %% tags=["hide-input"]
predict("06.straight", "06.level", "06.gradients")

# %% With ReLU every layer multiplies by the same factor tags=["hide-output"]
for activation in ("ReLU", "tanh"):
    figure, axes = plt.subplots(1, 2, figsize=(15, 4.8))
    for ax, what in zip(axes, ("activations", "gradients"), strict=True):
        curves = {name: [getattr(s, what) for s in measured[activation, name]] for name in candidates}
        title = f"{activation}: {what}"
        layers.through_layers(curves, ax, ylabel="spread", title=title, legend=what == "gradients")

# %% tags=["hide-output"]
spreads = {name: measured["ReLU", name][0].activations[1:] for name in candidates if name != "zero"}
halves = {name: (signals.factor(s[:15]), signals.factor(s[14:])) for name, s in spreads.items()}
straight = [name for name, (first, second) in halves.items() if 0.8 < first / second < 1.25]
reveal("06.straight", "all" if len(straight) == 4 else "kaiming" if straight == ["kaiming"] else "none")
reveal("06.level", min(spreads, key=lambda name: abs(log10(signals.factor(spreads[name])))))
gradients = measured["ReLU", "too large"][0].gradients
reveal("06.gradients", "images" if gradients[1] > gradients[-1] else "loss")

# %% [markdown]
# Activations run from left to right. Gradients start at the loss, on the right, and run to the left. With ReLU each
# line is straight: every layer multiplies by the same factor, which is nearly the one that we calculated. (Forward it
# is a little smaller. The formula gives the mean over many draws, and a typical draw of 100 neurons falls short of it.)

# %% Calculated and measured, layer by layer tags=["hide-output"]
predicted = {"too small": 0.05 * sqrt(50), "xavier": sqrt(0.5), "kaiming": 1.0, "too large": 0.4 * sqrt(50)}
rows = []
for name, expected in predicted.items():
    seen = measured["ReLU", name]
    forward = sum(signals.factor(s.activations[1:-1]) for s in seen) / len(seen)  # hidden layers, 100 → 100
    back = sum(1 / signals.factor(s.gradients[1:-1]) for s in seen) / len(seen)
    total = seen[0].activations[-1] / seen[0].activations[0]
    rows.append([name, f"{expected:.2f}", f"{forward:.2f}", f"{back:.2f}", f"{total:.0e}"])
Table(["ReLU, factor per layer", "calculated", "forward", "back", "after 30, seed 0"], rows)

# %% [markdown]
# - **Zero**: no signal passes in either direction, and no weight ever changes. Another constant would not help: all
#   neurons of a layer would compute the same and change in the same way. Only random weights make them differ.
# - **Xavier with ReLU**: for layers of equal size Xavier's variance is $1/n$, so ReLU halves the mean square thirty
#   times.
# - **tanh** hides the fault on the way forward: it never exceeds 1, so even "too large" looks healthy, but its
#   gradients explode on the way back. Xavier, which was made for tanh, lets the signal fade slowly, because tanh is
#   flatter away from 0; a somewhat larger gain would make up for that. A diagnosis needs both figures.
#
# ## Move the gain
#
# The **gain** is the std times $\sqrt{n_{i-1}}$. Xavier's gain is 1 (for layers of equal size), and Kaiming's is √2.
# Each picture shows two networks. Try to find out:
#
# - With ReLU and 30 layers, how far from √2 may the gain be before the signal is lost?
# - Set the gain to √2 and the width to 10. Is the spread still kept, in each network?
# - With tanh, which gain keeps the gradients? Does it keep the activations, too?

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Take the three questions of the text. Put somebody at the keyboard and let the room decide.
#
# **Ask** With ReLU and 30 layers, how far from √2 may the gain be?
#
# **Expect** Not far. Then set the width to 10: a narrow network fails even with the right gain.
#
# </details>

# %% How far from √2 may the gain be?
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
# Narrow networks stray even with the right gain. The formulas hold for the mean over many draws. A single draw of 10
# neurons is far from it, and thirty such layers multiply their errors. The sum of 1 / width over the layers decides how
# far a ReLU network strays (**shown by** Hanin & Rolnick 2018). So deep networks must also be wide.
#
# ## Other activations
#
# Each activation removes a different share of the mean square, so each needs its own gain. PyTorch has a table of
# recommended gains, `nn.init.calculate_gain`. Do they keep the spread over 30 layers?

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Each activation removes a different share of the mean square.
#
# **Ask** Does PyTorch's gain for tanh follow from the calculation?
#
# **Expect** No, it is a convention. Exercise 2 finds the gain that keeps the sums z at a spread of 1.
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
# For ReLU, √2 follows from the calculation above; a single draw strays a little. For tanh, 5/3 is a convention: the
# spread settles at a value below 1, since tanh never exceeds 1. Exercise 2 asks for the gain that keeps the *sums* z at
# a spread of 1.
#
# ## Does it train?
#
# ReLU has a special property: for positive c, ReLU(c · z) = c · ReLU(z). So if all weights of a layer are multiplied by
# a positive constant, every later layer is multiplied by it, too. We draw two networks from the same random numbers,
# one with Xavier's std and one with Kaiming's:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** The two networks differ by one factor. Start the run while you explain why they give each image the same
# class.
#
# **Ask** At which depth does Xavier fall behind? Does Adam need Kaiming at all?
#
# **Expect** Not in five layers. In thirty, Xavier learns nothing with SGD. Adam helps both, and Kaiming still stays
# ahead.
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
# The two networks are the same function up to a factor. Only the size of the signals differs, forward and back. Does it
# matter for training? We train at three depths, with two seeds, with SGD at the same learning rate for all. The deepest
# networks are also trained with Adam, which divides every gradient by its own size.

# %% tags=["hide-input"]
predict("06.depth", "06.adam")

# %% tags=["hide-output"]
settings = catalog.settings("depth")
runner = runs.Runner("depth")
_ = watch(runner, "depth", total=len(settings.seeds) * settings.trainings)
depth = runner.record

# %% Which networks learn, at which depth? tags=["hide-output"]
methods = (*settings.initializers, "xavier and Adam", "kaiming and Adam")
accuracy = {method: depth.by("depth", "test_accuracy", method) for method in methods}
most_frequent = mnist.test.y.bincount().max().item() / len(mnist.test)
figure, ax = plt.subplots()
curves = {name: accuracy[name] for name in settings.initializers}
title = f"SGD, {settings.recipe.iterations} iterations"
plots.against_depth(curves, ax, guess=most_frequent, title=title)
lead = {d: fmean(accuracy["kaiming"][d]) - fmean(accuracy["xavier"][d]) for d in settings.depths}
reveal("06.depth", next((d for d, points_ahead in lead.items() if points_ahead >= 0.05), None), ax, along="x")

# %% The deepest networks, in numbers tags=["hide-output"]
deepest = settings.depths[-1]
print(f"{deepest} layers, test accuracy (always the most frequent digit: {percent(most_frequent)})")
for method, by_depth in accuracy.items():
    print(f"  {method:17s} {spread(by_depth[deepest], 1)}")
ahead = fmean(accuracy["kaiming and Adam"][deepest]) - fmean(accuracy["xavier and Adam"][deepest])
reveal("06.adam", "yes" if ahead > 0.01 else "xavier" if ahead < -0.01 else "no")

# %% [markdown]
# Look at three things: the shallowest networks, the lines that lie on the dashed one (these networks give every image
# the same digit), and the deepest networks with and without Adam.
#
# <details><summary>What one usually sees</summary>
#
# In five layers little is lost, and training makes up for it. (So the choice hardly matters for LeNet-300-100.) In
# thirty layers with SGD, Xavier's network gives every image the same digit, while Kaiming's learns something. Adam
# helps both, because it rescales each gradient. It does not rescale the signal on its way forward, and Kaiming stays
# ahead.
#
# </details>
#
# **The paper reports** the same for convolutional networks on photographs (He et al. 2015, Sec. 2.2): a deep network
# learns with both formulas, and sooner with Kaiming's; a still deeper one learns with Kaiming's only.
#
# But compare the deepest networks from Kaiming's formula with the shallow ones, and one seed with the other. The scale
# is right, yet the deep networks learn far less. Something else is wrong. Take the activations of a layer for two
# different images, as two vectors. What is the cosine of the angle between them? (At 1 the layer cannot tell the two
# images apart, except by a factor.)

# %% The formulas keep the size of the signal, not its content
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
# Before training, a deep ReLU network maps all digits to nearly the same direction, whatever the scale. The formulas
# keep the *size* of the signal, not its content. This is one reason why deep networks also have the shortcuts and the
# batch norm of lesson [04](04_when_tickets_fail.ipynb). In such networks the choice between the formulas matters far
# less.
#
# `ltcourse record depth --budget desk` makes a longer comparison, with more depths and seeds and with the third
# initialization, which comes next.
#
# ## Two values
#
# This course uses a third initialization, the **signed constant** of Ramanujan et al. (2020, Sec. 4.1). Every weight is
# $+\sqrt{2 / n_{i-1}}$ or $-\sqrt{2 / n_{i-1}}$, each with probability one half. The calculation above requires two
# things of the weights: mean 0 and variance $2 / n_{i-1}$. Two values satisfy them as well as a normal distribution
# does.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Mean 0 and the right variance are all that is required. Two values satisfy both as well as a normal
# distribution.
#
# **Ask** Why would anybody want that?
#
# **Expect** All magnitudes are then equal, and only signs differ. This leads to lesson 07.
#
# </details>

# %% Two values do as well as a normal distribution
layer = torch.empty(300, 784)
figure, axes = plt.subplots(1, 2, figsize=(13, 4), sharex=True)
for ax, draw, name in zip(axes, (kaiming_normal, signed_constant), ("kaiming", "signed constant"), strict=True):
    w = draw(layer, torch.Generator().manual_seed(0))
    plots.weight_histogram(w, ax, limit=0.2, title=f"{name}: std {w.std():.4f}")
    network = [signals.plain(30, 100, initializer=draw, seed=seed) for seed in range(3)]
    layers = [signals.factor(signals.measure(n, images, labels).activations[1:-1]) for n in network]
    print(f"{name}: × {sum(layers) / 3:.2f} per layer through 30 layers")

# %% [markdown]
# Why would anybody want that? With two values all *magnitudes* are equal, and only the signs are random. Zhou et al.
# (2019) had found that the sign is what matters most about a ticket's initial weights. (This is contested: later work
# finds that deep tickets fail when the magnitudes are drawn anew and only the signs are kept.) Ramanujan et al. do
# not train weights at all; they only choose which ones to keep. With two values, only the place and the sign of a
# weight are left to choose by, and it works better: for a ResNet-50 that keeps 30 % of its random weights **the paper
# reports** a higher accuracy on ImageNet than with Kaiming's formula. Lesson 07 is about this search, and prints both
# numbers.
#
# ## What tickets it holds
#
# Does the choice affect pruning? Magnitude pruning removes small weights, and where a weight ends depends on where it
# began. With the signed constant all weights of a layer begin at the same magnitude, so training alone decides which
# are pruned.
#
# The next cell runs the lottery of lesson 03 from all three initializations, with seven of the paper's rounds taken as
# one. The control for the last ticket is its mask with weights newly drawn from the same initialization.

# %% tags=["hide-input"]
predict("06.tickets")

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The question is whether the initial weights change what pruning finds.
#
# **Ask** Will one of the three lose more by pruning than the others?
#
# **Expect** Compare seed by seed, and see whether the seeds agree on the sign.
#
# </details>

# %% tags=["hide-output"]
settings = catalog.settings("first-tickets-lenet-300-100")
runner = runs.Runner("first-tickets-lenet-300-100")
_ = watch(runner, "tickets", total=len(settings.seeds) * settings.trainings)
first = runner.record

# %% Tickets from three initializations tags=["hide-output"]
figure, ax = plt.subplots()
curves = {name: first.curve(name, "test_accuracy") for name in settings.initializers}
_ = plots.against_density(curves, ax, ylabel="test accuracy")
ax.set_title(f"LeNet-300-100, {settings.recipe.iterations} iterations per round, {len(settings.seeds)} seeds")

last = settings.rounds
changes = [
    dict(zip(settings.initializers, of_seed, strict=True))
    for of_seed in zip(*(first.change(name, last, "test_accuracy") for name in settings.initializers), strict=True)
]
kept = percent(first.values("xavier", last, "density")[0])
rows = []
for name in settings.initializers:
    dense, ticket = (first.values(name, n, "test_accuracy") for n in (0, last))
    redrawn = first.values(f"{name}, re-initialized", last, "test_accuracy")
    rows.append([name, *(spread(values) for values in (dense, ticket, redrawn))])
loses_most = {min(lost, key=lost.get) for lost in changes}
reveal("06.tickets", loses_most.pop() if len(loses_most) == 1 else "none", ax)
Table(["from", "dense", f"ticket at {kept}", "its mask, re-initialized"], rows)

# %% [markdown]
# Which of the differences are more than noise? With one seed, Xavier and Kaiming use the same random numbers, and all
# three initializations use the same order of examples. So compare seed by seed, and see whether the seeds agree on the
# sign. Also compare the difference with that between two seeds of the same initialization.


# %% What is more than noise? tags=["hide-output"]
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
# Look at the last three lines first. Does the ticket beat its own mask with new weights from every initialization? Is
# that lead larger than the differences between the initializations?
#
# <details><summary>What one usually sees</summary>
#
# The ticket leads by a few points from each of the three, and the initializations differ by less. The signed constant
# is often a little ahead after pruning.
#
# </details>
#
# A few tenths of a point between two initializations are not a finding with two seeds, even if the seeds agree: two
# coins agree half of the time. If the signed constant is ahead after pruning, one possible reason was named above. To
# establish it would take more seeds, longer training and a test of that reason; `ltcourse record
# first-tickets-lenet-300-100 --budget desk` is a start.
#
# **The paper** on tickets uses Xavier's formula with a normal distribution (Frankle & Carbin 2019, Fig. 2), and so do
# the LeNets of lesson 03.
#
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Both formulas come from one calculation.
#
# **Ask** Where does the choice between them not matter?
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

# %% tags=["hide-input"]
summary("06")

# %% [markdown]
# The two formulas of the slide serve one purpose: a signal should keep its size through many layers. Kaiming's formula
# keeps the size on the way forward and takes into account that ReLU halves the mean square. Xavier's is a compromise
# between forward and back, for activations that do not halve it. In shallow networks either will do. In deep ones
# trained with SGD, the scale decides how much is learned in a given time, and in the deepest here whether anything is
# learned at all. And two values are enough for a *good* start. In lesson 07 the initial weights are all that a network
# ever has.

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` with your own code, run the cell, and run the check
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
# `shape` is the shape of a weight tensor: (out, in) for a dense layer, or (out, in, height, width) for a convolution.
# Return the pair of standard deviations (Xavier, Kaiming).


# %% tags=["exercise"]
def xavier_and_kaiming(shape):
    return None


# %%
checks.xavier_and_kaiming(xavier_and_kaiming)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The fan-in takes the place of $n_{i-1}$, and the fan-out that of $n_i$: see "Convolutions". A dense layer is a
# convolution with a window of one number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `shape[2:]` is the window, which is `()` for a dense layer. `math.prod` of the window is its area; `math.prod(())`
# is 1.
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
# `activation` is a function that acts on each number of a tensor. If $z$ is normal with mean 0 and variance 1, how much
# of its mean square does the activation leave? Return the gain $g$ that makes up for the loss, to within 2 %. The gain
# multiplies the weights of the *next* layer, which act on what the activation returns. So the mean square of
# $g \cdot \mathrm{act}(z)$ must be 1, not that of $\mathrm{act}(g \cdot z)$.


# %% tags=["exercise"]
def keeping_gain(activation):
    return None


# %%
checks.keeping_gain(keeping_gain)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# ReLU leaves one half, and its gain is √2. Where does the root come from?
#
# </details>
# <details><summary>Hint 2</summary>
#
# You need no integral. A hundred thousand numbers from `torch.randn`, with a generator of your own, are enough.
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
# For tanh the result is not the 5/3 of PyTorch's table.
#
# </details>

# %% [markdown]
# ### 3. A diagnosis
#
# `spreads` is a list of the spreads of the activations: first that of the images, then that of each layer. Return a
# pair.
#
# - Second: the factor by which a layer multiplies the spread, as the geometric mean over all layers.
# - First: `"too small"` if this factor is below 0.95, `"too large"` if it is above 1.05, else `"kept"`.
#
# The first spread is positive. Later ones can be 0 or infinite, and so can the factor.


# %% tags=["exercise"]
def diagnose(spreads):
    return None


# %%
checks.diagnose(diagnose)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Multiply the factors of all layers. What cancels? You need only two of the spreads.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Three spreads belong to two layers. The geometric mean of *n* factors is the *n*-th root of their product: `product **
# (1 / n)`.
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
# `signals.factor` returns the second of the two.
#
# </details>

# %% [markdown]
# ### 4. Fill a network
#
# Fill `network` in place with normal numbers by Kaiming's formula. Draw the weights of every dense layer and every
# convolution from `generator`, one after the other. Set their biases to 0; a layer may have none, and may be inside
# another module. Write into the parameters that are there, and do not put new ones in their place: an optimizer, or
# another layer that shares a weight, may hold them. Leave all else as it is: norm layers with their buffers, the mode
# (training or evaluation), and every setting. Return the network.


# %% tags=["exercise"]
def fill_kaiming(network, generator):
    return None


# %%
checks.fill_kaiming(fill_kaiming)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Go through `network.modules()`, which also finds the layers inside others. Dense layers are `nn.Linear`, convolutions
# `nn.Conv2d`. Under `with torch.no_grad():`, write into `layer.weight` with `copy_(…)`, and into `layer.bias`, if it is
# not None, with `zero_()`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `layer.weight[0].numel()` is the fan-in, both for dense layers and for convolutions.
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
# `initializers.initialize` does this with any initializer, and sets norm layers back to what PyTorch creates.
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
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a
#   Randomly Weighted Neural Network?*, 2020, arXiv:1911.13299. The signed constant.
# - Hattie Zhou, Janice Lan, Rosanne Liu, Jason Yosinski: *Deconstructing Lottery Tickets*, 2019, arXiv:1905.01067. What
#   matters about the initial values.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis*, 2019, arXiv:1803.03635. Tickets from Xavier's formula.
