"""The journal of a trial: what it has behind it, written after every row, so that a trial killed anywhere goes on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ltcourse import files
from ltcourse.data import DataError
from ltcourse.pruning import Round
from ltcourse.training import History

Row = dict[str, Any]


@dataclass
class Journal:
    """The rows of a trial so far, and the rounds that its loops go on from.

    rows: results, one per training. rounds: name of a loop → the last round it came to. file: where the journal is
    kept, None for one that lives in memory only. complete: whether all rows of the trial are there.
    Lesson 03, "Recorded, at the paper's settings".
    """

    rows: list[Row] = field(default_factory=list)
    rounds: dict[str, Round] = field(default_factory=dict)
    file: Path | None = None
    complete: bool = False

    def lacks(self, method: str, number: int) -> bool:
        """Whether the row of this method and round is still to be made."""
        return not any(row["method"] == method and row["round"] == number for row in self.rows)

    def follow(self, name: str, loop: Iterator[Round]) -> Iterator[Round]:
        """Yield the round of a loop that was noted last, if there is one, and then the rounds of `loop`, noting them.

        loop: not begun yet, and such that it continues after `rounds[name]`. A round is written with the next row.
        """
        if name in self.rounds:
            yield self.rounds[name]
        for done in loop:
            self.rounds[name] = done
            yield done

    def note(self, row: Row) -> None:
        """Add a row, and write the journal: whole, or not at all. Raises DataError where it cannot be written."""
        self.rows.append(row)
        self._write()

    def close(self) -> None:
        """Note that all rows are there, and forget the rounds, which nothing goes on from. Raises as `note` does."""
        self.complete, self.rounds = True, {}
        self._write()

    def _write(self) -> None:
        if self.file is not None:
            heads = {name: {"number": r.number, "history": r.history.to_dict()} for name, r in self.rounds.items()}
            # copies, since safetensors refuses tensors that share memory, as those of two loops may
            tensors = {
                f"{name}/{kind}/{key}": tensor.clone(memory_format=torch.contiguous_format)
                for name, r in self.rounds.items()
                for kind, group in (("mask", r.mask), ("state", r.state))
                for key, tensor in group.items()
            }
            told = {"rows": json.dumps(self.rows), "rounds": json.dumps(heads), "complete": json.dumps(self.complete)}
            try:
                files.write(self.file, save(tensors, told))
            except OSError as problem:
                raise DataError(files.unwritable(self.file, problem)) from problem

    @classmethod
    def read(cls, file: Path | None, device: str | torch.device = "cpu") -> "Journal":
        """Read the journal of a trial, an empty one if there is none yet.

        Raises DataError if the file is not a journal.
        """
        if file is None or not file.exists():
            return cls(file=file)
        try:
            with safe_open(file, framework="pt") as content:
                told = content.metadata()
                heads = json.loads(told["rounds"])
                parts: dict[str, dict[str, Any]] = {name: {"mask": {}, "state": {}} for name in heads}
                # copies: Windows does not let go of a file that tensors still look into, and it is to be replaced
                for key in content.keys():  # noqa: SIM118 (it is no dict)
                    name, kind, tensor = key.split("/")
                    parts[name][kind][tensor] = content.get_tensor(key).to(device, copy=True)
                rounds = {
                    name: Round(head["number"], parts[name]["mask"], parts[name]["state"], History(**head["history"]))
                    for name, head in heads.items()
                }
                # a journal from before there was this mark is gone through once more, which trains nothing
                return cls(json.loads(told["rows"]), rounds, file, json.loads(told.get("complete", "false")))
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OSError) as problem:
            raise DataError(f"{file.name} is not the journal of a trial: delete it, or add --restart") from problem
