"""What `import ltcourse` adds to `import torch`, by itself and with the modules of the README's example."""

import subprocess
import sys

from measures import Row, seconds

REPEATS = 7
EXAMPLE = """
from ltcourse import data
from ltcourse.networks import models
from ltcourse.pruning import prune_iteratively
from ltcourse.pruning.restarts import keep, to_init
from ltcourse.training import Recipe
"""
CODE = """
from time import perf_counter
begun = perf_counter()
import torch
after = perf_counter()
exec({code!r})
print(after - begun, perf_counter() - after)
"""


def measured(code: str) -> tuple[float, float]:
    """Return the seconds of `import torch` and of what comes after it, each the least of several new processes."""
    found = []
    for _ in range(REPEATS):
        command = [sys.executable, "-c", CODE.format(code=code)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append([float(part) for part in done.stdout.split()])
    torch, added = (min(column) for column in zip(*found, strict=True))
    return torch, added


def test_the_import(rows: list[Row]) -> None:
    for what, code in {"import ltcourse": "import ltcourse", "imports of the README's example": EXAMPLE}.items():
        torch, added = measured(code)
        how = f"with `import torch`, against that alone: {1000 * added:.0f} ms more; {REPEATS} new processes"
        rows.append(Row(what, torch + added, torch, seconds, None, how))
        assert added < 0.3, f"{what} adds {added:.2f} s to `import torch`"
