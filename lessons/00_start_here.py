# %% [markdown]
# # Start here
#
# **Question** What is this course about, how do you use it, and does it run on your machine?
#
# **Slides** before S1
#
# **Before you start** You can read Python and know what a neural network and gradient descent are. Everything runs on a
# laptop, without a graphics card and without a network connection.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the course · three ways to use it · three voices · budgets · the data · a first network

# %% [markdown]
# ## The course
#
# A trained network is much larger than it needs to be. This observation leads to three surprising claims. The lessons
# examine them in the order of a lecture's slides (S1 to S17):
#
# 1. **Network pruning** (S1–S3): remove nine tenths of a trained network's weights, fine-tune the rest, and the network
#    is as accurate as before.
# 2. **The lottery ticket hypothesis** (S4–S8): the small network could have been trained on its own, provided that it
#    had started from the right random numbers. A large network holds many lottery tickets, and some of them win.
# 3. **Supermasks** (S9–S14): a random network, if it is large enough, contains a small one that works *without any
#    training*.
#
# | lesson | what it asks | slides |
# |:--|:--|:--|
# | [01 Pruning LeNet](01_pruning_lenet.ipynb) | how many weights can a network lose? | S1–S3 |
# | [02 The slides' whole table](02_han_tables.ipynb) | what does 12× mean in bytes and in milliseconds? | S3 |
# | [03 The lottery ticket](03_lottery_ticket.ipynb) | could the remaining weights have been trained alone? | S4–S8 |
# | [04 When tickets fail](04_when_tickets_fail.ipynb) | does every network contain a winning ticket? | S8 |
# | [05 One ticket to win them all](05_one_ticket_to_win_them_all.ipynb) | does a ticket work on other data? | S6, S7 |
# | [06 Initialization](06_initialization.ipynb) | how large should a network's initial weights be? | S12 |
# | [07 Supermasks](07_supermasks.ipynb) | can a network work without any training? | S9–S14 |
# | [08 Review](08_review.ipynb) | can you explain it, and which claims hold? | S15–S17 |
# | [09 What came after the slides](09_frontier.ipynb) | can a mask be found without training, and does it matter today? | – |
# | [10 Bug zoo](10_bug_zoo.ipynb) | which mistakes make a result wrong, and how are they found? | – |

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Here are three claims, in the order of the slides. Read them aloud and stop. Do not explain them yet: each
# should sound wrong.
#
# **Ask** Which of the three claims do you believe least?
#
# **Expect** Most hands go up for the third, a network that works without training. Write the count on the board; lesson
# 07 returns to it.
#
# </details>

# %% [markdown]
# ## Three ways to use it
#
# - **As a student**, run a lesson cell by cell (`Shift`+`Enter`). Before most runs you are asked for a prediction.
#   Your answer is kept in the folder `answers`, which neither a restart nor `git pull` touches, and it is drawn into
#   the figure that follows. That figure is folded until you run its cell or unfold it. Run All needs no answers. What
#   you answer after the result is kept as a second answer; your prediction stays. At the end of each lesson there are
#   exercises. Each exercise has folded hints, a check, and a folded solution (a student copy has no solutions). Where
#   your function is wrong, the check shows what it returned and what was expected.
# - **As an instructor**, you need not run anything: every output is stored in the notebook, and every slider has a
#   picture beside it. Runs that take hours are recorded; what runs live takes seconds or a few minutes. On a projector,
#   View → Appearance → Presentation Mode enlarges the text, the tables and the figures.
# - **As a reviewer**, pick any number and ask where it comes from. It was printed by the cell above it, or it is cited
#   from a paper with its table or section, or it comes from a record that names the machine, the date, the settings and
#   the seeds.
#
# A dotted word, such as a term at its first use, shows its meaning when you point at it. All terms stand in the
# [glossary](GLOSSARY.md). Below a figure, "What the figure shows" says it in words.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** You can open every notebook that I show today on your own laptop. It needs neither a network connection nor a
# graphics card.
#
# **Ask** Who has it running already?
#
# **Expect** A few. The others need two commands from the README.
#
# </details>

