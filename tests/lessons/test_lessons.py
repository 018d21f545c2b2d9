"""The sources are formatted, linted and typed as pyproject.toml asks.

The notebooks are not linted again: their cells are the lessons', which test_notebooks.py checks.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [name for name in ("ltcourse", "lessons", "tests", "tools", "benchmarks") if (ROOT / name).is_dir()]


def complaints(*command: str) -> str:
    """What a tool prints about the sources; empty where it is content."""
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else result.stdout + result.stderr


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        (["ruff", "check", "--output-format", "concise", *FOLDERS], "run `ruff check --fix`"),
        (["ruff", "format", "--check", "--output-format", "concise", *FOLDERS], "run `ruff format`"),
        (["mypy", "ltcourse", "tools"], "correct the types"),
    ],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_sources(command: list[str], remedy: str) -> None:
    said = complaints(*command)
    assert not said, f"{' '.join(command)}: {remedy}.\n\n{said}"


def test_a_complaint_is_seen(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os\n")
    assert "F401" in complaints("ruff", "check", str(tmp_path))
