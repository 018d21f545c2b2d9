"""The three review questions of the slides (S15 to S17): what a complete answer says, what is often said."""

from ltcourse.classroom.own_words import Point, Question
from ltcourse.classroom.questions import Choice, ChoiceQuestion

_FRANKLE, _RAMANUJAN = "Frankle & Carbin 2019", "Ramanujan et al. 2020"
HYPOTHESIS = Question(
    slide="S15",
    prompt="State the lottery ticket hypothesis.",
    points=(
        Point(
            r"The network is dense, and its weights $\theta_0$ are drawn at random: the claim is about the network "
            "before training.",
            "That a trained network can lose most of its weights is pruning, and was known before.",
            "03", "The hypothesis", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            "It contains a subnetwork: there is a mask $m$ that keeps some weights and removes the others.",
            "The hypothesis says only that one such mask exists: random masks give subnetworks, too, and these fall "
            "behind.",
            "03", "Two controls", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            r"The subnetwork begins from the weights that it has in the whole network, $m \odot \theta_0$, and is "
            "trained alone.",
            "With newly drawn weights the same structure is not a ticket. On the slide (S6) this is implied by the "
            "word “contains”.",
            "03", "The hypothesis", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            r"It needs at most as many iterations, $j' \le j$, each counted up to the smallest validation loss.",
            "Otherwise a subnetwork that needs ten times as long would be a ticket.",
            "03", "Faster?", f"{_FRANKLE}, Sec. 1 and 2",
        ),
        Point(
            r"It reaches at least the test accuracy of the whole network, $a' \ge a$.",
            "Otherwise nothing is claimed: every subnetwork reaches some accuracy.",
            "03", "The experiment", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            r"It is far smaller, $\lVert m \rVert_0 \ll \lvert \theta \rvert$; the slides speak of 1 to 15 % (S8).",
            "Otherwise the whole network would be a ticket of itself.",
            "03", "Is it so?", f"{_FRANKLE}, Sec. 1",
        ),
    ),
    claims=(
        Choice(
            "Most weights of a trained network can be removed, and it stays as accurate.",
            "That is pruning (S2, S3). The hypothesis is about a subnetwork that is trained alone, from the start.",
        ),
        Choice(
            "A small network learns as well as a large one.",
            "Not from any initial weights: with newly drawn ones the small network falls behind. It is a ticket only "
            "together with its own initial weights.",
        ),
        Choice(
            "The subnetwork performs well with no training.",
            "That is the next claim, S10 (lesson 07). A ticket is trained, from its initial weights.",
        ),
        Choice(
            "Every subnetwork of that size does it.",
            "The hypothesis says that there is one. A random mask of the same size, with its own initial weights, "
            "falls behind: it is the second control of lesson 03.",
        ),
        Choice(
            "The ticket is found before the large network is trained.",
            "The hypothesis says that it exists, not how to find it. The algorithm (question 2) trains the large "
            "network first, and then ever smaller parts of it.",
        ),
        Choice(
            "It must be faster, or more accurate.",
            "At most as many iterations and at least the accuracy: equality is enough.",
        ),
        Choice(
            "It has been proved.",
            "It is supported by experiments, and lesson 04 is about where they fail. What has been proved is the "
            "strong hypothesis of lesson 07, on subnetworks that are not trained.",
        ),
    ),
    answer=(
        r"A dense network, its weights $\theta_0$ drawn at random, contains a far smaller subnetwork, given by a mask "
        r"$m$, which, trained alone from its own initial weights $m \odot \theta_0$, reaches at least the test "
        "accuracy of the whole network in at most as many iterations."
    ),
    choices=ChoiceQuestion(
        "Which of these is the lottery ticket hypothesis?",
        (
            Choice(
                "A trained dense network contains a far smaller subnetwork that, fine-tuned from its trained weights, "
                "reaches at least the accuracy of the whole network.",
                "That is Han's pruning (S2): the survivors keep their trained weights, and the large network had to be "
                "trained for that. A ticket begins from its initial weights.",
            ),
            Choice(
                "A dense network of random weights contains a far smaller subnetwork that, trained alone from newly "
                "drawn weights, reaches at least the accuracy of the whole network in at most as many iterations.",
                "Then the structure alone would be the ticket. This is the first control of lesson 03, the "
                "re-initialized network, which is slower and less accurate.",
            ),
            Choice(
                "A dense network of random weights contains a far smaller subnetwork that, with no training, has at "
                "least the accuracy that the whole network reaches when it is trained.",
                "That is the claim of S10, “What's hidden …?”. It says more: no training at all. The lottery ticket "
                "hypothesis speaks of a subnetwork that is trained.",
            ),
            Choice(
                "A dense network of random weights contains a far smaller subnetwork that, trained alone from its own "
                "initial weights, reaches at least the accuracy of the whole network in at most as many iterations.",
                "Yes. All six parts are there: random weights, a subnetwork, its own initial weights, time, accuracy, "
                "size.",
                right=True,
            ),
            Choice(
                "Every far smaller subnetwork of a dense network of random weights, trained alone from its own initial "
                "weights, reaches at least the accuracy of the whole network in at most as many iterations.",
                "“Every” is too strong: a random mask has its own initial weights, too, and falls behind. The "
                "hypothesis says that there is one; hence the lottery.",
            ),
            Choice(
                "A dense network of random weights contains a far smaller subnetwork that, trained alone from its own "
                "initial weights for long enough, reaches at least the accuracy of the whole network.",
                "The time is missing: at most as many iterations. That a ticket is not slower is half of the claim.",
            ),
            Choice(
                "A dense network of random weights contains a far smaller subnetwork that, trained alone from its own "
                "initial weights, comes close to the accuracy of the whole network, in fewer iterations since it has "
                "fewer weights.",
                "It must reach at least the accuracy, not come close to it. And fewer weights make an iteration "
                "cheaper, but do not reduce the number of iterations: the re-initialized network is as small, and "
                "slower.",
            ),
        ),
    ),
)  # fmt: skip

