"""The shape of the package: which folder may import which, how deep, how large, and its names.

Read from the source with ``ast``, so that an import inside a function or under TYPE_CHECKING
counts as well.
"""

import ast
import re
import sys
from collections import Counter
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import pytest
import yaml

import mnist_lightning

PACKAGE = Path(mnist_lightning.__file__).parent
NAME = PACKAGE.name

#: From top to bottom. A folder or file imports what is below it; it may skip floors, never climb.
FLOORS = (
    *("commands", "experiment", "results", "cli"),
    *("demo", "reporting", "learning_curve"),
    *("comparison", "robustness", "handwriting", "export"),
    *("training", "models", "records", "evaluation", "data"),
    *("terminal", "files", "errors", "__init__"),
)
#: The files that stand directly in the package, besides ``__init__``.
TOP = {"experiment", "results", "cli", "errors"}
DEEPEST = 13
#: Lines of code, without docstrings, comments and blank lines. Raise it for a new capability only,
#: and look first for what the capability makes superfluous.
MOST_CODE = 13_770
#: The files that a reader opens from ``scripts/train.py`` to the optimiser.
TO_THE_OPTIMISER = (
    "scripts/train.py",
    "mnist_lightning/commands/train.py",
    "mnist_lightning/experiment.py",
    "mnist_lightning/terminal/presets.py",
    "configs/cnn.yaml",
    "mnist_lightning/cli.py",
    "mnist_lightning/models/classifier.py",
)

NETWORKS = ("models.cnn", "models.resnet50", "models.soft_voting", "models.stages")
NETWORKS += ("models.pretrained", "models.weights_file")
NETWORKS += ("models.feature_cache", "models.feature_extraction", "models.feature_store")
#: The modules that may know Lightning.
LIGHTNING = (
    r"data\.datamodule|models\.(classifier|resnet50_classifier|staged_classifier)|training\..*|cli"
)
#: The modules that may draw.
MATPLOTLIB = r"reporting\..*|results|commands\.(compare|robustness)"


@lru_cache
def _modules() -> dict[str, Path]:
    """The files of the package by their dotted names below it."""
    paths = PACKAGE.rglob("*.py")
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


