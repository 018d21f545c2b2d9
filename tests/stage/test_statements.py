"""What a slide shows of a paragraph, and that the notes tell the rest."""

import pytest

from ltcourse.stage import statements


@pytest.mark.parametrize(
    ("paragraph", "shown"),
    [
        ("Short. It stays whole.", "Short. It stays whole."),
        (
            f"First. {'A long one goes. ' * 3}{'X' * 200}. It goes on.",
            "First. " + "A long one goes. " * 3,
        ),
        (f"{'X' * 200}. Second.", f"{'X' * 200}."),
        (f"First. {'X' * 200}. *Predict: which?*", "First. *Predict: which?*"),
        (f"First. {'X' * 150}. {'Y' * 60}:", f"First. {'X' * 150}. {'Y' * 60}:"),
        (f"First. {'X' * 200}. It counts:", "First."),
        (f"- One. {'X' * 200}.\n- Two.", "- One.\n- Two."),
        (
            f"**The lead (Fig. 3 of Han et al. 2015) is this.** {'X' * 190}.",
            "**The lead (Fig. 3 of Han et al. 2015) is this.**",
        ),
    ],
)
def test_a_slide_shows_the_statement_and_the_notes_tell_the_rest(paragraph, shown):
    said, rest = statements.shortened(paragraph)
    assert said == shown.strip()
    before, after = (sorted(word for word in text.split() if word != "-") for text in (paragraph, f"{said} {rest}"))
    assert before == after, "nothing is lost"
