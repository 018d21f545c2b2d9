"""The house: who may import whom, where each thing is taught, and that what is installed is pinned."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ltcourse"
LESSONS = {path.stem[:2]: path for path in sorted((ROOT / "lessons").glob("[0-9]*.py"))}


def name_of(path):
    """The name of a module within the package; a room's `__init__` has the name of the room, the package's own ""."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = sorted(SOURCES.keys() - {""})

# From the top of the house to the bottom: a room imports only from rooms in rows below its own, or further right in its
# row; in a room a module imports only from those that stand after it.
HOUSE = """
    cli
    doctor
    stage: bundle student_copy grading sandbox examiner landlock slices rehearsal slides plan pages wall pieces
        statements lecture formulas
    claims: evidence catalog frontier frontier_today frontier_measures demonstrations measures implemented sheet
        verdicts
    conformance
    classroom: checks quiz review own_words questions glossary predictions answers kinds packed
    display: widgets pictures ablations comparisons tickets costs layers plots settings tables progress alt axes
        sentences stopped vectors choosers guesses markdown
    experiments: runs cluster executors catalog
        layerwise sparse_trainings foresight supermask_imagenet supermask_search deconstruction initialization transfer
        instability structured rewinds lengths lottery han_cifar han han_imagenet
        trials journal lock machine transfer_matrix
    instruments: sparsity storage latency neurons signals connectivity subset_sum statistics
    pruning: batched layerwise curvature sparse_training foresight supermasks tickets filters loop restarts criteria
    training: accuracy characters loop recipe checkpoints graphs process
    networks: models transformer initializers masks weights dropout
    data: augmentation sets texts streams sources mirrors formats
    names papers files spawning quantities
"""
# The rooms within a room.
INNER = {
    "checks": """
        hypothesis attempts ticket_search supermask_search digits
        pruning tables tickets instability transfer initialization supermasks foresight layerwise reporting
        verdict untouched
    """,
    "pictures": "popup claims loops small networks weights reasons sketches frames",
}


def rooms():
    """The rooms from the top to the bottom, each with its modules in their order; what is no room has none."""
    found = {}
    for word in re.sub(r"#.*", "", HOUSE).split():
        if word.endswith(":"):
            found[word[:-1]] = []
        elif (PACKAGE / f"{word}.py").exists():
            found[word] = []
        else:
            found[next(reversed(found))].append(word)
    return found


def order():
    """Every module from the top of the house to the bottom; a room's `__init__`, which offers names, comes first."""
    for room, modules in rooms().items():
        yield room
        for module in modules:
            yield f"{room}.{module}"
            yield from (f"{room}.{module}.{inner}" for inner in INNER.get(module, "").split())


