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
LARGEST_SAID = 1_000_000  # bytes that are told of one submission
STARTING = 600  # seconds in which PyTorch is imported, however busy the machine
PATIENCE = 10  # seconds on the clock for each of processor time: what sleeps uses none
OUT_OF_TIME = 75  # exit status of a process that used its seconds
# New namespaces: no network, no other processes to see, and when the first process ends, all of them do.
UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
SCRATCH = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "XDG_CACHE_HOME")
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


class Sandbox:
    """Where submissions are examined, one after the other, each in a process of its own.

    memory: bytes for each. Its processes are started when there is something to examine, and end with the block.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._scratch = tempfile.TemporaryDirectory(prefix="ltcourse-", ignore_cleanup_errors=True)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._scratch.cleanup()

    def examine(
        self, folder: Path, sources: Sequence[str], exercises: Sequence[str], seconds: float
    ) -> Iterator[dict[str, Any]]:
        """Examine a submission in a folder; yield what is told of it: which exercise is begun, and each verdict.

        sources: the code of the notebook's cells. seconds: of processor time, for each exercise. Whoever writes to the
        pipe of the verdicts without the secret of this submission ends it.
        Raises Stopped where the process ends before it is through, or is ended for its time or for what it sends.
        """
        process = self._started()
        job = {
            "token": secrets.token_hex(16),
            "folder": str(folder),
            "sources": list(sources),
            "exercises": list(exercises),
            "seconds": seconds,
            "out_of_time": OUT_OF_TIME,
            "memory": self._memory,
            "environment": dict.fromkeys(SCRATCH, str(folder)),
        }
        assert process.stdin
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        left = LARGEST_SAID
        while line := self._next(PATIENCE * seconds):
            said = _message(line, str(job["token"]))
            if said is None or (left := left - len(line)) < 0:
                self._end()
                raise Stopped("it was ended: it wrote where only verdicts are told")
            if "ended" in said:
                return _explain(int(said["ended"]), seconds)
            yield said
        return _explain(process.wait(), seconds)

    def _started(self) -> "subprocess.Popen[bytes]":
        """The process that waits for submissions, a new one where the last has ended."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._lines = queue.Queue(maxsize=1000)
            self._process = subprocess.Popen(
                [*walls(), sys.executable, "-P", "-B", "-m", "ltcourse.stage.examiner"],
                cwd=self._scratch.name,
                env=_environment(self._scratch.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()
            if not self._next(STARTING):
                raise ValueError("no process could be started for the submissions: see what `ltcourse doctor` says")
        return self._process

    def _next(self, seconds: float) -> bytes:
        """The next line, b"" where the process has ended. Raises Stopped where none comes."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            self._end()
            raise Stopped(f"it was ended: nothing came of it in {seconds:.0f} seconds") from None

    def _end(self) -> None:
        """End the process with all that it started."""
        if self._process is None:
            return
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None


def _explain(code: int, seconds: float) -> None:
    """Raise Stopped unless a process ended as it should."""
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
    """Put each line into the queue, which waits when it is full, and at the end an empty one."""
    while line := stream.readline(LARGEST_SAID + 1):
        lines.put(line)
    lines.put(b"")


def _environment(folder: str) -> dict[str, str]:
    """Only what Python needs: no secret that stands in the instructor's environment, no proxy, no graphics card."""
    from matplotlib import get_cachedir  # the list of fonts takes seconds to make

    return {name: os.environ[name] for name in KEPT if name in os.environ} | dict.fromkeys(SCRATCH, folder) | {
        "PYTHONPATH": str(files.ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "LTCOURSE_ANSWERS": "off",
        "LTCOURSE_BUDGET": "smoke",
        "LTCOURSE_DEVICE": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": get_cachedir(),
    }  # fmt: skip
