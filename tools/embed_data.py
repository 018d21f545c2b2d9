"""Make the embedded files under data/ from the full data sets, and the tables of data/README.md.

    python tools/embed_data.py                    writes data/, refreshes data/README.md
    python tools/embed_data.py --into FOLDER      writes the same files elsewhere, to compare with `diff -r`

The full sets are obtained as the course itself obtains them: from data/, else by a download.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import numpy as np

from ltcourse import files
from ltcourse.data import formats, sets, sources

BEGIN = "<!-- made by tools/embed_data.py: do not edit by hand -->"
END = "<!-- end of what tools/embed_data.py made -->"
CARD = sources.EMBEDDED / "README.md"


def embed(into: Path) -> list[str]:
    """Write all embedded files below a folder; return a complaint for each content that is not as recorded."""
    complaints = []
    for name in sources.EMBEDDED_SETS:
        pieces = sources.cut(name) if name in sources.PER_CLASS else sources.contents(name)
        for file in sources.FILES[name]:
            place, content = file.places[0], pieces[file.name]
            files.write(into / place, formats.encode(place, content))
            print(f"{place}: {(into / place).stat().st_size:,} bytes")
            if not sources.is_right(file, content):
                digest = hashlib.sha256(content).hexdigest()
                complaints.append(
                    f"{place}: {len(content)} bytes, sha256 {digest}: not what ltcourse/data/sources.py records"
                )
    return complaints


def tables(root: Path) -> str:
    """Return the generated part of data/README.md, computed from the embedded files below a folder."""
    lines = [BEGIN, "", "### The embedded files", ""]
    lines += [
        "| file | bytes | sha256 of the file | bytes of the content | sha256 of the content |",
        "|---|--:|---|--:|---|",
    ]
    total = 0
    for name in sources.EMBEDDED_SETS:
        for file in sources.FILES[name]:
            raw = (root / file.places[0]).read_bytes()
            content = formats.decode(file.places[0], raw, file.size)
            total += len(raw)
            lines.append(
                f"| `{file.places[0]}` | {len(raw):,} | `{hashlib.sha256(raw).hexdigest()}` "
                f"| {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |"
            )
    lines += ["", f"Together {total:,} bytes.", "", "### Examples of each class, 0 to 9", ""]
    lines += ["| set | part | examples | per class |", "|---|---|--:|---|"]
    for name in (name for name in sources.EMBEDDED_SETS if name not in sets.TEXTS):
        pieces = {
            f.name: formats.decode(f.places[0], (root / f.places[0]).read_bytes(), f.size) for f in sources.FILES[name]
        }
        for part, (_, y) in zip(("training", "test"), sources.arrays(name, pieces), strict=True):
            counts = [f"{n:,}" for n in np.bincount(y, minlength=10)]
            per_class = counts[0] + " each" if len(set(counts)) == 1 else " · ".join(counts)
            lines.append(f"| {name} | {part} | {len(y):,} | {per_class} |")
    lines += ["", "### The full sets, when downloaded", ""]
    lines += [
        "| file, where the course keeps it | bytes of the content | sha256 of the content |",
        "|---|--:|---|",
    ]
    for name in ("fashion-mnist", "cifar-10"):
        lines += [f"| `{f.places[0]}` | {f.size:,} | `{f.sha256}` |" for f in sources.FILES[name]]
    return "\n".join([*lines, "", END])


def refreshed(card: str, block: str) -> str:
    """Return the data card with its generated part replaced."""
    return re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: block, card, flags=re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=sources.EMBEDDED, help="folder to write to (default: data/)")
    into = parser.parse_args().into
    complaints = embed(into)
    if into.resolve() == sources.EMBEDDED.resolve() and not complaints:
        files.write(CARD, refreshed(CARD.read_text(encoding="utf-8"), tables(into)).encode())
    print(
        "\n".join(complaints) or "every content is the recorded one",
        file=sys.stderr if complaints else sys.stdout,
    )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
