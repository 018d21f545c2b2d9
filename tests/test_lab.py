"""JupyterLab in a terminal: one Ctrl-C asks, two end it, and so does SIGTERM; no kernel and no file is left."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is of POSIX systems alone")

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 240  # seconds until something that does not come is given up
CTRL_C = b"\x03"
QUESTION = "Shut down this Jupyter server (y/[n])?"
# a session's leader gets the first terminal that it opens as its own, and Ctrl-C goes to who is in the foreground there
IN_A_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(terminal, stream)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Lab:
    """`ltcourse lab` in a pseudo-terminal, with one kernel."""

    def __init__(self, environment):
        self.screen, self.terminal = os.openpty()
        command = [sys.executable, "-m", "ltcourse.cli", "lab", "--no-browser", "--allow-root", "--port=0"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, os.ttyname(self.terminal), *command],
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        self.said, self.read = "", 0
        threading.Thread(target=self._listen, daemon=True).start()
        address, token = self.wait_for(r"(http://127\.0\.0\.1:\d+)/lab\S*?token=(\w+)").groups()
        self.kernels, self.token = f"{address}/api/kernels", token
        deadline = time.monotonic() + PATIENCE
        while not self.listens():  # it tells its address before it answers there
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def _listen(self):
        try:
            while text := os.read(self.screen, 4096):
                self.said += text.decode(errors="replace")
        except OSError:  # the terminal was closed
            pass

    def wait_for(self, pattern):
        """Wait until it says something new that has this pattern in it; return the match."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.compile(pattern).search(self.said, self.read)):
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.02)
        self.read = found.end()
        return found

    def type(self, keys):
        os.write(self.screen, keys)

    def ask(self, method="GET"):
        """Ask the server for its kernels (GET), or for one more (POST)."""
        body = b"{}" if method == "POST" else None
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.kernels, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def listens(self):
        try:
            return self.ask() == []
        except urllib.error.URLError:
            return False

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.terminal)


@pytest.fixture(params=["handed over", "waited for"])
def place(request, tmp_path):
    """An environment: one with a home folder, and one without, where JupyterLab is a process beside the command's."""
    folders = {name: tmp_path / name for name in ("home", "runtime", "scratch")}
    for folder in folders.values():
        folder.mkdir()
    home = folders["home"] if request.param == "handed over" else tmp_path / "none"
    return os.environ | {
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "TMPDIR": str(folders["scratch"]),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def lab(place):
    opened = Lab(place)
    yield opened
    opened.close()


def wait_until(condition, lab):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, lab.said
        time.sleep(0.02)


def wait_for_kernels(place, count):
    """Wait until so many processes run that were started with a connection file of this place."""
    deadline = time.monotonic() + PATIENCE
    while True:
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        there = [line for line in listed.splitlines() if f"{place['JUPYTER_RUNTIME_DIR']}{os.sep}kernel-" in line]
        if len(there) == count:
            return
        assert time.monotonic() < deadline, f"kernels: {there}"
        time.sleep(0.05)


def assert_all_has_ended(lab, place):
    lab.process.wait(timeout=PATIENCE)
    wait_for_kernels(place, 0)
    assert not lab.listens()
    # the secret of the cookies is kept by Jupyter, so that a browser need not ask again
    left = Path(place["JUPYTER_RUNTIME_DIR"]).iterdir()
    assert [file.name for file in left if file.name != "jupyter_cookie_secret"] == []
    assert list(Path(place["TMPDIR"]).glob("ltcourse-*")) == []


def test_one_ctrl_c_asks_no_goes_on_and_a_second_one_ends_everything(lab, place):
    kernel = lab.ask("POST")["id"]
    wait_for_kernels(place, 1)
    lab.type(CTRL_C)
    lab.wait_for(re.escape(QUESTION))
    lab.type(b"n\n")
    lab.wait_for("resuming operation")
    assert [found["id"] for found in lab.ask()] == [kernel] and lab.process.poll() is None
    for _ in range(20):  # Jupyter waits for the second one for five seconds, which on a busy machine can be too few
        asked = lab.said.count(QUESTION)
        lab.type(CTRL_C)
        wait_until(lambda asked=asked: lab.said.count(QUESTION) > asked or lab.process.poll() is not None, lab)
        if lab.process.poll() is not None:
            break
    assert_all_has_ended(lab, place)


def test_sigterm_ends_everything(lab, place):
    lab.ask("POST")
    wait_for_kernels(place, 1)
    os.kill(lab.process.pid, signal.SIGTERM)
    assert_all_has_ended(lab, place)
