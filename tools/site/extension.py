"""What Sphinx is told of the course: formulas drawn without a script, docstrings as the course writes them."""

import re
from collections.abc import Callable
from typing import Any

from docutils import nodes

from ltcourse.stage import formulas

_CODE = re.compile(r"(``.+?``|`[^`\n]+`)", re.DOTALL)
_TAUGHT = re.compile(r'Lesson (\d\d)(?:, "([^"]+)")?(?: and exercise \d)?\.')

LINK: Callable[[str, str], str] = "lessons/{}.html#{}".format  # the address of a lesson's heading: the build's own


def setup(app: Any) -> dict[str, Any]:
    """Register all with Sphinx."""
    app.add_html_math_renderer("drawn", (_inline, None), (_block, None))
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("html-page-context", _page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: Any, node: nodes.Element) -> None:
    writer.body.append(formulas.draw(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.Element) -> None:
    drawn = formulas.draw(node.astext().strip(), display=True)
    writer.body.append(f'<div class="course-formula" tabindex="0" role="group" aria-label="Formula">{drawn}</div>')
    raise nodes.SkipNode


def _docstring(app: Any, what: str, name: str, about: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring into reStructuredText: `names` as code, nothing else marked, the last line as a link."""
    text = "\n".join(lines).rstrip()
    last = _TAUGHT.fullmatch(text.rsplit("\n", 1)[-1].strip())
    if last:
        text = text[: len(text) - len(text.rsplit("\n", 1)[-1])].rstrip()
    text = "\n\n".join(map(_paragraph, text.split("\n\n")))
    if last:
        try:
            where = f"`{last[0]} <../{LINK(last[1], last[2])}>`__" if last[2] else last[0]
        except ValueError as problem:
            raise ValueError(f"{name}: {problem}") from problem
        text = f"{text}\n\n{where}"
    lines[:] = text.split("\n")


def _paragraph(text: str) -> str:
    """A paragraph in reStructuredText; one that is indented is code."""
    if all(line.startswith("    ") for line in text.split("\n")):
        return f"::\n\n{text}"
    parts = _CODE.split(text)
    parts[1::2] = [f"``{part.strip('`')}``" for part in parts[1::2]]
    parts[::2] = [re.sub(r"([*_|\\])", r"\\\1", part) for part in parts[::2]]
    # code that touches a letter, as in `mask`s, is set apart by an escaped blank, which is not shown
    text = re.sub(r"(``[^`]+``)(?=\w)", r"\1\\ ", "".join(parts))
    return re.sub(r"^((?!- )\S.*\n)(?=- )", r"\1\n", text, flags=re.MULTILINE)


def _page(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give what a narrow screen scrolls a name and a place among the keys' stops."""
    if "body" in context:
        body = context["body"].replace("<pre>", '<pre tabindex="0">')
        # MyST-NB's name for a fold is another than the words on it
        context["body"] = body.replace(' aria-label="Toggle hidden content"', "")