# %% [markdown]
# **Your answers.** What you write into the notebooks is in your copy alone. `git pull` never overwrites it: if a lesson
# that you have changed was changed in the course, too, `git pull` stops and says so. To keep both, work in a copy that
# git does not know: File → Save Notebook As, and name it `my_01.ipynb`, say, in the same folder. Names that begin with
# `my_` are never touched. If you have already changed a lesson itself, rename your version to such a name, run
# `git checkout notebooks/`, and pull again.
#
# **Another editor.** In VS Code, install the extensions Python and Jupyter, open the folder of the course, then a
# notebook, and choose Select Kernel → Python Environments → `.venv`. In any editor the kernel must be the Python into
# which the course is installed; `make lab` takes care of that in JupyterLab. If a cell says `No module named
# 'ltcourse'`, the kernel is another Python. VS Code shows what JupyterLab folds, so scroll with care before you predict.
#
# **Colab** and other services run each notebook on a machine of their own. Clone the course there first, in a cell
# `!git clone` with the address of its repository, then `%pip install -e` with the folder of the clone, and restart the
# session. Nothing is kept there when the session ends, so download your notebook. The lessons run on its processor as
# well as on its graphics card.

# %% [markdown]
# ## Three voices
#
# Every lesson keeps three kinds of statement apart:
#
# - **The slides say**: what the lecture claims.
# - **The paper reports**: what the authors measured, with the section, table or figure.
# - **We measured**: our own results, live on your machine or recorded earlier. Where a result differs from the paper's,
#   the lesson says so, and by how much.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** What the slides say, what a paper reports and what we measured are three different things. This course never
# mixes them.
#
# **Ask** If our number differs from the paper's, which one is wrong?
#
# **Expect** Perhaps neither: the settings, the seeds or the length of the run may differ. A number without its settings
# is worth little.
#
# </details>

# %%
from ltcourse import data
from ltcourse.classroom.predictions import mark, predict, reveal, summary
from ltcourse.display import plots
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent
from ltcourse.experiments import catalog
from ltcourse.networks import models
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.training import Recipe, evaluate, evaluations

plots.use_style()

# %% [markdown]
# ## Budgets
#
# Many of the papers' experiments need days on graphics cards. Here every experiment exists at several sizes, called
# budgets. A budget changes the settings and nothing else; *the code is the same*:
#
# - `smoke`: a few seconds, to test that the code runs. Its numbers mean nothing.
# - `class`: what a lesson runs live, in at most three minutes on two processor cores.
# - `desk`: an hour or two on two processor cores. Most of these runs are recorded in the repository.
# - `night`: at most two and a half hours per trial on one core. Only some experiments have it.
# - `paper`: the paper's own settings, as far as the paper states them.
#
# The table shows one experiment of lesson 01 at all the budgets that it has.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The code is the same at every budget. In this room we run the class budget. Longer runs are recorded, and each
# record says where and when it was made.
#
# **Ask** Why run several seeds rather than one long run?
#
# **Expect** One run cannot tell a real difference from chance. Several runs show how far apart two equal runs can be.
#
# </details>

# %% The same experiment at five budgets
Table(
    ["budget", "iterations, dense", "pruning rounds", "iterations per round", "seeds"],
    [
        [at, f"{s.recipe.iterations:,}", s.rounds, f"{s.retrain.iterations:,}", len(s.seeds)]
        for at in catalog.get("han-lenet-300-100").budgets
        for s in [catalog.settings("han-lenet-300-100", at)]
    ],
)

# %% [markdown]
# An **iteration** is one step of the optimizer on one batch of examples. A **seed** determines all random numbers of
# one trial: the same seed on the same machine gives the same result, bit for bit. Several seeds show how much of a
# result is chance.

# %% [markdown]
# ## The data
#
# The repository contains all of MNIST (70,000 handwritten digits) and class-balanced parts of Fashion-MNIST and
# CIFAR-10. Every file is verified by its checksum before it is used. `data/README.md` says where each data set comes
# from.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The data has three parts: one to train on, one to choose with, one to report on. The test set should play no
# part in any choice, so progress lines do not even show it.
#
# **Ask** What goes wrong if I choose the pruning rate by its test accuracy?
#
# **Expect** The test accuracy becomes a little too good, because the choice has already used the test examples. Ask
# them to remember that black pixels are exactly 0.
#
# </details>

# %%
mnist = data.load("mnist")
figure = plots.examples(mnist, mnist.train)