TICKET_SEARCH = Question(
    slide="S16",
    prompt="Describe the algorithm that finds the subnetwork of the lottery ticket hypothesis.",
    points=(
        Point(
            r"Create the network with random weights $\theta_0$, and keep a copy of them.",
            "Training overwrites them, and they are needed later.",
            "03", "The algorithm by hand", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            "Train the network.",
            "Before training a magnitude tells how a weight was drawn, not whether it is useful.",
            "03", "The algorithm by hand", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            "Prune: in each layer remove a share of the weights, those with the smallest trained magnitudes. The mask "
            "$m$ marks the rest.",
            "The algorithm must say which weights to remove: removing random ones leaves a network of the same size "
            "that falls behind.",
            "03", "The algorithm by hand", f"{_FRANKLE}, Sec. 2",
        ),
        Point(
            r"Return the survivors to their initial values: $m \odot \theta_0$.",
            "This step is the only difference from Han's pruning, which goes on from the trained weights.",
            "03", "The algorithm by hand", f"{_FRANKLE}, Sec. 1",
        ),
        Point(
            "Repeat: train under the mask, prune a share of what is left, reset. What is pruned stays pruned.",
            "A single round that prunes everything at once finds tickets, too, but they stop winning at a larger size.",
            "03", "Which way to the ticket?", f"{_FRANKLE}, Sec. 2 and App. B",
        ),
        Point(
            r"The outcome is the mask together with the initial weights: the ticket $m \odot \theta_0$.",
            "A mask alone is a structure, and the same structure with other weights is not a ticket.",
            "05", "The mask or the values?", f"{_FRANKLE}, Sec. 1",
        ),
    ),
    claims=(
        Choice(
            "The survivors keep their trained weights.",
            "That is Han's pruning: it fine-tunes. Here they go back to their initial values.",
        ),
        Choice(
            "The survivors get new random weights.",
            "That is the control, and it does not win. The survivors get exactly the numbers with which they began.",
        ),
        Choice(
            "The smallest of the initial weights are removed.",
            "The weights with the smallest trained magnitudes are removed. A weight that began small may have become "
            "important.",
        ),
        Choice(
            "Every round removes 20 % of all weights.",
            "Then five rounds would leave nothing. Each round removes 20 % of those that are left: 80, 64, 51, … % "
            "remain.",
        ),
        Choice(
            "A weight that was removed can come back in a later round.",
            "Here the masks only shrink: each lies within that of the round before. Edges can come back in edge-popup "
            "(question 3).",
        ),
        Choice(
            "The weights are reset once, after the last round.",
            "That is Strategy 2 of the paper's App. B. It finds tickets, too, but the slides reset in every round "
            "(S7, step 4 repeats 2 and 3), and that stays ahead down to smaller sizes.",
        ),
    ),
    answer=(
        r"Draw random weights $\theta_0$ and keep a copy. Train the network; in each layer remove a share of the "
        r"remaining weights, those of the smallest magnitudes; set the survivors back to their values in $\theta_0$. "
        "Repeat training, pruning and reset until the network is as small as wanted. The last mask together with "
        r"$\theta_0$ is the ticket."
    ),
    choices=ChoiceQuestion(
        "Which of these finds the ticket?",
        (
            Choice(
                "Draw the weights. Repeat: train; remove the smallest magnitudes of each layer; train on from the "
                "weights that are left.",
                "That is the pruning loop of S2. The network becomes small, but it is never reset. The result is a "
                "trained network, not initial weights from which a small network could be trained alone.",
            ),
            Choice(
                "Draw the weights. Repeat: train; remove the smallest magnitudes of each layer; set the others back to "
                "the values that were drawn.",
                "Yes: train, prune, reset, repeat. The last mask with the first values is the ticket.",
                right=True,
            ),
            Choice(
                "Draw the weights. Repeat: train; remove the smallest magnitudes of each layer; draw the others anew.",
                "The mask would be found with one draw of weights and used with another. This is the control, and it "
                "falls behind the dense network.",
            ),
            Choice(
                "Draw the weights. Repeat: remove the smallest magnitudes of each layer. Train what is left.",
                "The initial magnitudes are random and have nothing to do with the data. Training has to come before "
                "pruning, in every round.",
            ),
            Choice(
                "Draw the weights and a score for each. Repeat: use the weights of the largest scores; let the "
                "gradient change the scores, and never the weights.",
                "That is edge-popup (S11), the answer to question 3. A ticket is found by training the weights and "
                "comparing their magnitudes.",
            ),
            Choice(
                "Draw the weights. Draw many random masks; train under each, from the values that were drawn; keep "
                "the best.",
                "There are far too many masks to find a good one by chance: lesson 07 counts them. A random mask is "
                "the second control of lesson 03, and it falls behind.",
            ),
            Choice(
                "Draw the weights. Repeat: train; remove the largest magnitudes of each layer; set the others back to "
                "the values that were drawn.",
                "It is the other way round: the smallest are removed. The network relies on its large weights.",
            ),
        ),
    ),
)  # fmt: skip

