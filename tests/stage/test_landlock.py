"""Landlock: what the system refuses a process, and that it refuses nothing in the process's own folder."""

import os
import socket
import subprocess
import sys

import pytest

from ltcourse import files
from ltcourse.stage import landlock

pytestmark = pytest.mark.skipif(not landlock.version(), reason="this system has no Landlock")
TRIES = """
import os, pathlib, socket, sys
from ltcourse.stage import landlock
mine, other = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
landlock.restrict(mine)
(mine / "below").mkdir()
(mine / "a").write_text("mine")
(mine / "a").unlink()
pathlib.Path(os.devnull).write_text("nothing")
for name, attempt in {
    "write": lambda: (other / "a").write_text("meddled"),
    "remove": lambda: (other / "a").unlink(),
    "make": lambda: (other / "b").mkdir(),
    "start": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "connect": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[3]))),
    "signal": lambda: os.kill(os.getppid(), 0),
}.items():
    try:
        attempt()
    except PermissionError:
        print(name)
"""


def test_a_process_is_kept_to_its_folder(tmp_path):
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "a").write_text("there", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-c", TRIES, tmp_path / "mine", tmp_path / "other", str(server.getsockname()[1])],
            env=os.environ | {"PYTHONPATH": str(files.ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    version = landlock.version()
    expected = ["write", "remove", "make", "start", *["connect"] * (version >= 4), *["signal"] * (version >= 6)]
    assert done.stdout.split() == expected
    assert (tmp_path / "other" / "a").read_text(encoding="utf-8") == "there"
