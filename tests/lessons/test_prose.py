"""What readers read is plain English: the worst turns of phrase are found wherever they stand.

The lessons, the questions, the README, and the docstrings and messages of the package are looked at. What is right has
no rule; this is a list of what was wrong more than once, each with what to write instead.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "lessons").glob("*.py"))
BANK = sorted((ROOT / "ltcourse" / "classroom" / "bank").glob("*.toml"))
MODULES = sorted((ROOT / "ltcourse").rglob("*.py"))
PREDICTIONS = ROOT / "ltcourse" / "classroom" / "predictions.toml"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "lessons").glob("*.md")),
    ROOT / "ltcourse" / "stage" / "student_readme.md",
]
FILES = [*LESSONS, *BANK, ROOT / "ltcourse" / "classroom" / "review.toml", PREDICTIONS, *PAGES, *MODULES]

_COUNTED = (
    r"%|\d|one|two|three|four|five|six|ten|few|many|half|iterations?|weights?|trainings?|examples|rates?|hours?|minutes"
    r"|seconds|times?|rows?|columns?|bars?|lines?|values?|numbers?|counts?|bias|biases|neurons?|seeds?|trials?|steps?"
    r"|masks?|scores?|images|connections|thresholds?|pruned|kept"
)
_EACH = (
    r"round|layer|digit|neuron|seed|trial|network|core|image|pixel|worker|step|batch|class|example|channel|block|epoch"
    r"|iteration|machine|lesson|method|density|training|share"
)
_NOT_A_CLAUSE = r"(?!'s| (?:has|have|had|is|was|of|still|keeps?|loses?)\b)"  # "the weights a layer still keeps"
INSTEAD = {
    r"\b(?:by|fair|the) lot\b|\ba lot (?:does|draws|hits|keeps|spreads|takes|wastes)\b": "at random, a random choice",
    r"\bread(?:s|ing)?(?: \w+){0,4} off\b": "the result, or what to look for",
    r"\b(?:dense|pruned|its|their|untrained|trained) sel(?:f|ves)\b": "the dense network that it was pruned from",
    r"\berrs?\b|\berring\b": "makes no more errors, is no less accurate",
    r"\b(?:is|are|was|were|be|becomes?) (?:another one|others)\b": "differs, differ",
    rf"(?:(?<!\w)(?:{_COUNTED})|[.,:;] one) an? (?:{_EACH})\b{_NOT_A_CLAUSE}": "per",
    r"\bof a moment\b": "computed on the spot",
    r"\bmind (?:the|what|that|how|you)\b": "note, the two figures have different scales",
    r"\bin the mean\b(?! square)|\bby the mean\b(?=[,;.])": "on average, the mean is",
    r"\bif (?:only )?by (?:a )?little\b": "slightly",
    r"\bwhen time is up\b": "when the training ends",
    r"\bwhat the choice is worth\b|\bworth shows\b": "choosing by magnitude pays only where …",
    r"\bwhere \w+(?:, \w+)*(?: and \w+)? suit\b": "say when",
    r"\bmean still say\b|\bstays? at home\b|\band less of it\b|\bno proof\b": "the result, in plain words",
    r"\btakes? the threshold for\b|\bchance still ranks\b": "pretends that …",
    r"\bgo(?:es)? on behind\b": "continues after",
    r"\bmore than they (?:fine-)?t\w+\b": "rather than",
    r"\bso much for\b": "in short",
    r"\b(?:but|except) for rounding\b": "up to rounding",
}
_GENERATED = re.compile(
    r"<!-- claims: .*?<!-- end of claims -->", re.DOTALL
)  # its words are those of claims/catalog.py


def faults(text: str) -> list[str]:
    """The turns of phrase in a text that are on the list, each with what to write instead."""
    text = " ".join(text.split())
    found = []
    for pattern, better in INSTEAD.items():
        for hit in re.finditer(pattern, text, re.IGNORECASE):
            around = text[max(0, hit.start() - 30) : hit.end() + 30]
            found.append(f"“{hit[0]}” in “…{around}…”: {better}")
    return found


def strings(tree: ast.AST) -> Iterator[str]:
    """Every text in a module that is more than one word: docstrings, messages; the parts of an f-string as one."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
            inside.update(id(p) for p in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def texts(file: Path) -> Iterator[str]:
    """What a reader of a file reads."""
    if file.parent.name == "lessons":
        for cell in jupytext.read(file).cells:
            yield from [cell.source] if cell.cell_type == "markdown" else strings(ast.parse(cell.source))
    elif file.suffix == ".py":
        yield from strings(ast.parse(file.read_text(encoding="utf-8")))
    else:
        yield _GENERATED.sub("", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_worst_turns_of_phrase_are_gone(file: Path) -> None:
    found = [fault for text in texts(file) for fault in faults(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "a mask drawn by lot",
        "Read off whether it holds.",
        "read the speed off the early stop",
        "points against its dense self",
        "LeNet-5 errs no more than before",
        "its classes are others",
        "20 % a round",
        "iterations a round",
        "a training a round",
        "410 biases, one a neuron",
        "one thread\na core: one a core",
        "no slower, in the mean",
        "L1 stays ahead, if by little",
        "Mind the two scales",
        "its tickets stay at home",
        "equal but for rounding",
        "what the choice is worth shows where few are",
        "only where machine, density and batch suit",
        "takes the threshold for the identity",
    ],
)
def test_a_bad_turn_of_phrase_is_found(text: str) -> None:
    assert len(faults(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Every round prunes 20 % per round of a layer.",
        "The weights a layer still keeps are counted; at the end of a round, a mask is chosen.",
        "It is one of a lot of masks; allot the time, and the ballot.",
        "Turn a layer off; read about the offer.",
        "The early stop of a ticket is a round number. A network in a round keeps a tenth.",
        "Compare a ticket with the others. What are the others?",
        "Averaged by the mean of 2 × 2 pixels; in the meantime; in the mean square.",
        "Draw a layer: Adam gives each weight a step of its own size. At one seed a ticket wins.",
        "How many iterations a lesson's own cell runs. Most say yes. It takes the variance for the std.",
    ],
)
def test_good_english_is_let_pass(text: str) -> None:
    assert faults(text) == []


def test_docstrings_messages_and_the_parts_of_one_message_are_read() -> None:
    source = 'def f(x):\n    """Prunes by lot."""\n    raise ValueError(f"{x} read " f"off the figure")\n'
    assert [len(faults(text)) for text in strings(ast.parse(source))] == [1, 1]
