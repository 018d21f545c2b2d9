"""Formulas as drawings, so that they look the same in every browser with no font and no script."""

import html
import re
from functools import cache

import ziafont
import ziamath

_SIZE = 24  # in which a formula is drawn; the page scales it with its letters


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