# %% [markdown]
# The 60,000 training images are divided once, by a fixed seed, into a **training** set and a **validation** set. Every
# choice, such as when to stop or how much to prune, is made on the validation set. The **test** set is for the report
# alone. If a choice depended on it, the reported accuracy would be a little too good, because it would include the luck
# of the choice.
#
# Somebody who watches a run is tempted to choose by what it shows. So while a network trains, its progress line shows
# the validation accuracy only. The test set is evaluated after the last iteration, and a cell prints the result when
# everything has been chosen. (Two of our recorded experiments broke this rule while their recipes were being found;
# lessons 01 and 02 say so.)
#
# The images of each set form one tensor of shape (examples, channels, height, width). A black pixel is exactly 0; this
# will matter in lesson 01.

# %% tags=["nbval-check-output"]
for name, part in (("train", mnist.train), ("validation", mnist.validation), ("test", mnist.test)):
    print(f"{name:10s} x {tuple(part.x.shape)}  y {tuple(part.y.shape)}  smallest pixel {part.x.min():.0f}")

# %% [markdown]
# ## A first network
#
# LeNet-300-100 is the small network of the first two papers; lesson 07 also uses it for the third. It has 784 inputs,
# one per pixel, hidden layers of 300 and 100 neurons, and ten outputs, one per digit. A **recipe** holds every setting
# of the training.

# %% tags=["hide-input"]
predict("00.accuracy")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Collect guesses, then run the training cell: it takes seconds. Follow the left figure from left to right, and
# stop at the early stop.
#
# **Ask** How many of the test digits will it classify correctly? Has it begun to memorize its training examples?
#
# **Expect** Guesses are usually too low. It has hardly begun to memorize: the run is too short for the validation loss
# to rise.
#
# </details>

# %% tags=["hide-output"]
iterations = catalog.live(600)
recipe = Recipe(iterations=iterations, batch=60, lr=1.2e-3, evaluate_every=iterations // 10)
network = models.create("lenet-300-100", initializer=kaiming_normal, seed=0)

training = watch(evaluations(network, mnist, recipe), "training")
history = training.last

# %% [markdown]
# The line above changed while the network trained. You can stop a training cell at any time (the ■ button, or `I` `I`).
# Everything computed so far is kept, and the next cells work with it. A cell that needs more says in one line which cell
# to run to the end.

# %% tags=["hide-output"]
figure = plots.learning_curves(history)
mark("00.accuracy", figure.axes[1])

# %% [markdown]
# The left figure shows the **loss**, which training makes smaller: −log of the probability that the network gives to
# the right digit, averaged over the digits. The logarithm is the natural one, so the unit is the *nat*: a loss that
# is lower by 1 nat means a probability that is e ≈ 2.7 times as large. The iteration of the smallest validation loss
# is the **early stop**. In a long training the validation loss rises after it, because the network then mostly
# memorizes its training examples (lesson 03 shows this). This run is short, so its smallest value is one of the last.
# The right figure shows the share of validation digits that the network classifies correctly.
#
# Lottery tickets will be judged by two numbers: how soon a network reaches its early stop, and how accurate it is
# there.
#
# Everything is chosen, so the test set may now be evaluated:

# %% tags=["hide-output"]
loss, accuracy = evaluate(network, mnist.test)
print(f"after {history.iterations[-1]:,} iterations: test accuracy {percent(accuracy, 2)}, loss {loss:.3f}")
print(f"wrong: {round((1 - accuracy) * len(mnist.test)):,} of {len(mnist.test):,} test digits")
reveal("00.accuracy", accuracy)

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** We have one network and one accuracy to start from. From here on we remove weights.
#
# **Ask** How many of these weights does it need?
#
# **Expect** Write down three guesses and keep them for lesson 01.
#
# </details>

# %%
print(
    f"data        {mnist.name}: {len(mnist.train):,} + {len(mnist.validation):,} + {len(mnist.test):,} images, verified"
)
print(f"network     LeNet-300-100: {models.weight_count(network):,} weights")
print(f"training    {history.iterations[-1]:,} iterations, early stop at {history.early_stop:,}")
print(f"accuracy    {percent(accuracy, 1)} of the test digits")

# %% tags=["hide-input"]
summary("00")

# %% [markdown]
# The course runs on your machine. Does the network need all of these weights? Lesson [01, pruning
# LeNet](01_pruning_lenet.ipynb), removes most of them.
#
# ## References
#
# - Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner: *Gradient-Based Learning Applied to Document Recognition*,
#   1998 (MNIST, LeNet).
# - Song Han, Jeff Pool, John Tran, William Dally: *Learning both Weights and Connections for Efficient Neural Networks*,
#   2015, arXiv:1506.02626.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635.
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a Randomly
#   Weighted Neural Network?*, 2020, arXiv:1911.13299.
