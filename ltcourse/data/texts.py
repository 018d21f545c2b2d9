"""Text as characters: each is a number, its place in the alphabet of the text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from ltcourse.data import sources
from ltcourse.quantities import seeded, whole

BLOCK = 2_000  # characters that stay together when a text is divided: of ten blocks, one validates and one tests


@dataclass(frozen=True, eq=False)
class Text:
    """A text in memory, on one device.

    alphabet: the characters of the whole text, sorted. train, validation, test: (n,) int64, places in the alphabet.
    sha256: the digest of the verified file, which records carry.
    Lesson 09, "Networks of today".
    """

    name: str
    alphabet: str
    train: Tensor
    validation: Tensor
    test: Tensor
    sha256: str

    def decode(self, characters: Tensor) -> str:
        """Return the characters (n,) as a string.

        Lesson 09, "Networks of today".
        """
        return "".join(self.alphabet[place] for place in characters.tolist())


def read(name: str, contents: sources.Contents, device: str | torch.device = "cpu") -> Text:
    """Return a text, given its verified files.

    It is divided in blocks of 2,000 characters; of every ten, the ninth is for validation and the tenth for the test,
    so that all parts are of the same subjects.
    Lesson 09, "Networks of today".
    """
    content = b"".join(contents[file.name] for file in sources.FILES[name])
    text = content.decode()
    alphabet = "".join(sorted(set(text)))
    places = {character: place for place, character in enumerate(alphabet)}
    characters = torch.tensor([places[character] for character in text], device=device)
    parts: list[list[Tensor]] = [[], [], []]
    for number, block in enumerate(characters.split(BLOCK)):
        parts[max(0, number % 10 - 7)].append(block)
    digest = hashlib.sha256("".join(file.sha256 for file in sources.FILES[name]).encode()).hexdigest()
    train, validation, test = map(torch.cat, parts)
    return Text(name, alphabet, train, validation, test, digest)


def windows(characters: Tensor, length: int, count: int | None = None, seed: int = 0) -> Tensor:
    """Return pieces of a text, (count, length + 1): the last `length` of a row are what follows the first `length`.

    count: how many, from random places; by default the text is cut one piece after another, each character predicted
    once. Raises ValueError for a length that is not a whole number from 1 to below that of the text.
    Lesson 09, "Networks of today".
    """
    length = whole("length", length, 1)
    if length >= len(characters):
        raise ValueError(f"the text has {len(characters):,} characters: choose a length below that, not {length:,}")
    pieces = characters.unfold(0, length + 1, length if count is None else 1)
    if count is None:
        return pieces
    return pieces[torch.randint(len(pieces), (whole("count", count, 1),), generator=seeded(seed)).to(pieces.device)]
