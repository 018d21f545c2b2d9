"""Which cells of a notebook a function needs: those that define it, what it uses, and what these use in turn."""

import ast
from collections.abc import Iterator, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def needed(sources: Sequence[str], name: str) -> list[int]:
    """Return the numbers of the cells without which `name` cannot be used, in order; none where no cell defines it.

    sources: the code of the cells, as Python. Of a cell that is no Python, what it defines at the beginning of a line
    is known, and nothing else. A name that is given or changed in several cells needs all of them.
    """
    cells = [(gives(source), wants(source)) for source in sources]
    need, chosen = {name}, set[int]()
    while more := {i for i, (given, _) in enumerate(cells) if given & need} - chosen:
        chosen |= more
        need |= {wanted for i in more for wanted in cells[i][1]}
    return sorted(chosen)


def gives(source: str) -> set[str]:
    """Return the names that a cell gives a value or changes: `a = 1`, `a[0] = 1`, `a.x = 1`, `a.append(1)`."""
    tree = _parsed(source)
    if tree is None:
        lines = (line.split("(")[0].split() for line in source.splitlines() if line.startswith(("def ", "class ")))
        return {line[1].rstrip(":") for line in lines if len(line) > 1}
    return {name for statement in tree.body for name in _given(statement)}


def wants(source: str) -> set[str]:
    """Return the names that a cell takes from others, in the bodies of its functions as well."""
    tree, given, taken = _parsed(source), set[str](), set[str]()
    for statement in tree.body if tree else ():
        loaded = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        taken |= loaded - given - (_local(statement) if isinstance(statement, _SCOPES) else set())
        given |= set(_given(statement))
    return taken


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _given(node: ast.AST) -> Iterator[str]:
    """The names that a statement gives or changes where it stands, those inside of functions and classes aside."""
    if isinstance(node, _SCOPES):
        yield node.name
        return
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        yield from _base(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from _base(node.value.func)
    for child in ast.iter_child_nodes(node):
        yield from _given(child)


def _base(node: ast.AST) -> Iterator[str]:
    """The name at the root of `a.b[c].d`, if that is what it is."""
    below = node
    while isinstance(below, (ast.Attribute, ast.Subscript)):
        below = below.value
    if isinstance(below, ast.Name) and below is not node:
        yield below.id


def _local(scope: ast.AST) -> set[str]:
    """The names that a function binds itself: arguments and what it assigns; not exact, and rather too few."""
    arguments = {n.arg for n in ast.walk(scope) if isinstance(n, ast.arg)}
    stored = {n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    inner = {n.name for n in ast.walk(scope) if isinstance(n, _SCOPES) and n is not scope}
    shared = {name for n in ast.walk(scope) if isinstance(n, (ast.Global, ast.Nonlocal)) for name in n.names}
    return (arguments | stored | inner) - shared
