"""Build the site of the course: static pages that open from a folder, with no network.

python tools/site/build.py                   the whole edition, into site/whole
python tools/site/build.py --students        without solutions and instructor's notes, into site/students
python tools/site/build.py --only 03 --to F  a few lessons alone, into another folder

No notebook runs: the pages show the outputs that the notebooks have stored.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import extension
import faster
import lesson_pages
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from written import Site

from ltcourse.files import ROOT

HERE = Path(__file__).resolve().parent
CONFIGURATION: dict[str, Any] = {
    "project": "ltcourse",
    "language": "en",
    "extensions": ["myst_nb", "sphinx.ext.autodoc", "extension"],
    "nb_execution_mode": "off",
    "nb_render_markdown_format": "myst",
    "nb_merge_streams": True,
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_heading_anchors": 4,
    "myst_heading_slug_func": "docutils.nodes.make_id",
    "suppress_warnings": ["myst.header", "mystnb.unknown_mime_type"],
    "html_math_renderer": "drawn",
    # pages with none below them have no sidebar
    "html_sidebars": {name: [] for name in ("index", "faster", "quiz", "claims", "measured", "glossary", "search")},
    "html_theme": "pydata_sphinx_theme",
    "html_title": "Pruning, lottery tickets, supermasks",
    "html_static_path": [str(HERE / "static")],
    "html_css_files": ["course.css"],
    "html_js_files": [("course.js", {"defer": "defer"})],
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_show_search_summary": False,  # its excerpts are fetched, which no browser does from a folder
    "html_use_index": False,
    "html_domain_indices": False,
    "html_theme_options": {
        "logo": {"text": "ltcourse"},  # short, for a phone
        "back_to_top_button": False,  # it lies on the text
        "navbar_align": "left",
        "header_links_before_dropdown": 7,
        "navbar_persistent": ["search-button"],
        "show_toc_level": 2,
        "navigation_with_keys": False,
        "pygments_light_style": "a11y-high-contrast-light",
        "pygments_dark_style": "a11y-high-contrast-dark",
        "footer_start": ["copyright"],
        "footer_end": [],
    },
    "html_show_sphinx": False,
    "copyright": "code and lessons: MIT license; the data sets have their own",
    "autodoc_member_order": "bysource",
    "autodoc_preserve_defaults": True,
    "default_role": "literal",
    "show_warning_types": True,
}


def write_sources(folder: Path, students: bool, only: list[str]) -> Site:
    """Write what Sphinx reads; return what it was written from. only: numbers of lessons, none for all."""
    every = lesson_pages.read(ROOT / "notebooks", students)
    chosen = [lesson for lesson in every if not only or lesson.name[:2] in only]
    if not chosen:
        raise ValueError(
            f"no lesson is one of {', '.join(only)}: name some of {', '.join(le.name[:2] for le in every)}"
        )
    extra = folder / "extra"
    pages = lesson_pages.Pages(every, extra / "figures", students)
    site = Site(every, pages, students)
    texts = {f"lessons/{lesson.name}.ipynb": json.dumps(pages.page(lesson)) for lesson in chosen}
    shutil.copytree(ROOT / "notebooks" / "figures", folder / "lessons" / "figures")
    if only:
        below = "\n".join(f"lessons/{lesson.name}" for lesson in chosen)
        texts["index.md"] = f"# Some lessons\n\n```{{toctree}}\n\n{below}\n```\n"
    else:
        texts |= {
            "index.md": site.home(),
            "lessons/index.md": site.lesson_list(),
            "faster.md": faster.page(site),
            "quiz.md": site.quiz(),
            "claims.md": site.claims(),
            "measured.md": site.measured(),
            "glossary.md": site.glossary(),
        }
        texts |= {f"api/{name}.rst": text for name, text in site.rooms().items()}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return site


def build(target: Path, students: bool = False, only: list[str] | None = None) -> int:
    """Build the site into a folder, which it replaces; return Sphinx's exit status, 0 if all is well.

    Raises ValueError, one sentence, where a page cannot be made.
    """
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="ltcourse-site-") as scratch:
        source = Path(scratch) / "source"
        site = write_sources(source, students, only or [])
        extension.LINK = site.pages.link
        settings = {**CONFIGURATION, "html_extra_path": [str(source / "extra")], "exclude_patterns": ["extra"]}
        if only:  # the others are not there to link to
            settings["suppress_warnings"] = [*CONFIGURATION["suppress_warnings"], "myst.xref_missing"]
        app = Sphinx(
            source, None, target, Path(scratch) / "doctrees", "html", settings, status=None, warningiserror=False
        )
        app.build()
    for left in (".buildinfo", "objects.inv", "_static/webpack-macros.html"):
        (target / left).unlink(missing_ok=True)
    return app.statuscode or min(app._warncount, 1)


def main() -> int:
    """Build as the command line says; say how large the site is and how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--students", action="store_true", help="without solutions and instructor's notes")
    parser.add_argument("--only", nargs="+", default=[], metavar="NN", help="these lessons alone")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="by default site/whole or site/students")
    options = parser.parse_args()
    target = (options.to or ROOT / "site" / ("students" if options.students else "whole")).resolve()
    start = time.perf_counter()
    try:
        status = build(target, options.students, options.only)
    except (ValueError, SphinxError) as problem:
        print(problem.__cause__ or problem, file=sys.stderr)
        return 1
    files = [file for file in target.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{target / 'index.html'}: {len(files)} files, {size:.1f} MB, {time.perf_counter() - start:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
