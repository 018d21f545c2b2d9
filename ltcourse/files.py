"""Writing files so that each is whole or not there, for records, journals, tickets and downloads alike."""

import os
from pathlib import Path


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
