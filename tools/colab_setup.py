# @title Install the course: run this cell first
# It fetches the course and installs what is missing here. PyTorch and what else is here stay as they are.
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

REPOSITORY = "@repository@"
COURSE = Path(os.environ.get("LTCOURSE_COURSE") or Path.home() / "ltcourse")
NOT_NEEDED = {"jupyterlab"}  # the service shows the notebook itself


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that can be compared: "2.13.0+cu128" → (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def installed(name: str) -> str:
    """The version of a package that is here, "" where it is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def run(what_to_do: str, *command: str) -> None:
    """Run a command; raises RuntimeError with what to do where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).split("\n")[-1]
        raise RuntimeError(f"`{' '.join(command[:4])} …` failed ({said}): {what_to_do}")


if sys.version_info < (3, 11):  # noqa: UP036  (whatever a service has)
    raise RuntimeError(f"Python {sys.version.split()[0]} runs here and the course needs 3.11: choose a newer runtime")
if not COURSE.exists():
    try_again = "turn the internet on in the notebook's settings, and see that anybody may read the repository"
    run(try_again, "git", "clone", "--quiet", "--depth", "1", REPOSITORY, str(COURSE))

import tomllib  # noqa: E402  (Python 3.11)

wanted = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
missing, kept = [], []
for requirement in wanted:
    name, _, least = requirement.partition(">=")
    here = installed(name)
    if here and name in ("torch", "torchvision"):
        kept.append(f"{name}=={here}")
        if numbers(here) < numbers(least):
            raise RuntimeError(f"{name} {here} is here and the course needs {least} or later: choose a newer runtime")
    elif name not in NOT_NEEDED and (not here or numbers(here) < numbers(least)):
        missing.append(requirement)

pip, online = (sys.executable, "-m", "pip", "install", "--quiet"), "turn the internet on, and run this cell again"
if missing:
    constraints = COURSE / ".kept.txt"
    constraints.write_text("\n".join(kept) + "\n")
    run(online, *pip, "--constraint", str(constraints), *missing)
if not installed("ltcourse"):
    run(online, *pip, "--no-deps", "--editable", str(COURSE))
sys.path.insert(0, str(COURSE))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(COURSE), os.environ.get("PYTHONPATH")]))
os.chdir(COURSE / "notebooks")

import torch  # noqa: E402

device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: everything runs on the CPU"
print(f"The course is ready: PyTorch {torch.__version__}, {device}. Installed: {', '.join(missing) or 'nothing else'}.")
