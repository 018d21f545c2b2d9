"""What this machine is: its processor and device, and the versions, the code's too, that decide a trial's result."""

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

import torch


def here(device: str) -> dict[str, str]:
    """Return where a trial on a device runs: machine, device, system; no name of a host or a folder."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, of the packages that compute, and of the course."""
    return {"python": platform.python_version()} | {p: version(p) for p in ("torch", "numpy", "ltcourse")}


def code() -> str:
    """Return the commit of the code, marked if it was changed since; the package's version outside a clone.

    A copy without git that lies within another repository is not of that repository.
    """
    here = Path(__file__).resolve()
    git = ["git", "-C", str(here.parents[1])]  # the whole package
    try:
        top = subprocess.run([*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
        subprocess.run([*git, "ls-files", "--error-unmatch", str(here)], capture_output=True, check=True)
        if Path(top.stdout.strip()).resolve() != here.parents[2]:
            return version("ltcourse")
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return version("ltcourse")
    return commit.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def has_home() -> bool:
    """Whether there is a home folder, and one that can be written to."""
    try:
        with TemporaryFile(dir=Path.home()):
            return True
    except (OSError, RuntimeError):
        return False


@cache
def sources() -> str:
    """Return a digest of the package's source, whatever its line ends: equal where the code is."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package).as_posix()}\n{file.read_text(encoding='utf-8')}\n".encode())
    return digest.hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
