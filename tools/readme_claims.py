"""Write the claims of the slides, with what was measured, into the README: `python tools/readme_claims.py`."""

from pathlib import Path

from ltcourse import claims

FILE = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- claims: written by tools/readme_claims.py -->", "<!-- end of claims -->"


def block() -> str:
    """What stands between the two marks: all claims in one look, and folded their numbers and what is no claim."""
    table, others = claims.table(), claims.implemented()
    count = f"{len(others.rows)} definitions, formulas and algorithms"
    folded = {
        f"The {len(table.rows)} claims: every number that decides, with its interval": table.readme(),
        f"What the course implements: {count}, each with the test that shows it": others._repr_markdown_(),
    }
    parts = [f"<details><summary>{name}</summary>\n\n{text}\n\n</details>" for name, text in folded.items()]
    return "\n\n".join([BEGIN, table.overview._repr_markdown_(), *parts, END])


def replaced(text: str) -> str:
    """Return the README with the block as it should be now; raises ValueError where the marks are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no place for the claims: put {BEGIN} and {END} where they should stand")
    return before + block() + after


def main() -> None:
    """Write the README; raises RunError for a record that cannot be read."""
    FILE.write_text(replaced(FILE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
