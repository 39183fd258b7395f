"""Which part of the package may import which: arrows point one way.

Read from the source with ``ast``, so that an import inside a function or under TYPE_CHECKING
counts as well.
"""

import ast
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

import mnist_lightning

PACKAGE = Path(mnist_lightning.__file__).parent
NAME = PACKAGE.name

#: Anyone may import these, and they import nothing but each other.
LEAVES = {"errors", "storage", "transfer", "download", "archive", "__init__"}
#: What each other part may import besides the leaves and itself.
ALLOWED: dict[str, set[str]] = {
    "data": set(),
    "models": set(),
    "training": {"models"},
    "corruptions": set(),
    "evaluation": {"corruptions"},
    "reporting": {"evaluation", "corruptions"},
    "formats": {"evaluation"},
    "handwriting": set(),
    "presets": set(),
    "messages": set(),
    "quiet": set(),
    "command": set(),
    "config_file": set(),
    "command_line": {"presets", "config_file"},
}
#: These put the parts together and may import everything; nobody below may import them.
ON_TOP = {
    *("cli", "train", "results", "run_record", "seeds"),
    *("compare", "comparing", "comparison_files", "contestants", "report"),
    *("demo", "page"),
    *("ensemble", "ensembling", "members"),
    *("export", "exporting", "exportable", "quantising", "card"),
    *("robustness", "robustness_files", "robustness_trials"),
    *("loading", "trained", "predict", "digit_inputs", "answering"),
    "checkpoint_network",
}

NETWORKS = [
    "models/cnn.py",
    "models/ensemble.py",
    "models/resnet50.py",
    "models/weights*.py",
    "models/feature*.py",
    "models/stages.py",
]
#: The files that may know Lightning.
LIGHTNING = ["data/datamodule.py", "models/*classifier*.py", "training/*.py", "cli.py"]
#: The files that may draw.
MATPLOTLIB = ["reporting/*.py", "results.py", "comparison_files.py", "robustness_files.py"]


@lru_cache
def _files() -> dict[str, set[str]]:
    """Each file of the package, and the full names of what it imports."""
    return {path.relative_to(PACKAGE).as_posix(): _imports(path) for path in PACKAGE.rglob("*.py")}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they lead"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _part(file: str) -> str:
    """The first name below the package: ``data`` for ``data/idx.py``, ``cli`` for ``cli.py``."""
    return Path(file).with_suffix("").parts[0]


def _parts() -> set[str]:
    return {_part(file) for file in _files()}


def _imported_parts(file: str) -> set[str]:
    names = [name.split(".") for name in _files()[file]]
    return {name[1] for name in names if name[0] == NAME and len(name) > 1} & _parts()


def _matches(file: str, patterns: list[str]) -> bool:
    return any(Path(file).match(pattern) for pattern in patterns)


def _importers(*packages: str, where: Callable[[str], bool] = lambda file: True) -> set[str]:
    """The files that import one of the packages, or something out of it."""
    return {
        file
        for file, names in _files().items()
        if where(file)
        and any(f"{name}.".startswith(f"{package}.") for name in names for package in packages)
    }


def test_every_part_has_its_place() -> None:
    # A new part must be given its place above before anybody can import it.
    assert _parts() == LEAVES | ALLOWED.keys() | ON_TOP


def test_imports_point_downwards() -> None:
    upwards = {}
    for file in _files():
        part = _part(file)
        below = LEAVES if part in LEAVES else LEAVES | {part} | ALLOWED.get(part, set())
        if part not in ON_TOP and (wrong := _imported_parts(file) - below):
            upwards[file] = wrong

    assert upwards == {}


def test_nothing_imports_scripts_tests_or_benchmarks() -> None:
    assert _importers("scripts", "tests", "benchmarks", "conftest") == set()


def test_only_training_code_knows_lightning() -> None:
    importers = _importers("lightning", "pytorch_lightning", "lightning_fabric")

    assert {file for file in importers if not _matches(file, LIGHTNING)} == set()


def test_only_cli_knows_lightning_cli_and_yaml() -> None:
    assert _importers("lightning.pytorch.cli", "jsonargparse", "yaml") == {
        "cli.py",
        "config_file.py",
    }


def test_only_reporting_and_results_draw_and_nobody_with_pyplot() -> None:
    importers = _importers("matplotlib", "seaborn")

    assert {file for file in importers if not _matches(file, MATPLOTLIB)} == set()
    assert _importers("matplotlib.pyplot") == set()


def test_networks_are_plain_modules_of_torch() -> None:
    def is_network(file: str) -> bool:
        return _matches(file, NETWORKS)

    assert {"models/cnn.py", "models/resnet50.py"} <= set(filter(is_network, _files()))
    classifiers = (f"{NAME}.models.classifier", f"{NAME}.models.cnn_classifier")
    assert _importers("lightning", "torchmetrics", *classifiers, where=is_network) == set()


@pytest.mark.parametrize(
    "name",
    [
        *("__init__.py", "command.py", "command_line.py", "presets.py"),
        *("train.py", "predict.py", "demo.py"),
    ],
)
def test_what_answers_at_once_imports_nothing_heavy_at_its_top(name: str) -> None:
    """``--help`` and mistakes in the command line must not wait for torch."""
    light = {"command", "command_line", "presets", "errors", "__init__"}
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    # Imports inside of functions, and those for the type checker, are not executed on import.
    modules = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(str(node.module))

    ours = {module for module in modules if module.partition(".")[0] == NAME}
    assert ours <= {NAME, *(f"{NAME}.{part}" for part in light)}
    assert {module.partition(".")[0] for module in modules - ours} <= sys.stdlib_module_names


def test_no_file_is_called_after_nothing_in_particular() -> None:
    assert not {Path(file).stem for file in _files()} & {"utils", "helpers", "misc", "common"}
