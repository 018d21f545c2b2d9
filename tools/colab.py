"""Write copies of the notebooks for Colab and Kaggle: their first cell installs the course from a git address.

python tools/colab.py ADDRESS                 into colab/; ADDRESS is whatever `git clone` takes
python tools/colab.py ADDRESS --students      without solutions, keys and instructor's notes
python tools/colab.py ADDRESS --no-outputs    without stored outputs
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ltcourse.files import ROOT, write
from ltcourse.stage import student_copy

SETUP = Path(__file__).resolve().parent / "colab_setup.py"
# What the services read: a GPU where there is one, and on Kaggle the internet, which the first cell needs.
SERVICES = {
    "accelerator": "GPU",
    "colab": {"provenance": []},
    "kaggle": {"accelerator": "gpu", "isGpuEnabled": True, "isInternetEnabled": True},
}


def copy(notebook: dict[str, Any], repository: str, *, students: bool = False, outputs: bool = True) -> dict[str, Any]:
    """Return a notebook that begins with its installation.

    repository: the address that it is fetched from. students: without what answers. outputs: whether they are kept.
    """
    source = SETUP.read_text(encoding="utf-8").replace('"@repository@"', json.dumps(repository))
    setup = {
        "cell_type": "code",
        "id": "install-the-course",
        "metadata": {"cellView": "form", "tags": ["hide-input"]},
        "execution_count": None,
        "outputs": [],
        "source": source.rstrip().splitlines(keepends=True),
    }
    if students:
        notebook = student_copy.stripped(notebook, outputs)
    elif not outputs:
        cells = [{**c, "outputs": [], "execution_count": None} if "outputs" in c else c for c in notebook["cells"]]
        notebook = {**notebook, "cells": cells}
    return {**notebook, "cells": [setup, *notebook["cells"]], "metadata": {**notebook["metadata"], **SERVICES}}


def write_copies(repository: str, folder: Path, *, students: bool = False, outputs: bool = True) -> list[Path]:
    """Write the copies into a folder; return their files. Raises ValueError where the address is empty."""
    if not repository.strip():
        raise ValueError("name the address of the repository: make colab REPO=…, whatever `git clone` takes")
    written = []
    for file in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = json.loads(file.read_text(encoding="utf-8"))
        made = copy(notebook, repository, students=students, outputs=outputs)
        text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write(folder / file.name, text.encode())
        written.append(folder / file.name)
    return written


def main() -> int:
    """Write the copies that the command line asks for, and say where they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("repository", metavar="ADDRESS", help="what `git clone` takes; for tries, a folder")
    parser.add_argument("--students", action="store_true", help="without solutions, keys and instructor's notes")
    parser.add_argument("--no-outputs", action="store_true", help="without stored outputs")
    parser.add_argument("--to", type=Path, default=ROOT / "colab", metavar="FOLDER")
    options = parser.parse_args()
    try:
        written = write_copies(
            options.repository, options.to, students=options.students, outputs=not options.no_outputs
        )
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{len(written)} notebooks in {options.to}: open one of them on Colab or Kaggle, and run its first cell")
    return 0


if __name__ == "__main__":
    sys.exit(main())