@lru_cache
def _imports(module: str) -> frozenset[str]:
    """Full names of everything that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide where they lead"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@lru_cache
def _imported_modules(module: str) -> frozenset[str]:
    """The modules of the package that a module imports."""
    found = set()
    for name in _imports(module):
        package, _, rest = name.partition(".")
        if package == NAME:
            # The name may be a module, something in a module, or something in a package.
            choices = (rest, rest.rpartition(".")[0])
            choices += tuple(f"{one}.__init__".lstrip(".") for one in choices)
            found.add(next(choice for choice in choices if choice in _modules()))
    return frozenset(found - {module})


def _floor(module: str) -> int:
    return FLOORS.index(module.partition(".")[0])


def _importers(*packages: str) -> set[str]:
    """The modules that import one of the packages, or something out of it."""
    return {
        module
        for module in _modules()
        if any(
            f"{name}.".startswith(f"{package}.")
            for name in _imports(module)
            for package in packages
        )
    }


def test_four_files_stand_at_the_top_and_every_folder_has_its_floor() -> None:
    assert {module for module in _modules() if "." not in module} == TOP | {"__init__"}
    assert {module.partition(".")[0] for module in _modules()} == set(FLOORS)


def test_imports_point_downwards_or_stay_in_their_folder() -> None:
    climbing = {
        module: upwards
        for module in _modules()
        if (upwards := {one for one in _imported_modules(module) if _floor(one) < _floor(module)})
    }

    assert climbing == {}


def test_there_is_no_circle_and_no_chain_is_too_deep() -> None:
    depths: dict[str, int] = {}

    def depth(module: str, above: tuple[str, ...] = ()) -> int:
        assert module not in above, f"a circle: {' -> '.join((*above, module))}"
        if module not in depths:
            below = (depth(one, (*above, module)) for one in _imported_modules(module))
            depths[module] = 1 + max(below, default=0)
        return depths[module]

    deepest = max(_modules(), key=depth)

    assert depths[deepest] <= DEEPEST, deepest


def test_nothing_hides_an_import() -> None:
    assert _importers("importlib.import_module", "runpy") == set()
    hidden = r"__import__|import_module|getattr\((models|results|cli)\b"
    texts = {module: path.read_text(encoding="utf-8") for module, path in _modules().items()}
    assert [module for module, text in texts.items() if re.search(hidden, text)] == []


def test_no_file_name_occurs_twice_or_differs_by_an_ending() -> None:
    files = [module.rpartition(".")[2] for module in _modules()]
    counts = Counter(name for name in files if name != "__init__")
    # A command is called like its script, in scripts/.
    commands = {module.rpartition(".")[2] for module in _modules() if module[:9] == "commands."}
    alike = [
        (one, other)
        for one, other in permutations(set(counts) - commands, 2)
        if other.startswith(one) and 0 < len(other) - len(one) <= 3
    ]

    assert [name for name, count in counts.items() if count > 1] == []
    assert alike == []
    assert not set(counts) & {"utils", "helpers", "misc", "common", "tools"}


def _code_lines(path: Path) -> int:
    """Lines that are neither blank, nor a comment, nor part of a docstring."""
    text = path.read_text(encoding="utf-8")
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant):
                docs |= set(range(statement.lineno, (statement.end_lineno or 0) + 1))
    return sum(
        1
        for number, line in enumerate(text.splitlines(), start=1)
        if number not in docs and line.strip() and not line.lstrip().startswith("#")
    )


def test_the_package_is_no_larger_than_its_reader_can_bear() -> None:
    assert sum(map(_code_lines, _modules().values())) <= MOST_CODE


def test_seven_files_lead_from_the_script_to_the_optimiser() -> None:
    root = PACKAGE.parent
    assert len(TO_THE_OPTIMISER) <= 7
    *python, cnn, cli, classifier = (root / name for name in TO_THE_OPTIMISER)
    script, command, experiment, presets = python
    # Each file names the next ones.
    assert "mnist_lightning.commands.train import main" in script.read_text()
    assert "mnist_lightning.experiment import train" in command.read_text()
    assert "mnist_lightning.terminal.presets import expand" in command.read_text()
    assert ".yaml" in presets.read_text()
    assert yaml.safe_load(cnn.read_text())["model"]["class_path"].endswith(".CNNClassifier")
    assert "mnist_lightning.cli import StudyCLI" in experiment.read_text()
    assert "import CNNClassifier, DigitClassifier" in cli.read_text()
    text = classifier.read_text()
    assert "class DigitClassifier" in text
    assert "def configure_optimizers" in text
    assert "torch.optim.AdamW" in text


def test_nothing_imports_scripts_tests_or_benchmarks() -> None:
    assert _importers("scripts", "tests", "benchmarks", "conftest") == set()


def test_only_training_code_knows_lightning() -> None:
    importers = _importers("lightning", "pytorch_lightning", "lightning_fabric")

    assert {module for module in importers if not re.fullmatch(LIGHTNING, module)} == set()


def test_only_cli_knows_lightning_cli_and_only_the_check_of_a_file_knows_yaml() -> None:
    assert _importers("lightning.pytorch.cli", "jsonargparse") == {"cli"}
    assert _importers("yaml") == {"files.config_file"}


def test_the_object_of_the_command_line_goes_no_further_than_the_experiment() -> None:
    assert _importers(f"{NAME}.cli") == {"commands.train", "experiment"}


def test_only_reporting_and_its_callers_draw_and_nobody_with_pyplot() -> None:
    importers = _importers("matplotlib", "seaborn")

    assert {module for module in importers if not re.fullmatch(MATPLOTLIB, module)} == set()
    assert _importers("matplotlib.pyplot") == set()


def test_networks_are_plain_modules_of_torch() -> None:
    assert set(NETWORKS) <= set(_modules())
    assert (
        _importers("lightning", "torchmetrics", f"{NAME}.models.classifier") & {*NETWORKS} == set()
    )


@pytest.mark.parametrize(
    "name",
    [
        *("__init__", "commands.train", "errors", "records.model_names", "terminal.logs"),
        *("terminal.parser", "terminal.presets", "terminal.streams", "terminal.training_command"),
        *("commands.compare", "commands.demo", "commands.ensemble", "commands.export"),
        *("commands.predict", "commands.report", "commands.robustness", "records.artefacts"),
        *("commands.learning_curve", "records.model_choice", "terminal.wording"),
    ],
)
def test_what_answers_at_once_imports_nothing_heavy_at_its_top(name: str) -> None:
    """``--help`` and mistakes in the command line must not wait for torch."""
    light = {"errors", "records.artefacts", "records.model_choice", "records.model_names"}
    light |= {f"terminal.{part}" for part in ("parser", "presets", "streams", "threads")}
    light |= {"terminal.logs", "terminal.training_command", "terminal.wording"}
    tree = ast.parse(_modules()[name].read_text(encoding="utf-8"))
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
