"""Lesson 05 shows the records of its experiments as soon as they are there, and says so plainly while they are not."""

import ast
import dataclasses
import json
import re
from itertools import product
from pathlib import Path

import jupytext
import pytest
from matplotlib import pyplot as plt

from ltcourse.experiments import catalog, runs
from ltcourse.experiments.transfer import EXPERIMENTS, method
from ltcourse.experiments.transfer_matrix import TransferMatrix

LESSON = Path(__file__).resolve().parents[2] / "lessons" / "05_one_ticket_to_win_them_all.py"
CELLS = [cell.source for cell in jupytext.read(LESSON).cells if cell.cell_type == "code"]
RECORDED = re.compile(r"\b(recorded|show|leads|judge|by_size|lenet|optimizers|sizes|convolutions)\b")
NAMES = [e.name for e in EXPERIMENTS if not catalog.settings(e.name).controlled]  # controls have no matrix of their own
CONTROLS = "transfer-resnet-controls: not recorded yet"


def rows_of(name, seed, lead=0.03):
    """Rows as a trial would have them, of numbers that are made up; `lead`: of tickets over random ones."""
    chosen = catalog.settings(name, "desk")
    sources = [task.name for task in chosen.tasks]
    asked = [("ticket", s, s, n) for s in sources for n in range(chosen.rounds + 1)]
    for n, target, source in product(chosen.tried, chosen.goals, sources):
        asked.append(("random" if source == target else "ticket", source, target, n))
        if n in chosen.redrawn:
            asked.append(("re-initialized", source, target, n))
    for kind, source, target, n in asked:
        error = 0.1 + 0.001 * seed + 0.004 * sources.index(source) - (lead if kind == "ticket" else 0)
        row = {"method": method(kind, source, target), "kind": kind, "source": source, "target": target, "round": n}
        row |= {
            "density": 0.8**n,
            "layers": {"fc1.weight": 0.8**n},
            "early_stop_test_error": error,
            "test_error": error,
        }
        yield row | ({"overlap": {"fc1.weight": [20, 10.0]}} if kind == "ticket" and source != target else {})


def record_of(name, lead):
    seeds = (0, 1)
    provenance = {"finished": "2030-01-01", "machine": "m", "device": "cpu", "versions": {"torch": "2"}, "code": "c"}
    settings = catalog.settings(name, "desk").to_dict() | {"seeds": list(seeds)}
    trials = [{"seed": seed, "seconds": 60.0, "rows": list(rows_of(name, seed, lead))} for seed in seeds]
    return runs.Record(name, "desk", settings, trials, provenance)


def read(folder, monkeypatch):
    """Run the cells that show records; return what they show, with the figures."""
    monkeypatch.setattr(runs, "FOLDER", folder)
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    shown = []
    namespace = {"display": shown.append}
    exec(CELLS[0], namespace)
    namespace |= {"display": shown.append, "matrix": TransferMatrix(record_of(NAMES[0], 0.03).trials)}
    for source in CELLS[1:]:
        if not RECORDED.search(source) or re.search(r"\bfrom_digits|\brunner\b|^def search|checks\.", source):
            continue
        body = ast.parse(source).body
        last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), str(LESSON), "exec"), namespace)
        if last:
            shown.append(eval(compile(last, str(LESSON), "eval"), namespace))
    return [str(value) for value in shown if value is not None], len(plt.get_fignums())


@pytest.fixture(autouse=True)
def close():
    plt.close("all")
    yield
    plt.close("all")


def test_without_records_the_lesson_says_how_to_make_them(tmp_path, monkeypatch, capsys):
    shown, figures = read(tmp_path, monkeypatch)
    said = capsys.readouterr().out
    for name in NAMES:
        assert f"{name}: not recorded yet; `ltcourse record {name} --budget desk` makes the record" in said
        assert f"not recorded yet: `ltcourse record {name} --budget desk`" in shown[-1]
    assert figures == 0
    assert any("ticket found there" in text and "not recorded yet" in text for text in shown)


@pytest.mark.parametrize("lead", [0.03, -0.03])
def test_with_records_all_of_them_are_shown(tmp_path, monkeypatch, capsys, lead):
    for name in NAMES:
        text = json.dumps(dataclasses.asdict(record_of(name, lead)))
        (tmp_path / f"{name}.desk.json").write_text(text, encoding="utf-8")
    shown, figures = read(tmp_path, monkeypatch)
    assert figures == 4, "a matrix of each experiment"
    said = capsys.readouterr().out.replace(CONTROLS, "")
    assert "not recorded" not in said + "".join(shown)
    verdicts = shown[-1]
    assert ("no lead" in verdicts) == (lead < 0) and "at MNIST" in verdicts
    assert any("kept" in text and "MNIST → Fashion-MNIST" in text for text in shown)


@pytest.mark.parametrize("missing", NAMES)
def test_one_record_that_is_missing_hides_no_other(tmp_path, monkeypatch, capsys, missing):
    for name in set(NAMES) - {missing}:
        text = json.dumps(dataclasses.asdict(record_of(name, 0.03)))
        (tmp_path / f"{name}.desk.json").write_text(text, encoding="utf-8")
    shown, figures = read(tmp_path, monkeypatch)
    assert figures == 3 and shown[-1].count("not recorded yet") == 1
    said = capsys.readouterr().out.replace(CONTROLS, "")
    assert said.count("not recorded yet") == 1 + (missing == NAMES[0])
