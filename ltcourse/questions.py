"""Questions with several answers to choose from, each of which gets a reply of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One answer to choose: what it says, what is replied to whoever chooses it, and whether it is right."""

    text: str
    reply: str
    right: bool = False


@dataclass(frozen=True)
class ChoiceQuestion:
    """A question, and the answers to choose from."""

    prompt: str
    choices: tuple[Choice, ...]
