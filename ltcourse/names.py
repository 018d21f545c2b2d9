"""Choosing one thing by its name, with a helpful refusal."""

import difflib
from collections.abc import Iterable


def choose(kind: str, name: str, names: Iterable[str]) -> str:
    """Return `name` if it is one of `names`.

    Raises ValueError, one sentence that lists the names and guesses which was meant, if it is not.
    """
    names = list(names)
    if name in names:
        return name
    close = difflib.get_close_matches(str(name).lower(), names, n=1)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(f"unknown {kind} {name!r}{guess}: choose one of {', '.join(names)}")
