"""Tries the exercises of submitted notebooks, each notebook in a process of its own, for `sandbox`.

The notebook is other people's code. What it prints goes nowhere; verdicts are those of the course's own checks, which
this process imported before it ran a cell, and they leave through the pipe that was its standard output.
"""

import builtins
import contextlib
import copy
import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch._dynamo  # an optimizer imports it, and it replaces torch.manual_seed
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ltcourse import files
from ltcourse.classroom import checks
from ltcourse.classroom.checks.verdict import Verdict
from ltcourse.stage import landlock, slices

LONGEST_REPLY = 1500
LARGEST_FILE = 100_000_000  # bytes that a submission may write into one file
FORKS = hasattr(os, "fork") and sys.platform != "darwin"  # whose libraries do not bear it
NOT_READ = ("lessons", "notebooks", "tests", ".git")  # solutions lie there
# What a function of an exercise has no use for: the network, other programs, and the insides of this process.
FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "pty.",
    "os.kill", "ctypes.", "gc.get_", "sys._current_", "sys.settrace", "sys.setprofile", "syslog.", "winreg.",
    "resource.setrlimit", "resource.prlimit", "signal.pthread_kill",
)  # fmt: skip
# What changes files: the paths among an event's arguments, each with the place of the folder that it is relative to.
CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.remove": ((0, 1),), "os.rmdir": ((0, 1),), "os.mkdir": ((0, 2),), "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),), "os.utime": ((0, 3),), "os.truncate": ((0, None),), "os.chflags": ((0, None),),
    "os.rename": ((0, 2), (1, 3)), "os.link": ((0, 2), (1, 3)), "os.symlink": ((1, 2),),
    "os.setxattr": ((0, None),), "os.removexattr": ((0, None),), "shutil.rmtree": ((0, 1),),
    "sqlite3.connect": ((0, None),),
}  # fmt: skip


class Refused(PermissionError):
    """The submission did what it may not do while it is graded."""


def main() -> None:
    """Read jobs from the standard input, one a line, and write one line for whatever there is to tell of each.

    PyTorch takes seconds to import, so this process never runs a submission: each job has a fork of it. Where there are
    no forks, it takes one job, and the next one needs a new process.
    """
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    for stream in (1, 2):  # nothing that a submission prints is kept
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    torch.set_num_threads(1)
    changed = _guard()
    channel.write(b"{}\n")
    for line in sys.stdin.buffer:
        job = json.loads(line)

        def tell(**said: str) -> None:
            channel.write(_line({"token": job["token"], **said}))  # noqa: B023

        if not FORKS:
            _examine(job, tell, changed)
            return
        if not (child := os.fork()):
            status = 1
            try:
                os.setsid()
                _examine(job, tell, changed)
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # what it left behind
        tell(ended=str(os.waitstatus_to_exitcode(ended)))


def _line(said: dict[str, str], quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii) -> bytes:
    """A line of JSON, by nothing that a submission can replace: `json.dumps` it can."""
    return f"{{{', '.join(f'{quoted(key)}: {quoted(value)}' for key, value in said.items())}}}\n".encode()


