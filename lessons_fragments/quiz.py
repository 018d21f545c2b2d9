# %% [markdown]
# ## Quiz
#
# Questions over all lessons: what a thing is, why it is so, what would happen if, and experiments with a flaw to be
# found. Each wrong option has a reply of its own, and what you miss comes back at the end. Your first answer counts;
# after it you may try the other options, to see what is said about them.
#
# It works with the mouse, and with the keyboard alone: `Tab` until an option has a frame, `Enter` to choose it. After a
# right answer `Enter` goes on.

# %%
bank = questions.load()
quiz.Quiz(bank, count=10)

# %% [markdown]
# Ten questions of all lessons and levels. Others are a matter of arguments, such as
# `quiz.Quiz(bank, lessons=["03", "04"], levels=[2, 3], kinds=["spot the flaw"], seed=1)`. What is in the bank:

# %%
Table(
    ["lesson", *questions.KINDS, "in all"],
    [
        [lesson, *(sum(q.kind == kind for q in found) for kind in questions.KINDS), len(found)]
        for lesson in sorted({q.lesson[:2] for q in bank})
        for found in [questions.select(bank, lessons=[lesson])]
    ],
)

# %% [markdown] tags=["key"]
# ## All the questions, with answers folded
#
# For reading where no kernel runs: every question, with its answer and all replies folded below it. Answer first, then
# unfold.

# %% tags=["key"]
quiz.FoldedAnswers(bank)
