"""Landlock: Linux itself keeps a process, and whatever it starts, from what it has no use for."""

import ctypes
import os
import struct
import sys
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls
_SET_NO_NEW_PRIVS = 38
_PATH_BENEATH, _VERSION = 1, 1
_WRITE_FILE, _EXECUTE, _REFER, _TRUNCATE = 1 << 1, 1 << 0, 1 << 13, 1 << 14
_CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))  # remove and make files, folders, links, sockets, devices
_BIND_OR_CONNECT, _SIGNAL = 3, 2


def version() -> int:
    """Return the version of Landlock: from 1 on it keeps files and programs, from 4 TCP, from 6 signals; 0 is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION)))


def restrict(folder: Path) -> None:
    """Let this thread change files below a folder alone, start no program, and neither connect nor signal, for good.

    What it forks is kept like it. Where the system has no Landlock, nothing happens.
    """
    if not (there := version()):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    file = _WRITE_FILE | (_TRUNCATE if there >= 3 else 0)
    changes = file | _CHANGE_FOLDERS | (_REFER if there >= 2 else 0)
    handled = [changes | _EXECUTE, *([_BIND_OR_CONNECT] if there >= 4 else []), *([_SIGNAL] if there >= 6 else [])]
    attributes = struct.pack(f"={len(handled)}Q", *handled)
    rules = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    for path, allowed in ((folder, changes), (os.devnull, file)):
        place = os.open(path, os.O_PATH)
        _checked(libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", allowed, place), 0))
        os.close(place)
    _checked(libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock: " + os.strerror(ctypes.get_errno()))
    return result
