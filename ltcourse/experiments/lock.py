"""One process at a time: a lock that goes with the process that holds it, however that ends."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TAKEN = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)


class Taken(RuntimeError):
    """Another process holds the lock."""


@contextmanager
def hold(file: Path) -> Iterator[None]:
    """Hold the lock of that name for as long as the block lasts; the file is removed at its end.

    Raises Taken where another process holds it, and OSError where the file cannot be made. A file that a killed process
    left behind is in nobody's way. Where the file system knows no locks, it goes without.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle)
        while not _is(file, handle):  # who held it before has just removed it
            os.close(handle)
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
            _take(handle)
    except Taken:
        os.close(handle)
        raise
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # while it is held, so that nobody's lock is removed
        os.close(handle)
        if os.name == "nt":  # where an open file cannot be removed
            with suppress(OSError):
                file.unlink()


def _is(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _take(handle: int) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in TAKEN:
            raise Taken from problem
