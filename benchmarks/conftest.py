"""The table of all benchmarks, which a run of all of them writes."""

from pathlib import Path
from time import perf_counter

import pytest
from measures import README, Row, table

from ltcourse import data

ROWS: list[Row] = []
FILES = {file.name for file in Path(__file__).parent.glob("test_*.py")}
_BEGUN = perf_counter()


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """Where a benchmark puts its line."""
    return ROWS


@pytest.fixture(scope="session")
def mnist() -> data.Dataset:
    """MNIST, loaded once."""
    return data.load("mnist")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table if everything ran and nothing failed; a part of the benchmarks only prints its lines."""
    for row in ROWS:
        print(f"\n{row}", end="")
    whole = {item.path.name for item in session.items} == FILES
    if exitstatus == 0 and whole:
        README.write_text(table(ROWS, (perf_counter() - _BEGUN) / 60), encoding="utf-8")
        print(f"\n\nwritten: {README}")
