"""What this machine is: its processor and device, and the versions that decide the result of a trial."""

import hashlib
import os
import platform
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
