"""A copy of the course that runs as a clone does: its own package, with lessons and a mini set from here."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def make(root: Path, *sets: str) -> Path:
    """Copy the package to a folder, set lessons and data beside it, and return the folder."""
    shutil.copytree(ROOT / "ltcourse", root / "ltcourse", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("lessons", "pyproject.toml"):
        (root / name).symlink_to(ROOT / name)
    (root / "data").mkdir()
    for name in (*sets, "README.md"):
        (root / "data" / name).symlink_to(ROOT / "data" / name)
    return root
