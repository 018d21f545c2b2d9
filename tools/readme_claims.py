"""Write the claims of the slides, with what was measured, into the README: `python tools/readme_claims.py`."""

from pathlib import Path

from ltcourse import claims

FILE = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- claims: written by tools/readme_claims.py -->", "<!-- end of claims -->"


def block() -> str:
    """What stands between the two marks: how many claims have each verdict, and all of them, folded."""
    table = claims.table()
    counts = " · ".join(f"{verdict}: {count}" for verdict, count in table.verdicts.items())
    summary = f"The {len(table.rows)} claims, what was measured, and where"
    return f"{BEGIN}\n\n{counts}\n\n<details><summary>{summary}</summary>\n\n{table.readme()}\n\n</details>\n\n{END}"


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
