"""The reader's own answers to predictions, kept on disk: they outlast the kernel, Run All, and `git pull`.

Each prediction has a file of its own in the folder `answers` of the clone, which git ignores, so that two notebooks do
not meet. An answer is added to those before it, never written over one. Where nothing can be written, answers are kept
until the kernel stops. LTCOURSE_ANSWERS names another folder, or is `off`: then nothing is read or written.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltcourse import files

_session: dict[str, "Kept"] = {}  # of this kernel: all that there is where the disk cannot be written to


@dataclass
class Kept:
    """What was answered to one prediction.

    answers: in order, each with whether its result had been shown before. shown: whether it has been by now.
    Lesson 00, "A first network".
    """

    answers: list[tuple[Any, bool]] = field(default_factory=list)
    shown: bool = False

    @property
    def guess(self) -> Any:
        """What counts: the last answer from before the result, else the first from after it; None without any."""
        before = [answer for answer, late in self.answers if not late]
        return before[-1] if before else self.answers[0][0] if self.answers else None

    @property
    def late(self) -> bool:
        """Whether the guess was made after the result had been shown."""
        return bool(self.answers) and all(late for _, late in self.answers)

    @property
    def second(self) -> Any:
        """The last answer from after the result that is another than the guess; None if there is none."""
        last = next((answer for answer, late in reversed(self.answers) if late), None)
        return None if last == self.guess else last


def folder() -> Path | None:
    """Return the folder of the answers, None where none are kept."""
    named = os.environ.get("LTCOURSE_ANSWERS")
    if named:
        return None if named == "off" else files.place(named)
    return files.ROOT / "answers" if files.in_clone() else None


def load(name: str) -> tuple[Kept, str]:
    """Return what was answered to a prediction, and what is wrong with its file in one sentence, "" if nothing is.

    A damaged file is set aside, not deleted.
    """
    here = _session.get(name, Kept())
    if not (there := folder()):
        return here, ""
    file = there / f"{name}.json"
    try:
        found = _read(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return here, ""
    except OSError as error:
        return here, f"{file} cannot be read ({error.strerror}): give read access to see your earlier answers."
    except (ValueError, KeyError, TypeError, AttributeError):
        return here, _set_aside(file)
    # the session has more than the disk only where it could not be written
    found.shown = found.shown or here.shown
    return (found if len(found.answers) >= len(here.answers) else here), ""


def add(name: str, answer: Any) -> str:
    """Keep one more answer; return in one sentence what prevents it from being written, "" if nothing does."""
    kept, _ = load(name)
    return _keep(name, Kept([*kept.answers, (answer, kept.shown)], kept.shown))


def shown(name: str) -> str:
    """Take down that the result was shown: whatever is answered from now on is no guess; returns as `add` does.

    Without an answer nothing is written, so that Run All leaves no file.
    """
    kept, _ = load(name)
    if kept.shown:
        return ""
    if not kept.answers:
        _session[name] = Kept(shown=True)
        return ""
    return _keep(name, Kept(kept.answers, True))


def _keep(name: str, kept: Kept) -> str:
    _session[name] = kept
    if not (there := folder()):
        return "No answers are kept on disk here: this one is kept until the kernel stops."
    told = {
        "prediction": name,
        "answers": [{"answer": answer, "after the result": late} for answer, late in kept.answers],
        "result shown": kept.shown,
    }
    file = there / f"{name}.json"
    try:
        files.write(file, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        return f"Kept until the kernel stops, and no longer: {files.unwritable(file, error)}."
    return ""


def _read(content: dict[str, Any]) -> Kept:
    answers = [(entry["answer"], entry["after the result"]) for entry in content["answers"]]
    if not all(isinstance(late, bool) for _, late in answers) or not isinstance(content["result shown"], bool):
        raise ValueError
    return Kept(answers, content["result shown"])


def _set_aside(file: Path) -> str:
    aside = file.with_suffix(".damaged")
    try:
        file.replace(aside)
    except OSError:
        return f"{file} is damaged, and your earlier answer cannot be read: delete that file."
    return f"{file.name} was damaged, and your earlier answer cannot be read: the file is now {aside.name}."
