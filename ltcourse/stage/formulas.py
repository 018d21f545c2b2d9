"""Formulas as drawings, so that they look the same in every browser with no font and no script."""

import html
import re
from functools import cache
from typing import Any

import mistune
import ziafont
import ziamath
from mistune import InlineParser, InlineState
from mistune.plugins import math

_SIZE = 24  # in which a formula is drawn; the page scales it with its letters
# Mistune's own rule has a formula end on its line. What it gives a rule is within a paragraph: no line in it is empty.
_BROKEN = r"\$(?![\s$])(?P<broken>(?:[^$\\]|\\[\s\S])+?)\$(?!\d)"


def drawn(md: mistune.Markdown) -> None:
    """Draw the formulas within sentences, also those that are broken over the end of a line: a plugin of mistune."""
    math.math(md)
    md.inline.register("broken_math", _BROKEN, _broken, before="codespan")
    renderer: Any = md.renderer
    renderer.register("inline_math", lambda _, tex: draw(tex))


def _broken(_: InlineParser, found: re.Match[str], state: InlineState) -> int:
    state.append_token({"type": "inline_math", "raw": found["broken"].replace("\n", " ")})
    return found.end()


@cache
def draw(tex: str, display: bool = False) -> str:
    """Return a formula as an <svg> that is as large as the text around it and stands on its line.

    tex: LaTeX without its dollar signs. display: as a formula of its own line, not one within a sentence. Raises
    ValueError where it cannot be read.
    """
    ziafont.config.svg2 = (
        False  # each drawing whole: what is drawn once and reused is lost where its first use is hidden
    )
    try:
        svg = ziamath.Latex(tex, size=_SIZE, inline=not display).svg()
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"the formula {tex!r} cannot be drawn ({said}): write it with other commands") from error
    box = re.search(r'viewBox="\S+ (\S+) (\S+) (\S+)"', svg)
    if box is None:
        raise ValueError(f"the formula {tex!r} cannot be drawn (it has no size): write it with other commands")
    top, width, height = (float(number) / _SIZE for number in box.groups())
    size = f'width="{width:.3f}em" height="{height:.3f}em" style="vertical-align: {-top - height:.3f}em"'
    begin = f'<svg role="img" aria-label="{html.escape(tex)}" class="formula" {size} {box[0]}>'
    return begin + svg.partition(">")[2]
