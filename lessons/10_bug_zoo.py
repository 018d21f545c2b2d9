# %% [markdown]
# # A bug zoo
#
# **Question** Which mistakes make a pruning result wrong, how does the result look then, and what finds them?
#
# **Slides** none; the mistakes concern what the slides' algorithms do at every step
#
# **Before you start** Lessons [01](01_pruning_lenet.ipynb) and [03](03_lottery_ticket.ipynb): masks, rounds, the ticket
# and its controls.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** a small laboratory · masks that do not hold · the wrong count · what was not reset · the wrong number ·
# a control that was none · a conformance kit · review these notebooks · exercises

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune as torch_prune

from ltcourse import conformance
from ltcourse.classroom import checks, questions, quiz
from ltcourse.classroom.checks.digits import digits, judged, reader_of_digits
from ltcourse.classroom.predictions import predict, reveal, summary
from ltcourse.data import Split
from ltcourse.display import plots
from ltcourse.display.tables import percent
from ltcourse.networks import masks
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria

plots.use_style()

# %% [markdown]
# ## A small laboratory
#
# None of the mistakes in this lesson raises an error. Mistakes of these kinds stand in public code. The code trains
# without complaint, and a number in a table is wrong. Most of them move it in the direction that the author hopes for.
#
# To see what a mistake does, we need an experiment that takes a second. The network has 49 inputs (digits averaged to 7
# × 7 pixels), 200 hidden neurons, no biases, and 1,000 images to train on. `train` yields the accuracy on other images
# after each step, and `after` is what is done after each step of the optimizer.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** No mistake here raises an error. That is why they are in print.
#
# **Ask** Which mistake have you made yourself?
#
# **Expect** A state dict that was no copy, and zero_grad.
#
# </details>

# %%
images, validation, test = digits()


def train(network, optimizer, after=lambda: None, steps=60):
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(len(images), (100,), generator=generator)
        optimizer.zero_grad()
        cross_entropy(network(images.x[chosen]), images.y[chosen]).backward()
        optimizer.step()
        after()
        yield judged(network, validation)[1]


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=0.01)


network = reader_of_digits(seed=0)
*_, reached = train(network, adam(network))
print(f"dense, after 60 steps: {percent(reached)} of the validation digits right")


# %% [markdown]
# One function draws the right curve beside the wrong one, and another prints what a check says of the wrong code:


# %%
def beside(title, right, wrong, along, up, x=None):
    _, ax = plt.subplots(figsize=(8, 3.8))
    x = x or range(1, len(right) + 1)
    ax.plot(x, right, color=plots.BLUE, label="right")
    ax.plot(x, wrong, color=plots.RED, linestyle="--", label="with the mistake")
    ax.set(title=title, xlabel=along, ylabel=up)
    ax.legend()
    print(f"last point: right {right[-1]:.3f}, with the mistake {wrong[-1]:.3f}")


def told(verdict):
    print(f"{verdict.exercise}: {verdict.findings[-1].wrong}")


# %% [markdown]
# ## Masks that do not hold
#
# **Masked gradients, with momentum and weight decay.** The weights are set to 0 once. From then on, their gradients are
# set to 0 before every step, so it seems that they cannot move. But the optimizer does not move along the gradient. It
# moves along what it remembers: momentum, or Adam's averages. These were filled before the pruning.

# %% tags=["hide-input"]
predict("10.zero")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** A masked gradient stops the gradient, not the optimizer.
#
# **Ask** With which optimizer would this code be right?
#
# **Expect** With plain SGD, which remembers nothing. The first test of the code was probably made with that.
#
# </details>


# %%
def masked_gradients(network, optimizer, mask, x, y):
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    loss.backward()
    for name, m in mask.items():
        network.get_parameter(name).grad.mul_(m)  # the mistake: the weights are not masked
    optimizer.step()
    return loss.item()


