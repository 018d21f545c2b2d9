"""Notebooks to hand out: without solutions, keys and instructor's notes, and without what one usually sees."""

import json
import os
import re
from pathlib import Path
from typing import Any

from ltcourse.display.markdown import PREDICTION
from ltcourse.files import NO_CLONE, in_clone, place, restore
from ltcourse.stage.lecture import KEPT_NOTES

STRIPPED = {"solution", "key", "notes"}  # the notes hold what to expect of each question and prediction
STAGED = {"title", "key", KEPT_NOTES}  # metadata for slides: a cell's title says what its figure will show
UNANSWERED = "key-output"  # the cell asks, and only what it shows in a notebook that was built answers
LINK = re.compile(r"\]\(\s*<?([^)\s>#]+)|<(?:img|a)\b[^>]*?\b(?:src|href)=[\"']([^\"'#]+)")
FOLD = re.compile(r"<(/?)details\b[^>]*>", re.IGNORECASE)
HINT = re.compile(r"<details\b[^>]*>\s*<summary>\s*Hint\b", re.IGNORECASE)


def notebooks(folder: Path, outputs: bool = True) -> dict[str, bytes]:
    """Return a folder's notebooks as students get them, with the figures that they show: name in the folder → content.

    Cells tagged `solution`, `key` or `notes` go with their outputs, and so do folded text that is no hint, what
    predictions came to, and the titles of slides, which say what comes out; cells tagged `key-output` lose their
    outputs. outputs: whether the other cells keep theirs.
    Raises ValueError, one sentence, if there are no notebooks, or one is damaged or shows a file that is not there.
    """
    folder = place(folder).resolve()
    found: dict[str, bytes] = {}
    for file in sorted(folder.rglob("*.ipynb")):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):  # JupyterLab's checkpoints
            notebook = stripped(_read(file), outputs)
            text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
            found[file.relative_to(folder).as_posix()] = text.encode()
            for shown in _shown(notebook, file, folder):
                found[shown.relative_to(folder).as_posix()] = shown.read_bytes()
    if not found:
        raise ValueError(f"there are no notebooks in {folder}: {restore('notebooks/')}" if in_clone() else NO_CLONE)
    return found


def stripped(notebook: dict[str, Any], outputs: bool = True) -> dict[str, Any]:
    """Return a notebook without what answers: see `notebooks`."""
    cells = []
    for cell in notebook["cells"]:
        tags = set(cell.get("metadata", {}).get("tags", []))
        if STRIPPED & tags:
            continue
        if STAGED & set(cell.get("metadata", {})):
            cell = {**cell, "metadata": {k: v for k, v in cell["metadata"].items() if k not in STAGED}}
        if cell.get("cell_type") == "markdown":
            source = "".join(cell["source"])
            if (kept := without_answers(source)) != source:
                cell = {**cell, "source": kept}
            if not kept.strip():
                continue
        elif cell.get("cell_type") == "code" and (UNANSWERED in tags or not outputs):
            cell = {**cell, "outputs": [], "execution_count": None}
        elif cell.get("cell_type") == "code":
            cell = {**cell, "outputs": [output for output in cell.get("outputs", []) if not _answers(output)]}
        cells.append(cell)
    return {**notebook, "cells": cells}


def without_answers(text: str) -> str:
    """Return Markdown without its folded text, hints excepted; what lies within a fold goes or stays with it."""
    kept: list[str] = []
    depth = begins = done = 0
    for tag in FOLD.finditer(text):
        if not tag[1]:
            begins = begins if depth else tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth and not HINT.match(text, begins):
                kept.append(text[done:begins].rstrip("\n"))
                done = tag.end()
    kept.append(text[done : begins if depth and not HINT.match(text, begins) else len(text)])  # a fold never closed
    return "".join(kept).lstrip("\n") if done else "".join(kept)


def _answers(output: dict[str, Any]) -> bool:
    """Whether an output says what a prediction came to."""
    return bool(output.get("data", {}).get(PREDICTION, {}).get("part") == "answer")


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
