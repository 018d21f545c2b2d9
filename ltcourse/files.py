"""Files: the clone that the course lies in, paths as people write them, and writing each file whole or not at all."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_CLONE = (
    "this ltcourse was installed without its lessons and data (`pip install .` copies the package alone): "
    "run `pip install -e .` in a clone of the course"
)


def is_clone(folder: Path) -> bool:
    """Whether a folder is a clone of the course, or a student copy: the package, beside its data."""
    return all((folder / part).is_file() for part in ("ltcourse/files.py", "pyproject.toml", "data/README.md"))


def in_clone() -> bool:
    """Whether the package lies in a clone of the course, or in a student copy, beside its data."""
    return is_clone(ROOT)


def restore(file: str) -> str:
    """Return what brings back a file of the repository, named from its root: with git, or without it."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        return f"restore it with `git checkout -- {file}`"
    return f"copy {file} from a fresh download of the course"


def place(given: str | os.PathLike[str]) -> Path:
    """Return a path that somebody wrote, with `~` for the home folder.

    Raises ValueError, one sentence, for the home of somebody who has none.
    """
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder {Path(given).parts[0]}: write the whole path") from None


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: to a temporary name beside it, then renamed.

    Raises OSError where the folder cannot be written to or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> str:
    """Return the sentence that tells of a file that could not be written."""
    return f"cannot write {path} ({error.strerror or error}): make room or give write access, and try again"
