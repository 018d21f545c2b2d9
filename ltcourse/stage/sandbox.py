"""Runs a submission within limits: a process of its own in a temporary copy, with a time, and no network.

The limits stop accidents and pranks. They are not a wall: see "Grading" in the README.
"""

import contextlib
import functools
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ltcourse import files

LARGEST_COPY = 100_000_000  # bytes of a submission's folder
LARGEST_SAID = 1_000_000  # bytes that one process may send
STARTING = 600  # seconds in which PyTorch is imported, however busy the machine
PATIENCE = 10  # seconds on the clock for each of processor time: what sleeps uses none
OUT_OF_TIME = 75  # exit status of a process that used its seconds
# New namespaces: no network, no other processes to see, and when the first process ends, all of them do.
UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Stopped(Exception):
    """A submission's process ended, or was ended, before it was through; the message says why."""


@functools.cache
def walls() -> tuple[str, ...]:
    """Return the command that takes the network away from what it runs, () where the system offers none."""
    if shutil.which(UNSHARE[0]) is None:
        return ()
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    return UNSHARE if probe.returncode == 0 else ()


@contextlib.contextmanager
def copied(submission: Path) -> Iterator[Path]:
    """Copy a file, or the files of a folder, to a temporary folder, which is deleted in the end; links are left out.

    Raises ValueError, one sentence, for a folder that is too large.
    """
    with tempfile.TemporaryDirectory(prefix="ltcourse-", ignore_cleanup_errors=True) as name:
        folder, left = Path(name) / "submission", LARGEST_COPY
        folder.mkdir()
        root = submission if submission.is_dir() else submission.parent
        for file in sorted(submission.rglob("*")) if submission.is_dir() else [submission]:
            if file.is_symlink() or not file.is_file():
                continue
            if (left := left - file.stat().st_size) < 0:
                raise ValueError(f"it has more than {LARGEST_COPY / 1e6:.0f} MB: hand in the notebook alone")
            (folder / file.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.relative_to(root))
        yield folder


def examine(
    folder: Path, sources: Sequence[str], exercises: Sequence[str], seconds: float, memory: int
) -> Iterator[dict[str, Any]]:
    """Run the examiner in a folder; yield what it says: which exercise is begun, and each verdict.

    sources: the code of the notebook's cells. seconds: of processor time, for each exercise. memory: in bytes. Whoever
    writes to the process's pipe without its secret ends it.
    Raises Stopped where the process ends before it is through, or is ended for its time or for what it sends.
    """
    token = secrets.token_hex(16)
    job = {
        "token": token,
        "folder": str(folder),
        "sources": list(sources),
        "exercises": list(exercises),
        "seconds": seconds,
        "out_of_time": OUT_OF_TIME,
        "memory": memory,
    }
    command = [*walls(), sys.executable, "-P", "-B", "-m", "ltcourse.stage.examiner"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout
        lines: queue.Queue[bytes] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it is told below why it ended
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
            yield from _listen(process, lines, token, seconds)
        finally:
            _end(process)
            reader.join(10)


def _listen(
    process: subprocess.Popen[bytes], lines: "queue.Queue[bytes]", token: str, seconds: float
) -> Iterator[dict[str, Any]]:
    left, limit = LARGEST_SAID, float(STARTING)
    while True:
        try:
            line = lines.get(timeout=limit)
        except queue.Empty:
            raise Stopped(f"it was ended: nothing came of it in {limit:.0f} seconds") from None
        if not line:
            break
        if (left := left - len(line)) < 0:
            raise Stopped(f"it was ended: it sent more than {LARGEST_SAID / 1e6:.0f} MB")
        said = _message(line, token)
        if said is None:
            raise Stopped("it was ended: it wrote where only verdicts are told")
        limit = PATIENCE * seconds
        yield said
    try:
        code = process.wait(limit)  # it may have closed the pipe, and go on
    except subprocess.TimeoutExpired:
        raise Stopped(f"it was ended: nothing came of it in {limit:.0f} seconds") from None
    if code == OUT_OF_TIME:
        raise Stopped(f"it was ended after {seconds:g} seconds of processor time")
    if code:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        raise Stopped(f"its process ended with {how}: it may have run out of memory, or have ended itself")


def _message(line: bytes, token: str) -> dict[str, Any] | None:
    """What a line says, None if it is not the examiner's."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not secrets.compare_digest(str(said.pop("token", "")).encode(), token.encode()):
        return None
    return said


def _read(stream: IO[bytes], lines: "queue.Queue[bytes]") -> None:
    """Put each line into the queue, and at the end, or after too much, an empty one."""
    said = 0
    while said <= LARGEST_SAID and (line := stream.readline(LARGEST_SAID + 1)):
        said += len(line)
        lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Only what Python needs: no secret that stands in the instructor's environment, no proxy, no graphics card."""
    from matplotlib import get_cachedir  # the list of fonts takes seconds to make

    scratch = dict.fromkeys(
        ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "XDG_CACHE_HOME"), str(folder)
    )
    return {name: os.environ[name] for name in KEPT if name in os.environ} | scratch | {
        "PYTHONPATH": str(files.ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "LTCOURSE_BUDGET": "smoke",
        "LTCOURSE_DEVICE": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": get_cachedir(),
    }  # fmt: skip
