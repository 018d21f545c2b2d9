"""Write notebooks/GLOSSARY.md from ltcourse/classroom/glossary.toml: python tools/glossary_page.py"""

from ltcourse import files
from ltcourse.classroom import glossary


def main() -> None:
    """Write the page."""
    file = files.ROOT / "notebooks" / "GLOSSARY.md"
    files.write(file, glossary.page().encode())
    print(f"{file}: {len(glossary.terms())} terms")


if __name__ == "__main__":
    main()
