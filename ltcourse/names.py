"""Choosing one thing by its name, with a helpful refusal."""

import difflib
import re
from collections.abc import Iterable


def choose(kind: str, name: str, names: Iterable[str]) -> str:
    """Return `name` if it is one of `names`.

    Raises ValueError, one sentence that lists the names and guesses which was meant, if it is not.
    """
    names = list(names)
    if name in names:
        return name
    if not names:
        raise ValueError(f"unknown {kind} {name!r}: there is none to choose from")
    close = _closest(str(name), names)
    guess = f" (did you mean {close!r}?)" if close else ""
    raise ValueError(f"unknown {kind} {name!r}{guess}: choose one of {', '.join(map(str, names))}")


def _closest(wish: str, names: list[str]) -> str | None:
    """The name that has most of the wish's words, and of several the one most alike; None where none is alike."""

    def likeness(name: str) -> tuple[int, float]:
        alike = difflib.SequenceMatcher(None, wish.lower(), str(name).lower()).ratio()
        return len(_words(wish) & _words(name)), alike

    best = max(names, key=likeness)
    common, alike = likeness(best)
    return best if common or alike >= 0.6 else None  # 0.6 as in difflib.get_close_matches


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", str(name).lower()))
