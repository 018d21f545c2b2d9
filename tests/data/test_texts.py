"""A text as characters: the whole of it, once, in three parts; and the pieces that a language model reads."""

import pytest
import torch

from ltcourse import data
from ltcourse.data import sources
from ltcourse.data.texts import BLOCK, windows


def test_the_parts_are_the_whole_text_in_blocks():
    text = data.load("python-topics")
    whole = sources.contents("python-topics")["topics.txt"].decode()
    blocks = [whole[i : i + BLOCK] for i in range(0, len(whole), BLOCK)]
    assert text.decode(text.validation) == "".join(blocks[8::10])
    assert text.decode(text.test) == "".join(blocks[9::10])
    assert text.decode(text.train) == "".join(b for i, b in enumerate(blocks) if i % 10 < 8)
    assert text.alphabet == "".join(sorted(set(whole))) and text.train.dtype == torch.int64


def test_no_paragraph_stands_twice():
    paragraphs = sources.contents("python-topics")["topics.txt"].decode().split("\n\n")
    assert len(paragraphs) > 1_000 and len(set(paragraphs)) == len(paragraphs)


def test_pieces_predict_each_character_once():
    pieces = windows(torch.arange(10), 3)
    assert pieces.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert pieces[:, 1:].flatten().tolist() == list(range(1, 10))


def test_pieces_from_random_places_are_of_the_text_and_of_the_seed():
    pieces = windows(torch.arange(50), 4, 20, seed=1)
    assert (pieces.diff(dim=1) == 1).all() and len(pieces[:, 0].unique()) > 5
    assert torch.equal(pieces, windows(torch.arange(50), 4, 20, seed=1))
    assert not torch.equal(pieces, windows(torch.arange(50), 4, 20, seed=2))


@pytest.mark.parametrize(("length", "text"), [(10, "choose a length below that, not 10"), (0, "at least 1")])
def test_a_length_that_does_not_fit_is_refused(length, text):
    with pytest.raises(ValueError, match=text):
        windows(torch.arange(10), length)
