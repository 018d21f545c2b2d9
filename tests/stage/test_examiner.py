"""What a submission may not do while it is graded: tried on the hook and the guard themselves, not in a process."""

import builtins
import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ltcourse import files
from ltcourse.classroom.checks import verdict
from ltcourse.stage import examiner


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "other" / "file")
    (tmp_path / "mine" / "up").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(tmp_path / "mine" / "file")
    return tmp_path / "mine"


def events(folder):
    """(event, arguments, whether it is let pass)."""
    other = folder.parent / "other"
    yield from (("open", (str(folder / "a"), mode, 0), True) for mode in ("r", "w", "a", "x", "r+"))
    yield from (("open", (str(other / "a"), mode, 0), mode == "r") for mode in ("r", "w", "ab", "x", "r+"))
    yield "open", (str(other / "a"), None, os.O_WRONLY), False
    yield "open", (str(other / "a"), None, os.O_RDONLY), True
    yield "open", (os.fsencode(other / "a"), "wb", 0), False
    yield "open", (str(folder / ".." / "other" / "a"), "w", 0), False
    yield "open", (str(folder / "link"), "w", 0), False
    yield "open", (str(folder / "up" / "a"), "w", 0), False
    yield "open", (os.devnull, "w", 0), True
    yield "open", (3, "w", 0), True
    for name in examiner.NOT_READ:
        yield "open", (str(files.ROOT / name / "a"), "r", 0), False
    yield "open", (str(files.ROOT / "ltcourse" / "names.py"), "r", 0), True
    yield "open", (str(other / "hers.ipynb"), "r", 0), False
    yield "open", (str(folder / "mine.ipynb"), "r", 0), True
    for where, may in ((folder, True), (other, False)):
        yield "os.remove", (str(where / "a"), -1), may
        yield "os.rename", (str(folder / "a"), str(where / "b"), -1, -1), may
        yield "os.rename", (str(where / "a"), str(folder / "b"), -1, -1), may
        yield "os.symlink", ("anywhere", str(where / "b"), -1), may
        yield "os.mkdir", (str(where / "b"), 0o777, -1), may
        yield "os.truncate", (str(where / "b"), 0), may
        yield "shutil.rmtree", (str(where), None), may
    yield "os.remove", (str(other / "back"), -1), False
    yield "shutil.rmtree", (str(folder.parent), None), False
    for name in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        yield name, (), False
    for name in ("os.fork", "os.forkpty", "os.kill", "os.killpg", "ctypes.dlopen", "gc.get_objects", "sys.settrace"):
        yield name, (), False
    yield from (
        (name, (), True) for name in ("import", "compile", "exec", "os.listdir", "os.scandir", "object.__getattr__")
    )


def test_files_change_in_the_own_folder_alone_and_nothing_leaves(folder):
    hook = examiner._refusing(os.path.realpath(folder))
    for event, arguments, may in events(folder):
        try:
            hook(event, arguments)
            passed = True
        except examiner.Refused:
            passed = False
        assert passed is may, (event, arguments)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not say where an open folder lies")
def test_a_path_within_an_open_folder_is_followed(folder):
    hook = examiner._refusing(os.path.realpath(folder))
    for where, may in ((folder, True), (folder.parent / "other", False)):
        opened = os.open(where, os.O_RDONLY)
        try:
            if may:
                hook("os.remove", ("a", opened))
            else:
                with pytest.raises(examiner.Refused):
                    hook("os.remove", ("a", opened))
        finally:
            os.close(opened)


def always(*arguments, **named):
    return verdict.Verdict("exercise", True)


def test_what_the_verdicts_rest_on_is_guarded(monkeypatch):
    changed = examiner._guard()
    assert list(changed()) == []
    for owner, name, value in [
        (verdict, "judge", always),
        (verdict, "isinstance", lambda *_: True),
        (verdict.Verdict, "__bool__", lambda _: True),
        (verdict.Verdict, "__getattribute__", object.__getattribute__),
        (verdict.judge, "__code__", always.__code__),
        (torch, "equal", lambda *_: True),
        (np, "isclose", lambda *_: True),
        (copy, "deepcopy", lambda value: value),
        (torch.Tensor, "__eq__", lambda *_: True),
        (builtins, "abs", lambda _: 0),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value, raising=False)
            assert len(list(changed())) >= 1, name
        assert list(changed()) == [], name


def test_a_line_is_json_whatever_a_submission_does_to_json(monkeypatch):
    said = {"token": "a", "result": "failed", "reply": 'π "1"\n\\'}
    with monkeypatch.context() as patch:
        patch.setattr(json.JSONEncoder, "encode", lambda *_: "{}")
        patch.setattr(json, "dumps", lambda *_: "{}")
        line = examiner._line(said)
    assert json.loads(line) == said and line.count(b"\n") == 1 and line.endswith(b"\n")


def test_a_loop_ends_after_its_processor_time():
    code = "from ltcourse.stage import examiner\nexaminer._watch(75)(0.3)\nwhile True:\n    pass"
    environment = os.environ | {"PYTHONPATH": str(files.ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 75
