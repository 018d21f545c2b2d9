"""The course's data: load("mnist") gives normalized training, validation and test examples as tensors.

Read `sets` first: what a data set is. Then `sources`, where its files come from and how each is verified, with
`mirrors` and `formats` below it; `streams` for what does not fit in memory, `texts` for a text,
`augmentation` for random crops and flips.
"""

from ltcourse.data.sets import NAMES, Check, DataError, Dataset, Split, Stream, Text, load, obtain, verify

__all__ = ["NAMES", "Check", "DataError", "Dataset", "Split", "Stream", "Text", "load", "obtain", "verify"]