SUPERMASK_SEARCH = Question(
    slide="S17",
    prompt="Describe the algorithm that finds a subnetwork that performs well with no training.",
    points=(
        Point(
            "Take a large network with random weights and leave them as they were drawn: they never change.",
            "Otherwise it is ordinary training, and the claim is that none is needed.",
            "07", "What is hidden?", f"{_RAMANUJAN}, Sec. 3",
        ),
        Point(
            "Give every weight a score.",
            "Something has to be learned: not the weights, but which of them to use.",
            "07", "Edge-popup by hand", f"{_RAMANUJAN}, Sec. 3.2",
        ),
        Point(
            "In the forward pass use, in each layer, only the weights whose scores are among the top k %; the others "
            "count as 0. k is the share kept.",
            "The algorithm must say how scores choose a subnetwork. If k were the share pruned, it would be another "
            "subnetwork. The authors' code and this course rank the magnitudes of the scores; the paper's text ranks "
            "the scores themselves.",
            "07", "Edge-popup by hand", f"{_RAMANUJAN}, Sec. 3.2",
        ),
        Point(
            "In the backward pass let the gradient go straight through to the scores, as if the threshold were not "
            "there.",
            "The mask is 0 or 1, and its derivative is 0 almost everywhere: no score would ever move.",
            "07", "Edge-popup by hand", f"{_RAMANUJAN}, Sec. 3.2",
        ),
        Point(
            "Update all scores by gradient descent, including those of unused weights.",
            "An edge that was dropped must be able to pop up again: hence the name, edge-popup.",
            "07", "Watch the edges", f"{_RAMANUJAN}, Sec. 3.2",
        ),
        Point(
            "Repeat both passes, batch after batch. The outcome is a mask, the supermask: with it the random network "
            "performs well.",
            "The scores are discarded in the end; the goal of the search is the subnetwork.",
            "07", "No weight has moved", f"{_RAMANUJAN}, Sec. 3",
        ),
    ),
    claims=(
        Choice(
            "The weights are trained, too, or trained first.",
            "They stay exactly as they were drawn: lesson 07 compares a checksum. Only scores are learned.",
        ),
        Choice(
            "The largest weights are kept.",
            "Scores decide, not weights. How large a weight was drawn says nothing about the data.",
        ),
        Choice(
            "k % of the weights are pruned.",
            "k is the share kept. Public code mixes the two up.",
        ),
        Choice(
            "Only the scores of the weights in use are updated.",
            "Then a score outside the first mask, which is random, would not move: its edge could come into use only "
            "if others fell below it. All scores are updated.",
        ),
        Choice(
            "Random subnetworks are tried until one performs well.",
            "In LeNet-300-100 the number of subnetworks has tens of thousands of digits, and a random one is at "
            "chance (lesson 07, “What is hidden?”). The gradient guides the search.",
        ),
        Choice(
            "In the end the weights are set back to their initial values.",
            "That is question 2. Here the weights never change.",
        ),
    ),
    answer=(
        "Edge-popup: freeze a large network at its random weights and give each weight a score. Forward, use in each "
        "layer the weights of the top k % of the scores (by magnitude); backward, pass the gradient straight through "
        "the threshold and update all scores by gradient descent. The mask of the final scores is a subnetwork that "
        "performs well, and no weight was trained."
    ),
    choices=ChoiceQuestion(
        "Which of these finds a subnetwork that performs well with no training of weights?",
        (
            Choice(
                "Every weight gets a score. Forward: in each layer the weights of the top k % of the scores are used. "
                "Backward: the weights in use are updated, and with them their scores.",
                "Then weights would be trained. In edge-popup they never change; only the scores do.",
            ),
            Choice(
                "Every weight gets a score. Forward: in each layer the weights of the top k % of the scores are used. "
                "Backward: the scores of the weights in use are updated.",
                "Almost. The scores of the other weights must be updated, too. Otherwise an unused edge could come "
                "into use only if others fell below it, and the first choice was random.",
            ),
            Choice(
                "Every weight gets a score. Forward: in each layer the k % of the lowest scores are used. Backward: "
                "all scores are updated.",
                "A score grows if its edge helps to lower the loss. So the highest k % are used.",
            ),
            Choice(
                "The scores are the magnitudes of the random weights: in each layer the top k % of them are used.",
                "Nothing is learned here, because no example is used. How large a weight was drawn has nothing to do "
                "with the data.",
            ),
            Choice(
                "Train the network; remove all but the k % of the largest magnitudes in each layer; set the others "
                "back to their random values.",
                "That is the lottery ticket algorithm (question 2). It trains weights to find the mask, and the "
                "result has to be trained once more.",
            ),
            Choice(
                "Every weight gets a score. Forward: in each layer the weights of the top k % of the scores are used. "
                "Backward: all scores are updated, and no weight.",
                "Yes: that is edge-popup (S11). The gradient reaches the scores straight through the threshold.",
                right=True,
            ),
            Choice(
                "Every weight gets a score. Forward: all weights are used, each times its score. Backward: all scores "
                "are updated. In the end the top k % in each layer are kept.",
                "Weights times scores are trained weights by another name. And the subnetwork was never used while "
                "the scores were learned, so cutting at the end breaks it.",
            ),
        ),
    ),
)  # fmt: skip

QUESTIONS = (HYPOTHESIS, TICKET_SEARCH, SUPERMASK_SEARCH)
