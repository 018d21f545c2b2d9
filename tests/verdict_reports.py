"""What the tests of the checks ask of a verdict: that it accepts, or that it refuses and shows why."""

import inspect
from collections.abc import Callable

from ltcourse.classroom import checks
from ltcourse.classroom.checks.verdict import Verdict


def public_checks() -> dict[str, Callable[..., Verdict]]:
    """All checks that the lessons can call, by name."""
    return {
        name: f
        for name, f in inspect.getmembers(checks, inspect.isfunction)
        if not name.startswith("_") and inspect.signature(f).return_annotation is Verdict
    }


def accepted(verdict: Verdict) -> None:
    """The verdict is a pass, and its report counts the cases."""
    text = str(verdict)
    assert verdict.passed is True, text
    assert text.startswith("✔ exercise") and f"right, in {len(verdict.findings)} cases" in text
    assert not any(finding.wrong for finding in verdict.findings)


def refused(verdict: Verdict, *evidence: str) -> None:
    """The verdict is a refusal whose text holds the value returned, the expected one, and what is wrong."""
    text = str(verdict)
    assert verdict.passed is False, text
    assert text.startswith("✘ exercise"), text
    for label in ("smallest case that fails:", "yours:", "expected:", "what is wrong:"):
        assert label in text, f"{label!r} is missing in\n{text}"
    for part in evidence:
        assert part in text, f"{part!r} is missing in\n{text}"
    last = verdict.findings[-1]
    assert last.case and last.yours and last.expected and last.wrong


def refused_and_not_stopped(verdict: Verdict, *evidence: str) -> None:
    """The verdict is a refusal of what was returned: neither the reader's function nor the check raised an error."""
    refused(verdict, *evidence)
    assert "stopped with this error" not in str(verdict), "the reader's function did not stop: the check did"