# %% tags=["hide-output"]
def not_zero(hold):
    """The share of weights that are not 0, after each step."""
    network = reader_of_digits(seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    list(train(network, optimizer))
    mask = criteria.magnitude(masks.prunable(network), masks.dense(network), 0.9)
    masks.apply(network, mask)
    for name, m in mask.items():
        network.get_parameter(name).register_hook(lambda g, m=m: g * m)
    steps = train(network, optimizer, (lambda: masks.apply(network, mask)) if hold else (lambda: None), steps=20)
    return [masks.density({name: p != 0 for name, p in masks.prunable(network).items()}) for _ in steps]


masked, gradients_only = not_zero(True), not_zero(False)
beside("Masked weights, and masked gradients only", masked, gradients_only, "step", "share that is not 0")
reveal("10.zero", gradients_only[0], plt.gca())
told(checks.masked_step(masked_gradients))

# %% [markdown]
# The table would say "10 % of the weights", and the network has all of them.
#
# **Masks that come back.** The weights are set to 0 in each round and then trained on, without a mask. In the next
# round they are ranked again with all the others. The count is right at the moment of the pruning, and that is when it
# is printed. What is reported beside it is the accuracy after fine-tuning, of a network that is dense again.

# %%
densities = [0.7**r for r in range(11)]


def in_rounds(choose, hold=True):
    """Prune and fine-tune in rounds; the accuracy that is reported for each density."""
    network, mask, found = reader_of_digits(seed=0), None, []
    for density in densities:
        mask = choose(network, mask, density) if found else masks.dense(network)
        masks.apply(network, mask)
        after = (lambda m=mask: masks.apply(network, m)) if hold else (lambda: None)
        list(train(network, adam(network), after))
        found.append(judged(network, test)[1])
    return found


def of_those_left(network, mask, density):
    return criteria.magnitude(masks.prunable(network), mask, 0.3)


def of_all(network, mask, density):
    return criteria.magnitude(masks.prunable(network), masks.dense(network), 1 - density)


# %%
right = in_rounds(of_those_left)
beside(
    "Zeros that are held, and zeros that are not",
    right,
    in_rounds(of_all, hold=False),
    "density",
    "accuracy",
    densities,
)
plt.gca().set_xscale("log")
plt.gca().invert_xaxis()


# %% [markdown]
# Here the mistake makes the result better, and the better the more is pruned. A result that stays level down to a few
# percent of the weights is the first that should be examined. The rows of “A conformance kit” find it.
#
# ## The wrong count
#
# **k kept for k pruned.** A function takes an *amount*, and the caller means a *density*. At one half, the value that
# one tests with, both are the same.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Every library has to choose between share kept and share pruned, and they choose differently.
#
# **Ask** Which value of k hides the mistake?
#
# **Expect** One half.
#
# </details>


# %%
def prunes_k(scores, k):
    keep = torch.ones(scores.numel(), dtype=torch.bool)
    keep[scores.abs().flatten().argsort()[: round(k * scores.numel())]] = False  # the mistake: k is the share kept
    return keep.view_as(scores)


# %%
def one_shot(pruned):
    network = reader_of_digits(seed=0)
    list(train(network, adam(network)))
    dense, found = snapshot(network), []
    for k in shares:
        network.load_state_dict(dense)
        rate = k if pruned else 1 - k
        masks.apply(network, criteria.magnitude(masks.prunable(network), masks.dense(network), rate))
        found.append(judged(network, test)[1])
    return found


shares = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
beside("k is the share kept, and k is the share pruned", one_shot(False), one_shot(True), "k", "accuracy", shares)
told(checks.forward_mask(prunes_k))

# %% [markdown]
# The two curves cross at one half. A curve that *falls* with the density has its share the wrong way round.
#
# ## What was not reset
#
# **An optimizer's memory.** A ticket starts again from its initial weights. The optimizer object is the one that has
# trained the dense network, and its averages still point where that network went.
#
# **Aliased initial weights.** `θ0 = network.state_dict()` looks like a copy. It is a dict of the network's own tensors,
# and training changes them. Loading θ0 later copies each tensor onto itself, and the "reset" does nothing.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Both mistakes leave something of the dense training in the ticket.
#
# **Ask** How would you see the second one in a single number?
#
# **Expect** In the accuracy before the first step, which has to be that of the initial weights under the mask.
#
# </details>


# %%
def keeps_its_memory(network, optimizer, initial, mask, batches):
    network.load_state_dict(initial)
    masks.apply(network, mask)  # the mistake: optimizer.state is that of the dense training
    for x, y in batches:
        optimizer.zero_grad()
        loss = cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        masks.apply(network, mask)
    return loss.item()


def aliased(network, train, rate, rounds):
    θ0, mask = network.state_dict(), masks.dense(network)  # the mistake: snapshot(network) would be a copy
    for _ in range(rounds):
        train(network, mask)
        mask = criteria.magnitude(masks.prunable(network), mask, rate)
        network.load_state_dict(θ0)
        masks.apply(network, mask)
    return mask


# %%
def ticket(alias=False, remember=False):
    """The accuracy of a ticket after each of its first steps."""
    network = reader_of_digits(seed=0)
    θ0, optimizer = network.state_dict() if alias else snapshot(network), adam(network)
    list(train(network, optimizer))
    mask = criteria.magnitude(masks.prunable(network), masks.dense(network), 0.8)
    network.load_state_dict(θ0)
    masks.apply(network, mask)
    optimizer = optimizer if remember else adam(network)
    return [judged(network, validation)[1], *train(network, optimizer, lambda: masks.apply(network, mask), steps=20)]


steps = range(21)
beside("A fresh optimizer, and one that remembers", ticket(), ticket(remember=True), "step", "accuracy", steps)
told(checks.train_ticket(keeps_its_memory))

# %%
beside("A copy of θ₀, and an alias", ticket(), ticket(alias=True), "step", "accuracy", steps)
told(checks.find_ticket(aliased))

# %% [markdown]
# Look at step 0. Before any training, the aliased ticket is already ahead of the initial weights under the mask. (That
# these are right more often than one time in ten is no mistake. Lesson [07](07_supermasks.ipynb) is about such masks.)
#
# ## The wrong number
#
# **Means of means.** The test set does not divide into batches of equal size. The mean over the batches counts each
# image of the small last batch many times over. Here the same network is evaluated with batches of several sizes. Its
# accuracy cannot depend on them.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The network is right in both cases, and the number is wrong.
#
# **Ask** How large may such an error be before it matters?
#
# **Expect** As large as the differences in the table: tenths of a point.
#
# </details>


# %%
def mean_of_means(accuracies, sizes):
    return sum(accuracies) / len(accuracies)  # the mistake: the last batch is smaller


# %%
sizes = [50, 70, 90, 110, 130, 160, 190, 240, 270, 330, 390, 480, 600, 700, 800, 900, 970]
with torch.no_grad():
    hits = (network(test.x).argmax(1) == test.y).float()
means = [hits.split(size) for size in sizes]
right = [hits.mean().item()] * len(sizes)
wrong = [torch.stack([batch.mean() for batch in batches]).mean().item() for batches in means]
beside("Mean over images, and mean of the batches' means", right, wrong, "batch size", "accuracy", sizes)
told(checks.accuracy_of_batches(mean_of_means))


# %% [markdown]
# **Selection on the test set.** Forty random masks keep 40 % of the weights each, and the best one is reported. If "best"
# means best on the test set, its accuracy there is partly luck. The curves show what is reported after so many tries:
# the test accuracy of the mask that was best on validation images, and the best test accuracy. The test set is small
# here: 200 images.


# %%
def chooses_on_test(validation, test):
    return max(test)  # the mistake: the test set has chosen


# %%
network, tried = reader_of_digits(seed=0), []
initial, exam = snapshot(network), Split(test.x[:200], test.y[:200])
for seed in range(40):
    mask = criteria.at_random(seed)(masks.prunable(network), masks.dense(network), 0.6, "layer")
    network.load_state_dict(initial)
    masks.apply(network, mask)
    list(train(network, adam(network), lambda m=mask: masks.apply(network, m), steps=30))
    tried.append((judged(network, validation)[1], judged(network, exam)[1]))
right = [max(tried[: n + 1])[1] for n in range(len(tried))]
wrong = [max(on_test for _, on_test in tried[: n + 1]) for n in range(len(tried))]
beside("Chosen on validation images, and on the test set", right, wrong, "masks tried", "test accuracy reported")
told(checks.honest_choice(chooses_on_test))


# %% [markdown]
# The red curve can only rise. With enough tries it reaches any number.
#
# ## A control that was none
#
# **A re-initialized control that was not.** The control of a ticket has the same mask and newly drawn weights. A line
# such as `initialize(network, seed=seed)` draws them, and with the ticket's own seed it draws the ticket's own weights.
# The two curves then agree, and the text says that initial values do not matter.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** A control has to be checked like a result. This one needs one line: are the weights different?
#
# **Ask** What does the wrong control make the authors conclude?
#
# **Expect** That re-initializing does no harm.
#
# </details>

# %%
network = reader_of_digits(seed=0)
θ0, mask = snapshot(network), masks.dense(network)
for _ in range(10):
    list(train(network, adam(network), lambda m=mask: masks.apply(network, m)))
    mask = criteria.magnitude(masks.prunable(network), mask, 0.3)
    network.load_state_dict(θ0)
    masks.apply(network, mask)


def control(seed):
    network = reader_of_digits(seed)  # the mistake: seed 0 is the ticket's
    masks.apply(network, mask)
    return [
        judged(network, validation)[1],
        *train(network, adam(network), lambda: masks.apply(network, mask), steps=40),
    ]


beside("A control of other weights, and of the same", control(seed=1), control(seed=0), "step", "accuracy", range(41))
for seed in (1, 0):
    other = masks.prunable(reader_of_digits(seed))
    print(f"seed {seed}: drawn anew?", all(not torch.equal(other[name][m], θ0[name][m]) for name, m in mask.items()))

# %% [markdown]
# ## A conformance kit
#
# `conformance.check(prune)` tries anybody's pruner on a small network with a convolution, dense layers and norm layers.
# A *pruner* is a function `prune(network, density)`. It changes the network, or returns a mask, or both. What it has
# besides, such as a function to call after each step, is given by name. The report has one row per property, with the
# numbers that were found.
#
# Here are three pruners in the styles of public code. The first masks gradients. The second multiplies each weight by
# its mask in every forward pass. The third sets weights to 0 once.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** The kit asks for properties, not for a way to write it. Each row could be a test in your own repository.
#
# **Ask** Which of the three styles would you bet on?
#
# **Expect** The second, and it is right: whatever the optimizer does to a pruned weight, the forward pass never sees it.
#
# </details>


# %%
def layers_of(network):
    return [layer for layer in network.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]


def largest(weight, density):
    return masks.keep_largest(weight.detach().abs(), round(density * weight.numel()))


def masks_gradients(network, density):
    for layer in layers_of(network):
        keep = largest(layer.weight, density)
        layer.weight.data.mul_(keep)
        layer.weight.register_hook(lambda gradient, keep=keep: gradient * keep)


def zeroes_once(network, density):
    for layer in layers_of(network):
        layer.weight.data.mul_(largest(layer.weight, density))


# %%
class Masked(nn.Module):
    """A layer that multiplies its weight by a mask whenever it is used."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.bias, self.mask = layer, layer.bias, torch.ones_like(layer.weight)

    def forward(self, x):
        kept = {"weight": self.layer.weight * self.mask, "bias": self.bias}
        return torch.func.functional_call(self.layer, kept, x)


def masks_at_forward(network, density):
    for name, layer in list(network.named_children()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            setattr(network, name, Masked(layer))
    for layer in [m for m in network.modules() if isinstance(m, Masked)]:
        layer.mask = layer.mask * largest(layer.layer.weight * layer.mask, density)


# %%
conformance.check(masks_gradients)

# %%
conformance.check(masks_at_forward)

# %%
conformance.check(zeroes_once)


# %% [markdown]
# `torch.nn.utils.prune` is the pruner that comes with PyTorch. Its `amount` is a share of what is *left*, or a count.
# With the count it conforms. With the share, `amount=1 - density`, it does what its documentation says and not what a
# reader of the word *density* expects. The kit shows at which call the two part.


# %%
def by_count(network, density):
    for layer in layers_of(network):
        left = layer.weight_mask.sum() if hasattr(layer, "weight_mask") else layer.weight.numel()
        torch_prune.l1_unstructured(layer, "weight", amount=int(left) - round(density * layer.weight.numel()))


def by_share(network, density):
    for layer in layers_of(network):
        torch_prune.l1_unstructured(layer, "weight", amount=1 - density)


print(conformance.check(by_count), conformance.check(by_share)["counts exact"].evidence, sep="\n\nby share: ")

# %% [markdown]
# ## Review these notebooks
#
# Three write-ups follow. In each of them the code runs, the figures are drawn well, and one thing is wrong. Say what,
# by choosing. The exercises then ask for the line of code that would have shown it.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** You are the reviewer. One flaw each, and it is not the prose.
#
# **Ask** Which sentence would you ask the authors to support?
#
# **Expect** The one that compares two numbers.
#
# </details>

# %%
first, second, third = questions.select(questions.load(), lessons=["10"], kinds=["spot the flaw"], levels=[2])

# %% tags=["key-output"]
quiz.MultipleChoice(first)

# %% tags=["key-output"]
quiz.MultipleChoice(second)

# %% tags=["key-output"]
quiz.MultipleChoice(third)

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** No mistake raised an error, and most of them made the result look better.
#
# **Ask** Which test will you add to your own code tomorrow?
#
# **Expect** The number of zeros after the last step.
#
# </details>

# %%
pruners = {"masked gradients": masks_gradients, "masks at forward": masks_at_forward, "zeroed once": zeroes_once}
for name, pruner in {**pruners, "torch.nn.utils.prune, by count": by_count}.items():
    failed = conformance.check(pruner).failed
    print(f"{name}: {', '.join(failed) if failed else 'conforms'}")

# %% tags=["hide-input"]
summary("10")

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` with your own code, run the cell, and run the check
# below it. Each exercise is the line that one of the three write-ups lacks.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Each answer is one line. A reviewer can ask for it.
#
# **Ask** Which of them could stand in a test?
#
# **Expect** The second: whether a control was redrawn.
#
# </details>

# %% [markdown]
# ### 1. An honest choice
#
# `validation` and `test` list the accuracies of several tries. Return the test accuracy that may be reported: that of
# the try with the highest validation accuracy. Of equally good tries, take the first.


# %% tags=["exercise"]
def honest_choice(validation, test):
    return None


# %%
checks.honest_choice(honest_choice)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The test set may answer, and not choose. Which of the two lists decides?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `validation.index(max(validation))` is the position of the first of the best tries.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def honest_choice(validation, test):
#     return test[validation.index(max(validation))]
# ```
#
# </details>

# %% [markdown]
# ### 2. A control that is one
#
# `ticket` and `control` are the initial weights of a ticket and of its re-initialized control (name → tensor), and
# `mask` is the mask of both (name → booleans). Return True if the control was drawn anew: in every layer of the mask,
# the kept weights are not the ticket's own. Pruned weights and biases do not count, and neither does a layer that keeps
# nothing.


# %% tags=["exercise"]
def was_redrawn(ticket, control, mask):
    return None


# %%
checks.was_redrawn(was_redrawn)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# `ticket[name][mask[name]]` gives the kept weights of a layer as a vector.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.equal` compares two vectors. Two vectors without elements are equal, so leave out layers whose mask has no True.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def was_redrawn(ticket, control, mask):
#     return all(not torch.equal(ticket[name][m], control[name][m]) for name, m in mask.items() if m.any())
# ```
#
# </details>

# %% [markdown]
# ### 3. The accuracy over all examples
#
# A test set was evaluated in batches. `accuracies` lists the accuracy of each batch, and `sizes` its number of
# examples. Return the accuracy over all examples.


# %% tags=["exercise"]
def accuracy_of_batches(accuracies, sizes):
    return None


# %%
checks.accuracy_of_batches(accuracy_of_batches)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# How many examples of each batch are right?
#
# </details>
# <details><summary>Hint 2</summary>
#
# An accuracy times a size is a number of right examples. Add these up, and divide once.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def accuracy_of_batches(accuracies, sizes):
#     return sum(a * n for a, n in zip(accuracies, sizes, strict=True)) / sum(sizes)
# ```
#
# </details>

# %% [markdown]
# ## References
#
# - Davis Blalock, Jose Javier Gonzalez Ortiz, Jonathan Frankle, John Guttag: *What is the State of Neural Network
#   Pruning?*, 2020, arXiv:2003.03033. What pruning papers leave out, and how results should be reported.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635. The ticket and its controls.
# - Zhuang Liu, Mingjie Sun, Tinghui Zhou, Gao Huang, Trevor Darrell: *Rethinking the Value of Network Pruning*, 2019,
#   arXiv:1810.05270. What a control can do to a conclusion.
