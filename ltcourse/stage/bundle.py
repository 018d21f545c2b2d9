"""The student copy: notebooks, package, data and records as one folder or one .zip that stands alone, with no key."""

import io
import zipfile
from pathlib import Path

from ltcourse import files
from ltcourse.classroom import packed
from ltcourse.data import sources
from ltcourse.stage import student_copy

README = Path(__file__).resolve().parent / "student_readme.md"
AS_THEY_ARE = ("LICENSE", "Makefile", "constraints.txt", "pyproject.toml", "tools/preflight.py", "data/README.md")
FOLDERS = ("notebooks", "ltcourse", "data")
KEYS = ("ltcourse/classroom/bank", "ltcourse/classroom")  # whose .toml files hold questions with their answers
LECTURE = "ltcourse/stage/lecture.toml"  # its slides' titles say what comes out
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same course gives the same .zip


def write(target: Path, *, outputs: bool = True, notebooks: Path | None = None) -> list[str]:
    """Write the student copy to a folder, or to one file where the name ends in .zip; return the names of its files.

    outputs: whether the notebooks keep their stored outputs. notebooks: where they lie, by default the course's own.
    Nothing is written before all has been read.
    Raises ValueError, one sentence, if the target holds something or lies within the course's own folders, or if
    something of the course is missing or damaged.
    """
    target = files.place(target).resolve()
    _refuse(target, files.place(notebooks or files.ROOT / "notebooks").resolve())
    found = contents(outputs, notebooks)
    try:
        if target.suffix == ".zip":
            files.write(target, _zipped(found, target.stem))
        else:
            for name, content in found.items():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(content)
    except OSError as problem:
        raise ValueError(f"{target} cannot be written ({problem}): empty it, and name another folder") from problem
    return sorted(found)


def contents(outputs: bool = True, notebooks: Path | None = None) -> dict[str, bytes]:
    """Return what a student copy holds: name → content.

    The notebooks without what answers; the package, the questions of the quiz and of the review packed; the embedded
    data and the records; what the installation needs; a README for students. No lessons, no tests, no tools.
    """
    found = student_copy.notebooks(notebooks or files.ROOT / "notebooks", outputs)
    found = {f"notebooks/{name}": content for name, content in found.items()}
    minutes = ["notebooks/minutes.json"] if (files.ROOT / "notebooks" / "minutes.json").exists() else []
    for name in (*AS_THEY_ARE, *minutes, *_data(), *_records()):
        found[name] = _content(name)
    for file in sorted((files.ROOT / "ltcourse").rglob("*")):
        own = file.relative_to(files.ROOT)
        if (
            not file.is_file()
            or own.as_posix() == LECTURE
            or any(part == "__pycache__" or part.startswith(".") for part in own.parts)
        ):
            continue
        if own.suffix == ".toml" and own.parent.as_posix() in KEYS:
            found[own.with_suffix(packed.SUFFIX).as_posix()] = packed.pack(file.read_text(encoding="utf-8"))
        else:
            found.setdefault(own.as_posix(), file.read_bytes())
    found["README.md"] = README.read_bytes()
    return found


def _refuse(target: Path, notebooks: Path) -> None:
    """Raise ValueError where nothing should be written."""
    for own in (notebooks, *(files.ROOT / name for name in FOLDERS)):
        if target == own or own in target.parents:
            raise ValueError(f"{target} is inside of the course's own {own.name}/: choose a folder elsewhere")
    if target == files.ROOT:
        raise ValueError(f"{target} is the course itself: choose a folder elsewhere")
    if target.suffix == ".zip":
        if target.exists():
            raise ValueError(f"{target} is already there, and was not changed: name another file, or delete it")
    elif target.exists() and not target.is_dir():
        raise ValueError(f"{target} is a file: name a folder that is empty or not there yet, or a .zip")
    elif target.is_dir() and any(target.iterdir()):
        raise ValueError(f"{target} is not empty, and nothing in it was changed: name an empty folder")


def _data() -> list[str]:
    """The files of the embedded data sets, by name."""
    return [f"data/{file.places[0]}" for name in sources.EMBEDDED_SETS for file in sources.FILES[name]]


def _records() -> list[str]:
    """The recorded runs and the journals that wait for a machine; what a run keeps beside its record stays."""
    data = files.ROOT / "data"
    kept = (*data.glob("runs/[!.]*.json"), *data.glob("unfinished/*/*"))
    return [file.relative_to(files.ROOT).as_posix() for file in sorted(kept)]


def _content(name: str) -> bytes:
    try:
        return (files.ROOT / name).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{name} is missing: {files.restore(name)}" if files.in_clone() else files.NO_CLONE) from None


def _zipped(found: dict[str, bytes], top: str) -> bytes:
    """The files as a .zip, in a folder of their own."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(found.items()):
            entry = zipfile.ZipInfo(f"{top}/{name}", EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return whole.getvalue()
