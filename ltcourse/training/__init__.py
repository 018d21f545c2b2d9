"""Training: a `Recipe` goes in, a `History` comes out.

Read `recipe` and `loop` first: what is asked for, the loop, one step. Then `graphs`, a step replayed on a GPU;
`checkpoints`, a training that is broken off and goes on; `accuracy`, top-1 and top-5 errors; `characters`, the training
of a language model; `process`, the threads, modes and memory that belong to the whole process.
"""

from ltcourse.training.loop import evaluate, evaluations, train
from ltcourse.training.recipe import History, Recipe

__all__ = ["History", "Recipe", "evaluate", "evaluations", "train"]