def _examine(job: dict[str, Any], tell: Callable[..., None], changed: Callable[[], Iterator[str]]) -> None:
    """Try the exercises of a job, and tell when each is begun and what came of it."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(job["folder"])
    os.environ |= job["environment"]
    landlock.restrict(Path(job["folder"]).parent)  # what is not written in Python passes the hook by
    tempfile.tempdir = None  # so that TMPDIR is looked at
    sys.path.append(job["folder"])  # a submission may bring modules, and none that hides another
    sources, shell = job["sources"], _shell()
    more_time = _watch(job["out_of_time"])
    _limit_memory(job["memory"])
    sys.addaudithook(_refusing(os.path.realpath(job["folder"])))
    done: set[int] = set()
    for name in job["exercises"]:
        more_time(job["seconds"])
        tell(began=name)
        result, reply = _try(shell, sources, name, done)
        if result != "not done" and (parts := list(changed())):
            result, reply = "failed", f"not counted: the notebook replaced {', '.join(parts[:3])}"
        tell(result=result, reply=reply[:LONGEST_REPLY])


def _try(shell: InteractiveShell, sources: list[str], name: str, done: set[int]) -> tuple[str, str]:
    """Run what an exercise needs and has not been run, and check it: (result, reply)."""
    code = [_python(shell, source) for source in sources]
    wanted = slices.needed(code, name)
    if not wanted:
        return "not done", "the notebook has no function of this name"
    error: BaseException | None = None
    for i in wanted:
        if i not in done:
            done.add(i)
            outcome = shell.run_cell(sources[i], store_history=False, silent=True)
            error = outcome.error_before_exec or outcome.error_in_exec or error
    function = shell.user_ns.get(name)
    if not callable(function):
        return "failed", f"its cell stopped: {type(error).__name__}: {error}" if error else "it is not a function"
    try:
        with shell.builtin_trap:  # display(…)
            verdict = getattr(checks, name)(function)
    except BaseException as stopped:  # SystemExit as well: it is the submission's, and the next exercise comes
        return "failed", f"the check stopped: {type(stopped).__name__}: {stopped}"
    if type(verdict) is not Verdict:
        return "failed", f"the check returned {type(verdict).__name__}"
    return "not done" if verdict.passed is None else "passed" if verdict else "failed", str(verdict)


def _python(shell: InteractiveShell, source: str) -> str:
    """A cell as Python, without %magics and !commands; as it stands if IPython cannot read it."""
    try:
        return shell.transform_cell(source)
    except (SyntaxError, ValueError, RecursionError):
        return source


def _shell() -> InteractiveShell:
    """IPython without a kernel: it knows %magics, and goes on after a cell that raises."""
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.ast_node_interactivity = "none"
    settings.InteractiveShell.colors = "NoColor"
    return InteractiveShell.instance(config=settings)


def _watch(status: int) -> Callable[[float], None]:
    """Start to watch the processor time; the function returned gives this process so many seconds more from now on.

    After them it exits with this status. A busy machine takes longer, and costs nobody an exercise.
    """
    end, sleep, clock, leave = [math.inf], time.sleep, time.process_time, os._exit

    def watch() -> None:
        while clock() < end[0]:
            sleep(0.2)
        leave(status)

    def more(seconds: float) -> None:
        end[0] = clock() + seconds

    threading.Thread(target=watch, daemon=True).start()
    return more


def _limit_memory(size: int) -> None:
    """Limit memory and the size of files, where the system has such limits."""
    with contextlib.suppress(ImportError):  # Windows
        import resource

        for kind, limit in (("RLIMIT_AS", size), ("RLIMIT_FSIZE", LARGEST_FILE), ("RLIMIT_CORE", 0)):
            with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
                resource.setrlimit(getattr(resource, kind), (limit, limit))


def _guard() -> Callable[[], Iterator[str]]:
    """Remember what the verdicts rest on; the function returned yields what was replaced or added since."""
    course = [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] == "ltcourse"]
    owners = [
        (module.__name__, vars(module)) for module in (*course, torch, torch.nn.functional, np, math, copy, builtins)
    ]
    classes = [
        (f"{module.__name__}.{key}", vars(value))
        for module in course
        for key, value in vars(module).items()
        if isinstance(value, type) and value.__module__.split(".")[0] == "ltcourse"
    ]
    classes += [("torch.Tensor", vars(torch.Tensor))]
    before = [
        (name, parts, {k: (v, _body(v)) for k, v in parts.items() if callable(v)}) for name, parts in owners + classes
    ]
    # what is new in a class, or a function new in a module, can stand in the way of what it inherits or of a builtin
    closed = {id(parts): set(parts) for _, parts in classes} | {
        id(vars(module)): set(vars(module)) for module in course
    }

    def changed() -> Iterator[str]:
        for name, parts, kept in before:
            new = [k for k in set(parts) - closed.get(id(parts), set(parts)) if not isinstance(parts[k], ModuleType)]
            old = [k for k, (value, body) in kept.items() if parts.get(k) is not value or _body(value) != body]
            yield from (f"{name}.{key}" for key in (*old, *new))

    return changed


def _body(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, part, None) for part in ("__code__", "__defaults__", "__closure__"))


def _refusing(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that lets this process change files in one folder alone, and keeps it from what is FORBIDDEN.

    Python calls it before each such action, and nothing can remove it; what is not written in Python can pass it by.
    """
    hidden = [os.path.realpath(files.ROOT / name) for name in NOT_READ]
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int) or path is None:
                return
            writes = set(mode or "") & set("wax+") or (flags or 0) & writing
            if writes and not _within(path, None, [folder, os.devnull]):
                raise Refused(f"a submission writes into its own folder only, not to {path}")
            notebook = os.fsdecode(os.path.realpath(path)).endswith(".ipynb")
            if _within(path, None, hidden) or (notebook and not _within(path, None, [folder])):
                raise Refused(f"a submission does not read {path}")
        elif event in CHANGES:
            for place, relative in CHANGES[event]:
                path = arguments[place]
                if not _within(path, None if relative is None else arguments[relative], [folder]):
                    raise Refused(f"a submission changes its own folder only, not {path}")
        elif event.startswith(FORBIDDEN):
            raise Refused(f"a submission has no use for {event}")

    return hook


def _within(path: Any, relative: Any, folders: list[str]) -> bool:
    """Whether a path lies in one of the folders, and where it leads as well; relative: an open folder it begins in."""
    if isinstance(path, int):
        path = f"/proc/self/fd/{path}"
    path = os.fsdecode(path)
    if isinstance(relative, int) and relative >= 0:
        path = f"/proc/self/fd/{relative}/{path}"
    folder, name = os.path.split(path)  # of a link its own place counts, too: it can be deleted
    places = os.path.realpath(path), f"{os.path.realpath(folder or '.')}/{name}"
    return all(any(f"{place}/".startswith(f"{folder}/") for folder in folders) for place in places)


if __name__ == "__main__":
    main()
