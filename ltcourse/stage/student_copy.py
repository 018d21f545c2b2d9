"""A copy of the notebooks to hand out: without solutions, and without the key."""

import json
import os
import re
from pathlib import Path
from typing import Any

from ltcourse.files import NO_CLONE, in_clone, place, restore

STRIPPED = {"solution", "key"}
UNANSWERED = "key-output"  # the cell asks, and only what it shows in a notebook that was built answers
LINK = re.compile(r"\]\(\s*<?([^)\s>#]+)|<(?:img|a)\b[^>]*?\b(?:src|href)=[\"']([^\"'#]+)")


def write(notebooks: Path, target: Path) -> list[Path]:
    """Write a folder's notebooks to `target`, without the cells tagged `solution` or `key`; return what was written.

    Such a cell goes with its outputs; one tagged `key-output` loses these alone; others keep theirs. Files that the
    notebooks show, such as figures, come along. The folder carries no key, but the *package* does: the quiz reads its
    questions, with their answers, from `ltcourse/classroom/bank`, where whoever has the package can read them.
    It is for practice; an exam needs other questions.
    Nothing is written before all has been read. Raises ValueError, one sentence, if `target` is a file, holds
    something or lies within `notebooks`, or if a notebook is damaged or shows a file that is not there.
    """
    notebooks, target = place(notebooks).resolve(), place(target).resolve()
    if target == notebooks or notebooks in target.parents:
        raise ValueError(f"{target} is inside of the notebooks' own folder: choose a folder elsewhere")
    if target.exists() and not target.is_dir():
        raise ValueError(f"{target} is a file: name a folder that is empty or not there yet")
    if target.is_dir() and any(target.iterdir()):
        raise ValueError(f"{target} is not empty, and nothing in it was changed: name an empty folder")
    files: dict[Path, bytes] = {}
    for file in sorted(notebooks.rglob("*.ipynb")):
        if not any(part.startswith(".") for part in file.relative_to(notebooks).parts):  # JupyterLab's checkpoints
            notebook = stripped(_read(file))
            files[file] = (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
            files |= {shown: shown.read_bytes() for shown in _shown(notebook, file, notebooks)}
    if not files:
        raise ValueError(f"there are no notebooks in {notebooks}: {restore('notebooks/')}" if in_clone() else NO_CLONE)
    written = [target / file.relative_to(notebooks) for file in files]
    try:
        for copy, content in zip(written, files.values(), strict=True):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
    except OSError as problem:
        raise ValueError(f"{target} cannot be written ({problem}): empty it, and name another folder") from problem
    return written


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without the cells tagged `solution` or `key`, and the outputs of those tagged `key-output`."""
    cells = []
    for cell in notebook["cells"]:
        tags = set(cell.get("metadata", {}).get("tags", []))
        if not STRIPPED & tags:
            cells.append({**cell, "outputs": [], "execution_count": None} if UNANSWERED in tags else cell)
    return {**notebook, "cells": cells}


def _read(file: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(file.read_text(encoding="utf-8"))
        return {**notebook, "cells": [{**cell, "source": cell["source"]} for cell in notebook["cells"]]}
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{file.name} is no notebook: {restore(f'notebooks/{file.name}')}") from problem


def _shown(notebook: dict[str, Any], file: Path, notebooks: Path) -> list[Path]:
    """The files that the prose links to, other notebooks aside.

    Raises ValueError if one is not there, or lies outside of the notebooks' folder, where the copy could not reach it.
    """
    found = []
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "markdown":
            continue
        for match in LINK.finditer("".join(cell["source"])):
            link = next(filter(None, match.groups())).replace("%20", " ")
            if re.match(r"[a-z][a-z0-9+.-]*:", link) or link.endswith(".ipynb"):
                continue
            linked = Path(os.path.normpath(file.parent / link))
            if not linked.is_file() or notebooks not in linked.parents:
                raise ValueError(f"{file.name} links to {link}, which a copy cannot take along: correct that link")
            found.append(linked)
    return found
