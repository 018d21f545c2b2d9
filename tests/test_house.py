"""The house: who may import whom, where each thing is taught, and that what is installed is pinned."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {path.stem: path for path in sorted((ROOT / "ltcourse").glob("*.py"))}
MODULES = sorted(SOURCES.keys() - {"__init__"})
LESSONS = {path.stem[:2]: path for path in sorted((ROOT / "lessons").glob("[0-9]*.py"))}

# From the top of the house to the bottom: a module imports only from rows below its own, or further right in its row.
HOUSE = """
    cli
    doctor slides rehearsal student_copy
    lecture formulas
    claims
    demonstrations measures
    evidence
    runs
    cluster
    experiments
    compression han rewinds lengths lottery instability transfer beginnings hidden hidden_imagenet imagenet
    trials
    journal
    checks review_checks ticket_checks table_checks transfer_checks initialization_checks supermask_checks verdicts
    review
    widgets pictures plots matrix quiz
    connectivity
    accuracy latency neurons sparsity storage
    supermasks
    batched
    pruning tickets restarts
    training
    augmentation graphs
    subset_sum
    models masks
    signals
    data initializers
    dropout
    streams sources mirrors formats
    progress tables papers questions markdown memory names machine process lock
"""


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(module):
    """The modules of the package that a module imports, wherever in its code."""
    found = set()
    for node in ast.walk(tree(SOURCES[module])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["ltcourse" if node.level else "", node.module]))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("ltcourse.")} & set(MODULES)
    return found


# The order of the house


def test_every_module_has_its_place():
    assert sorted(HOUSE.split()) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_downwards(module):
    order = HOUSE.split()
    upwards = [other for other in imported(module) if order.index(other) <= order.index(module)]
    assert not upwards, f"{module} imports {', '.join(upwards)}, which stands above it"


def test_there_are_no_circles():
    left = {module: imported(module) for module in MODULES}
    assert left["pruning"] >= {"masks", "training"}, "imports are not seen"
    while left:
        free = [module for module, others in left.items() if not others & left.keys()]
        assert free, f"a circle among {', '.join(left)}"
        for module in free:
            del left[module]


def test_modules_are_named_after_what_they_hold():
    assert not {"utils", "util", "helpers", "helper", "common", "misc", "tools"} & set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_imported_by_star_or_read_from_a_pickle(module):
    for node in ast.walk(tree(SOURCES[module])):
        if isinstance(node, ast.ImportFrom):
            assert [alias.name for alias in node.names] != ["*"]
            assert node.module not in ("pickle", "dill", "cloudpickle")
        if isinstance(node, ast.Import):
            assert not {"pickle", "dill", "cloudpickle", "shelve"} & {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("torch", "load")


# Docstrings


def public(module):
    """(qualified name, node) of the module's public functions, classes and their public methods."""
    for node in tree(SOURCES[module]).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list):
                continue  # a signature, whose function follows
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield f"{node.name}.{inner.name}", inner


DOCUMENTED = [pytest.param(node, id=f"{module}.{name}") for module in MODULES for name, node in public(module)]


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_says_what_it_is(module):
    first = (ast.get_docstring(tree(SOURCES[module])) or "").split("\n\n")[0]
    assert first.rstrip().endswith((".", "?")), f"{module}: {first!r}"


@pytest.mark.parametrize("node", DOCUMENTED)
def test_what_is_public_says_what_it_does_in_one_sentence(node):
    first = (ast.get_docstring(node) or "").split("\n")[0]
    assert first, "no docstring"
    paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    assert paragraph.endswith((".", ":")) and len(paragraph) > 10, paragraph


def headings(lesson):
    return re.findall(r"^# ## (.+)$", LESSONS[lesson].read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("node", DOCUMENTED)
def test_where_it_is_taught_exists(node):
    last = (ast.get_docstring(node) or "").rstrip().split("\n")[-1].strip()
    if not last.startswith("Lesson "):
        return
    taught = re.fullmatch(r'Lesson (\d\d)(?:, "([^"]+)")?(?: and exercise (\d))?\.', last)
    assert taught, f"not of the form 'Lesson 03, \"One round by hand\".': {last!r}"
    lesson, heading, exercise = taught.groups()
    if lesson in LESSONS:
        assert heading in headings(lesson), f"lesson {lesson} has no heading '## {heading}'"
        if exercise:
            assert f"# ### {exercise}. " in LESSONS[lesson].read_text(encoding="utf-8")


def test_most_of_what_a_lesson_uses_says_where():
    ends = [(ast.get_docstring(p.values[0]) or "").rstrip().split("\n")[-1].strip() for p in DOCUMENTED]
    assert sum(end.startswith("Lesson ") for end in ends) > 60, "the docstrings are not read"


# What is installed


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *(r for e in PROJECT["optional-dependencies"].values() for r in e))
]


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def pinned():
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in pins())}


def test_constraints_are_one_version_a_name():
    for line in pins():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.!]*", line), line
    assert len(pinned()) == len(pins()), "a name is pinned twice"


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_each_dependency_is_pinned_within_its_range(wanted):
    version = pinned().get(canonicalize_name(wanted.name))
    assert version, f"{wanted.name} is not in constraints.txt"
    assert wanted.specifier, f"{wanted.name} has no lower bound in pyproject.toml"
    assert wanted.specifier.contains(version)


def oldest_python():
    return re.fullmatch(r">=(3\.\d+)", PROJECT["requires-python"]).group(1)


@pytest.mark.parametrize("name", sorted(pinned()))
def test_each_pin_installs_on_the_oldest_python(name):
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip("only on other systems")
    if found["Version"] == pinned()[name]:
        assert SpecifierSet(found.get("Requires-Python", "")).contains(f"{oldest_python()}.9")


def test_everything_that_the_dependencies_need_here_is_pinned():
    todo, seen = [(r.name, frozenset(r.extras)) for r in WANTED], set()
    while todo:
        name, extras = todo.pop()
        key = canonicalize_name(name)
        if (key, extras) in seen:
            continue
        seen.add((key, extras))
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # a marker for another system
        for text in needs:
            need = Requirement(text)
            if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                todo.append((need.name, frozenset(need.extras)))
    names = {name for name, _ in seen}
    for bundled in ("setuptools", "pip"):
        names.discard(bundled)
    # the wheels of PyTorch for a GPU bring libraries that the ones for a CPU do not have
    names = {name for name in names if not name.startswith(("nvidia-", "cuda-", "triton"))}
    assert names <= pinned().keys(), f"not pinned: {', '.join(sorted(names - pinned().keys()))}"


def test_conda_installs_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python = next(d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python"))
    assert python.removeprefix("python") == PROJECT["requires-python"]
    assert "pip" in environment["dependencies"]
    by_pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    options = {re.sub(r"^(--constraint|-c)[ =]", "-c ", re.sub(r"^(--editable|-e)[ =]", "-e ", o)) for o in by_pip}
    assert options == {"-e .[test]", "-c constraints.txt"}


def test_make_installs_the_same():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--constraint constraints.txt --editable '.[test]'" in text
    assert f"({oldest_python().replace('.', ', ')})" in text, "make refuses an older Python"


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "environment.yml", "Makefile"])
def test_nothing_is_fetched_from_a_fixed_address(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text and "@ " not in text.replace("$@ ", "") and "index-url" not in text


def test_the_files_that_the_project_names_exist():
    names = [PROJECT["readme"], *PROJECT["license-files"]]
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert sys.version_info >= tuple(map(int, oldest_python().split(".")))
