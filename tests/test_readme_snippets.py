"""The snippets of ``docs/exports.md`` run unchanged on the files in ``output/``."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from comparison_inputs import METADATA, mean_images, nearest_mean

from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.export.program import export_program

ROOT = Path(__file__).parents[1]
EXPORTS = ROOT / "docs" / "exports.md"


def _snippet(name: str) -> str:
    text = EXPORTS.read_text(encoding="utf-8")
    pattern = rf"<!-- snippet:{re.escape(name)} -->\n```\w+\n(.*?)```"
    (found,) = re.findall(pattern, text, flags=re.DOTALL)
    return str(found)


def _run(command: list[str], folder: Path, timeout: int = 1200) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={
            **os.environ,
            # The ``python`` of the snippets is the one that runs the tests.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime"])
def test_a_python_snippet_reads_two_ones(name: str, tmp_path: Path) -> None:
    # Away from the repository's packages, but with its files. The .pt2 file is not in git: any
    # network that classifies digits replaces it.
    output_dir = tmp_path / "output"
    output_dir.mkdir()
    for path in (ROOT / "output" / "published").glob("custom_cnn_model.*"):
        shutil.copy(path, output_dir)
    if name == "pytorch":
        _export_program(output_dir)

    assert _run([sys.executable, "-c", _snippet(name)], tmp_path).split("\n")[0] == "[1, 1]"


def _export_program(output_dir: Path) -> None:
    """Write a program under the name of the CNN's."""
    network = nearest_mean(mean_images(load_embedded().train))
    export_program(network, output_dir / "custom_cnn_model.pt2", METADATA)


@pytest.mark.parametrize(
    "name", ["pytorch", "onnxruntime", "javascript", "cpp", "aoti", "cpp-aoti"]
)
def test_a_snippet_is_about_ten_lines_and_needs_nothing_of_this_project(name: str) -> None:
    lines = _snippet(name).strip().splitlines()

    assert len([line for line in lines if line.strip()]) <= 10
    assert not any(word in _snippet(name) for word in ("mnist_lightning", "lightning import"))


def test_the_javascript_snippet_reads_a_one(tmp_path: Path) -> None:
    packages = _node_packages()
    if packages is None or not (packages / "onnxruntime-web").is_dir():
        pytest.skip("there is no onnxruntime-web for Node: npm install --global onnxruntime-web")
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "output").symlink_to(ROOT / "output" / "published")
    (tmp_path / "digit.mjs").write_text(_snippet("javascript"), encoding="utf-8")

    assert _run(["node", "digit.mjs"], tmp_path).strip() == "1"


def _node_packages() -> Path | None:
    """The folder of the packages that npm installed globally, or that NODE_PATH names."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    if os.environ.get("NODE_PATH"):
        return Path(os.environ["NODE_PATH"])
    command = [str(shutil.which("npm")), "root", "--global"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cpp", "cpp-aoti"])
def test_the_cpp_snippet_compiles_and_reads_two_ones(name: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to compile the C++ snippet with")
    if name == "cpp":
        (tmp_path / "output").symlink_to(ROOT / "output" / "published")
    else:
        (tmp_path / "output").mkdir()
        _export_program(tmp_path / "output")
        _run([sys.executable, "-c", _snippet("aoti")], tmp_path)
    (tmp_path / "digit.cpp").write_text(_snippet(name))

    printed = _run(["bash", "-ec", _snippet("cpp-build")], tmp_path)

    assert [word for word in printed.split() if word.isdigit()][:2] == ["1", "1"]
