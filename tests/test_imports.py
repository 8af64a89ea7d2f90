"""Imports point one way (demos -> scratchnet -> backends), and heavy libraries wait for their use.

`violations` reads one module's source; the tests hold every module to it, and it to planted faults.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "scratchnet": ROOT / "scratchnet",
    "scratchnet.backends": ROOT / "backends",
    "scratchnet.demos": ROOT / "demos",
}
HEAVY = ("matplotlib", "scipy", "cupy", "sklearn", "torch", "jax")
TERMINAL = ("rich",)
TYPE_CHECKER_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def imports(node: ast.AST, package: str, executed: bool = True) -> Iterator[tuple[int, str, bool]]:
    """(line, absolute dotted name, whether the import of the module executes it) below `node`.

    `from a import b` counts as `a.b`, for b may be a module. `package` is what a leading dot means.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield child.lineno, alias.name, executed
        elif isinstance(child, ast.ImportFrom):
            parents = package.split(".")
            start = parents[: len(parents) - child.level + 1] if child.level else []
            base = ".".join([*start, *([child.module] if child.module else [])])
            for alias in child.names:
                yield child.lineno, f"{base}.{alias.name}", executed
        elif isinstance(child, ast.If) and ast.unparse(child.test) in TYPE_CHECKER_ONLY:
            yield from imports(ast.Module(child.body, []), package, False)
            yield from imports(ast.Module(child.orelse, []), package, executed)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imports(child, package, executed and not function)


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of the module of that dotted name, a line each."""
    package = module if is_package else module.rpartition(".")[0]
    backends = within(module, "scratchnet.backends")
    # `python -m scratchnet` has to be a module of the package itself, and is the command.
    demos = within(module, "scratchnet.demos", "scratchnet.__main__")
    depth = within(module, "scratchnet.depth")
    found = []
    for line, name, executed in imports(ast.parse(source), package):
        ours = within(name, "scratchnet")
        if within(name, "backends", "demos", "tests"):
            reason = "goes by its folder; the installed name starts with scratchnet"
        elif backends and ours and not within(name, "scratchnet.backends"):
            reason = "points from the backends to the engine"
        elif not demos and within(name, "scratchnet.demos"):
            reason = "points from the engine to the demos"
        elif not (demos or depth) and within(name, "scratchnet.depth"):
            reason = "points from the engine to scratchnet.depth"
        elif executed and within(name, *HEAVY):
            reason = "belongs inside the function that needs it"
        elif executed and not demos and within(name, *TERMINAL):
            reason = "belongs to the demos"
        else:
            continue
        found.append(f"{module}, line {line}: import of {name} {reason}")
    return found


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """(dotted name, file) of every module in a package's folder."""
    folder = PACKAGES[package]
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join([package, *(part for part in parts if part != "__init__")]), path


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    files = dict(modules(package))
    assert package in files, "the package's own __init__.py was not read"
    found = [
        line
        for name, path in files.items()
        for line in violations(path.read_text(), name, path.name == "__init__.py")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "source", "named"),
    [
        ("scratchnet.backends.x", "import scratchnet", "scratchnet"),
        ("scratchnet.backends.x", "import scratchnet.tensor as t", "scratchnet.tensor"),
        ("scratchnet.backends.x", "from scratchnet import ops", "scratchnet.ops"),
        ("scratchnet.backends.x", "from .. import ops", "scratchnet.ops"),
        ("scratchnet.backends.x", "from ..tensor import Tensor", "scratchnet.tensor.Tensor"),
        ("scratchnet.backends.x", "def f():\n    from scratchnet import ops", "scratchnet.ops"),
        ("scratchnet.backends.x", "from backends import errors", "backends.errors"),
        ("scratchnet.x", "import scratchnet.demos.xor", "scratchnet.demos.xor"),
        ("scratchnet.x", "from scratchnet import demos", "scratchnet.demos"),
        ("scratchnet.x", "from . import demos", "scratchnet.demos"),
        ("scratchnet.x", "def f():\n    from .demos import xor", "scratchnet.demos.xor"),
        ("scratchnet.ops.x", "from ..demos.xor import run", "scratchnet.demos.xor.run"),
        ("scratchnet.ops.x", "from ..depth import regions", "scratchnet.depth.regions"),
        ("scratchnet.x", "class A:\n    from . import depth", "scratchnet.depth"),
        ("scratchnet.depth.x", "from scratchnet.demos import xor", "scratchnet.demos.xor"),
        ("scratchnet.x", "import numpy, scipy.special", "scipy.special"),
        ("scratchnet.x", "try:\n    import cupy\nexcept ImportError:\n    pass", "cupy"),
        ("scratchnet.x", "if True:\n    import torch", "torch"),
        ("scratchnet.x", "from rich.progress import Progress", "rich.progress.Progress"),
        ("scratchnet.backends.x", "import cupy as cp", "cupy"),
        ("scratchnet.demos.x", "from matplotlib import pyplot", "matplotlib.pyplot"),
        ("scratchnet.x", "if TYPE_CHECKING:\n    pass\nelse:\n    import jax", "jax"),
        ("scratchnet.x", "if not TYPE_CHECKING:\n    import jax", "jax"),
    ],
)
def test_a_planted_fault_is_found(module: str, source: str, named: str) -> None:
    (line,) = violations(source, module)
    assert f" import of {named} " in line


def test_dots_in_a_package_count_from_the_package_itself() -> None:
    assert violations("from . import demos", "scratchnet", is_package=True)
    assert violations("from .. import demos", "scratchnet.ops", is_package=True)
    assert not violations("from . import demos", "scratchnet.ops", is_package=True)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("scratchnet.backends.x", "from scratchnet.backends.errors import InputError"),
        ("scratchnet.backends.x", "from . import interface\nfrom .errors import InputError"),
        ("scratchnet.backends.x", "def f():\n    import cupy"),
        ("scratchnet.x", "import scratchnet.backends\nfrom scratchnet.tensor import Tensor"),
        ("scratchnet.x", "import numpy\nimport scipython\nimport richer"),
        ("scratchnet.depth.x", "from scratchnet.depth import regions\nfrom .. import ops"),
        ("scratchnet.demos.x", "import rich\nfrom scratchnet.depth import regions"),
        ("scratchnet.demos.x", "async def f():\n    if True:\n        import matplotlib"),
        ("scratchnet.demos.x", "if TYPE_CHECKING:\n    import matplotlib"),
        ("scratchnet.demos.x", "if typing.TYPE_CHECKING:\n    import matplotlib"),
    ],
)
def test_what_is_allowed_is_let_through(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_importing_the_engine_loads_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys, scratchnet\n"
        f"print([name for name in {HEAVY + TERMINAL} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "[]\n"


def test_every_package_is_installed() -> None:
    """An editable install finds a sub-package that a wheel would lack: ask what setup.py finds."""
    code = (
        "import setuptools, runpy\n"
        "setuptools.setup = lambda packages: print(*packages)\n"
        "runpy.run_path('setup.py')"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    # The files of an exercise are package data.
    found = {
        name if path.name == "__init__.py" else name.rpartition(".")[0]
        for package in PACKAGES
        for name, path in modules(package)
        if not within(name, "scratchnet.demos.learn.exercises")
    }
    assert sorted(run.stdout.split()) == sorted(found)
