"""Before an installation: say in one sentence why it cannot be done. Runs on any Python 3, with nothing installed."""

import platform
import sys


def refusal(
    version: "tuple[int, ...]", system: str, machine: str, bits: int, libc: str, has_venv: bool
) -> "str | None":
    """Return what is in the way of an installation, and what to do; None where nothing is.

    version: of Python. system, machine: as of `platform`. bits: of Python, 32 or 64. libc: its name, "" where it is not
    the GNU one. has_venv: whether Python can make virtual environments.
    """
    if version < (3, 11):
        return "ltcourse needs Python 3.11 or later: name one, as in `make lab PYTHON=python3.12`"
    if system == "Darwin" and machine == "x86_64":
        return (
            "PyTorch 2.6, which ltcourse needs, is not made for Macs with Intel processors: use another machine, or "
            "Linux in a container; on a Mac with an Apple processor, take a Python that is made for it"
        )
    if bits != 64:
        return "PyTorch is not made for a Python of 32 bits: install one of 64 bits"
    if system == "Linux" and libc != "glibc":
        return "PyTorch is not made for a Linux without glibc, such as Alpine: use another one, Debian or Fedora"
    if not has_venv:
        return "this Python cannot make virtual environments: install its venv, on Debian `apt install python3-venv`"
    return None


def main() -> int:
    """Print what is in the way, and return 1 for it, 0 for nothing."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401

        has_venv = True
    except ImportError:
        has_venv = False
    bits = 64 if sys.maxsize > 2**32 else 32
    why = refusal(sys.version_info[:2], platform.system(), platform.machine(), bits, platform.libc_ver()[0], has_venv)
    if why:
        sys.stderr.write(why + "\n")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
