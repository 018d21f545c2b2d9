"""Processes that are started without the program that starts them: they need the package, and nothing else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_main() -> Iterator[None]:
    """Let processes that are started inside the block not run the main program again.

    A started process imports the file of the main program, for what may be defined there. Where that file has no
    `if __name__ == "__main__"`, the import begins the same work once more, and where the program is read from the
    standard input, there is no file. Our workers need nothing of it.
    """
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {name: vars(main)[name] for name in ("__file__", "__spec__") if name in vars(main)}
    try:
        for name in hidden:
            setattr(main, name, None)
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)
