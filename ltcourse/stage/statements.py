"""What a slide shows of a text: the sentence that says it; the others are told."""

import re

_SENTENCE = re.compile(r"(?<=[.?!])(?<!al\.)(?<!Sec\.)(?<!Fig\.)\s+(?=[A-ZΑ-Ω*$(])|(?<=[.?!]\*\*)\s+")
_ITEM = re.compile(r"\n(?=(?:[-*]|\d+\.) )")
_LONG = 190  # letters, two lines of a slide, that a paragraph may have
_ASKED = re.compile(r"\bPredict\b")


def split(text: str) -> list[str]:
    """Return the sentences of a paragraph, which may be broken into lines."""
    return _SENTENCE.split(" ".join(text.split()))


def shortened(paragraph: str) -> tuple[str, str]:
    """Return what a slide shows of a paragraph or a list, and the rest, "" for none; both as Markdown.

    A paragraph keeps its first sentences, as many as have room on two lines, one more where that one ends it and leads
    on to what follows (":"), and what asks for a prediction. A list keeps all of its items, each shortened so.
    """
    items = _ITEM.split(paragraph)
    if len(items) > 1 or re.match(r"(?:[-*]|\d+\.) ", paragraph):
        parts = [_paragraph(item) for item in items]
        rest = [f"- {told}" for _, told in parts if told]
        return "\n".join(shown for shown, _ in parts), "\n".join(rest)
    return _paragraph(paragraph)


def _paragraph(text: str) -> tuple[str, str]:
    every = split(text)
    shown: list[str] = []
    told: list[str] = []
    for number, sentence in enumerate(every):
        leads_on = number == len(every) - 1 and sentence.endswith(":")
        fits = leads_on or sum(map(len, shown)) + len(sentence) <= _LONG
        keep = not number or (fits and not told) or _ASKED.search(sentence)
        (shown if keep else told).append(sentence)
    return (" ".join(shown), " ".join(told)) if told else (text, "")
