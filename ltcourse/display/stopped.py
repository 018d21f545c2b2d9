"""What a stopped cell leaves: a cell below that needs more than there is says so in one line, and the notebook goes on.

In a notebook alone. A cell is followed by the names that it gives and takes: what a stopped cell gives is incomplete,
and so is what other cells make of it, until they have run again.
"""

import ast
import builtins
from collections.abc import Iterator
from typing import Any

from torch import nn

_SCOPES = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CHANGES = {"append", "extend", "update", "add", "insert", "setdefault"}


class Stops:
    """Follow the cells of a notebook's shell, and tell what those below a stopped one lack."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._incomplete: dict[str, str] = {}  # name → the cell that was stopped, and when
        self._cell: ast.Module = ast.Module([], [])
        self._cut = self._need = ""
        self._told = False
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)
        self._listen()

    def note(self, title: str, when: str) -> None:
        """Take down that the work of this cell was stopped: its title, and when, as in "after 3 of 12"."""
        self._cut = (
            self._cut or f"{title!r} was stopped {when}: run its cell, [{self._shell.execution_count}], to the end"
        )
        self._listen()

    def lacks(self, cell: ast.Module) -> str:
        """Return which cell must run to its end before this one has all that it takes; "" if there is none."""
        return next((self._incomplete[name] for name in sorted(taken(cell)) if name in self._incomplete), "")

    def forget(self) -> None:
        """Take all for complete."""
        self._incomplete.clear()
        self._listen()

    def _listen(self) -> None:
        """Ask for errors only while there is something that they can come of."""
        every = (Exception, KeyboardInterrupt) if self._cut or self._incomplete else (KeyboardInterrupt,)
        self._shell.set_custom_exc(every, self._show)

    def _begin(self, info: Any) -> None:
        self._cell = parsed(self._shell.transform_cell(info.raw_cell))
        self._need = self.lacks(self._cell)

    def _show(self, shell: Any, kind: type[BaseException], error: BaseException, trace: Any, **_: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            first = ast.unparse(self._cell).partition("\n")[0]
            self.note(first if len(first) <= 60 else f"{first[:60]}…", "before its end")
        elif self._cut or self._need:
            what = str(error).partition("\n")[0]
            print(f"Not there yet: {self._cut or self._need}, then those below ({kind.__name__}: {what}).")
            self._told = True
            return
        shell.showtraceback((kind, error, trace), running_compiled_code=True)

    def _end(self, result: Any) -> None:
        why = self._cut or self._need
        for name in given(self._cell):
            self._incomplete.pop(name, None)
        if why:
            self._incomplete |= dict.fromkeys(given(self._cell), why)
        if self._cut or self._told:  # it may have changed what it was given, and not to the end
            there = self._shell.user_ns
            halves = {name for name in taken(self._cell) if isinstance(there.get(name), nn.Module)}
            self._incomplete |= dict.fromkeys(halves | changed(self._cell), why)
        if self._told and result is not None:
            result.error_in_exec = None  # it was told: what is below can run
        elif why and not self._cut and result is not None and result.success:
            print(f"Incomplete: {why}, then those below.")
        self._cell, self._cut, self._need, self._told = ast.Module([], []), "", "", False
        self._listen()


_followed: Stops | None = None


def follow() -> None:
    """Follow the cells of this notebook from the next one on; called again, do nothing."""
    global _followed
    from IPython import get_ipython

    shell = get_ipython()
    if _followed is None or _followed._shell is not shell:
        _followed = Stops(shell)


def note(title: str, when: str) -> None:
    """Take down that the work of the cell that runs was stopped."""
    if _followed is not None:
        _followed.note(title, when)


# What a cell takes and gives


def parsed(source: str) -> ast.Module:
    """Return the tree of a cell; an empty one where it is no Python, which the shell tells."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])


def _names(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}


def given(tree: ast.AST) -> set[str]:
    """Return the names that code gives to what comes after it: variables, functions, imports."""
    return set().union(*(_binds(node) for node in _outside(tree)))


def _binds(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.arg):
        return {node.arg}
    return {(node.asname or node.name).partition(".")[0]} if isinstance(node, ast.alias) else set()


def _outside(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of code but those inside of functions, classes and comprehensions, whose names are their own."""
    yield tree
    if not isinstance(tree, _SCOPES):
        for child in ast.iter_child_nodes(tree):
            yield from _outside(child)


def taken(cell: ast.Module) -> set[str]:
    """Return the names that a cell takes from cells before it."""
    known: set[str] = set(dir(builtins))
    found: set[str] = set()
    for statement in cell.body:
        own = set().union(*(_binds(node) for node in ast.walk(statement)))
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):  # `a = a + 1` takes `a`
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            own = own.difference(*(_names(target, ast.Store) for target in targets))
        found |= _names(statement, ast.Load) - known - own
        if isinstance(statement, ast.AugAssign):
            found |= _names(statement.target, ast.Store) - known
        known |= given(statement)
    return found


def changed(tree: ast.AST) -> set[str]:
    """Return the names of the things that code changes in place: `a[0] = …`, `a.b = …`, `a.append(…)`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        within: ast.AST | None = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            within = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
            within = node.func.value
        while isinstance(within, (ast.Subscript, ast.Attribute)):
            within = within.value
        if isinstance(within, ast.Name):
            found.add(within.id)
    return found