ORDER = list(order())


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(module):
    """The modules of the package that a module imports, wherever in its code."""
    found = set()
    for node in ast.walk(tree(SOURCES[module])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: an import says the room"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "ltcourse":
                inner = name.split(".", 1)[1]
                found.add(inner if inner in SOURCES else inner.rpartition(".")[0])
    return found - {""}


# The order of the house


def test_every_module_has_its_place():
    assert sorted(ORDER) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_downwards(module):
    upwards = [other for other in imported(module) if ORDER.index(other) <= ORDER.index(module)]
    assert not upwards, f"{module} imports {', '.join(upwards)}, which stands above it"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_does_not_import_its_own_room(module):
    """The room's `__init__` is for those outside: inside, it would be half made."""
    room = module.split(".")[0]
    assert room == module or room not in imported(module)


def test_imports_are_seen():
    assert imported("pruning.loop") >= {"networks.masks", "training", "pruning.criteria"}


def test_modules_are_named_after_what_they_hold():
    last = {module.rpartition(".")[2] for module in MODULES}
    assert not {"utils", "util", "helpers", "helper", "common", "misc", "tools"} & last


@pytest.mark.parametrize("room", [room for room, modules in rooms().items() if modules])
def test_a_room_says_what_lives_there(room):
    """Its first words name each module that a reader meets, in the order in which to read them."""
    told = ast.get_docstring(tree(SOURCES[room]))
    missing = [module for module in rooms()[room] if f"`{module}`" not in told]
    assert not missing, f"{room}/__init__.py says nothing of {', '.join(missing)}"


def test_the_tests_mirror_the_rooms():
    """A folder of tests is a room, or `lessons`."""
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    assert folders <= rooms().keys() | {"lessons"}


@pytest.mark.parametrize("module", ["", *MODULES])
def test_no_file_is_longer_than_a_reader_has_patience_for(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= 500


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


def test_one_name_is_one_thing():
    """No two modules have a public class, or a function and a class, of the same name."""
    where = {}
    for module in MODULES:
        for node in tree(SOURCES[module]).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in where.items() if len(modules) > 1} == {}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of the package, built from a copy of what git tracks, and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    shutil.copytree(PACKAGE, source / "ltcourse", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from setuptools import build_meta; print(build_meta.build_wheel('..'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_a_wheel_holds_every_room_and_what_it_needs(wheel):
    tracked = {
        path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    }
    there = {path.relative_to(wheel / "ltcourse") for path in (wheel / "ltcourse").rglob("*") if path.is_file()}
    assert tracked == there


def test_each_module_can_be_imported_from_a_wheel(wheel):
    names = ", ".join(f"ltcourse.{module}" for module in MODULES)
    code = f"import {names}; print(ltcourse.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=wheel,
        env=os.environ | {"PYTHONPATH": str(wheel), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.strip().startswith(str(wheel)), done.stderr


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


DOCUMENTED = [module for module in MODULES if list(public(module))]


@pytest.mark.parametrize("module", ["", *MODULES])
def test_a_module_says_what_it_is(module):
    first = (ast.get_docstring(tree(SOURCES[module])) or "").split("\n\n")[0]
    assert first.rstrip().endswith((".", "?")), f"{module}: {first!r}"


@pytest.mark.parametrize("module", DOCUMENTED)
def test_what_is_public_says_what_it_does_in_one_sentence(module):
    for name, node in public(module):
        first = (ast.get_docstring(node) or "").split("\n")[0]
        assert first, f"{name} has no docstring"
        paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
        assert paragraph.endswith((".", ":")) and len(paragraph) > 10, f"{name}: {paragraph}"


def headings(lesson):
    return re.findall(r"^# ## (.+)$", LESSONS[lesson].read_text(encoding="utf-8"), re.MULTILINE)


def last_line(node):
    return (ast.get_docstring(node) or "").rstrip().split("\n")[-1].strip()


@pytest.mark.parametrize("module", DOCUMENTED)
def test_where_it_is_taught_exists(module):
    for name, node in public(module):
        if not (last := last_line(node)).startswith("Lesson "):
            continue
        taught = re.fullmatch(r'Lesson (\d\d)(?:, "([^"]+)")?(?: and exercise (\d))?\.', last)
        assert taught, f"{name}: not of the form 'Lesson 03, \"One round by hand\".': {last!r}"
        lesson, heading, exercise = taught.groups()
        if lesson in LESSONS:
            assert heading in headings(lesson), f"{name}: lesson {lesson} has no heading '## {heading}'"
            if exercise:
                assert f"# ### {exercise}. " in LESSONS[lesson].read_text(encoding="utf-8"), name


def test_most_of_what_a_lesson_uses_says_where():
    ends = [last_line(node) for module in DOCUMENTED for _, node in public(module)]
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
    assert "--constraint constraints.txt --editable '.$(EXTRA)'" in text and "EXTRA := [test]" in text
    assert f"({oldest_python().replace('.', ', ')})" in (ROOT / "tools" / "preflight.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "environment.yml", "Makefile"])
def test_nothing_is_fetched_from_a_fixed_address(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text and "@ " not in text.replace("$@ ", "") and "index-url" not in text


def test_the_files_that_the_project_names_exist():
    names = [PROJECT["readme"], *PROJECT["license-files"]]
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert sys.version_info >= tuple(map(int, oldest_python().split(".")))
