"""What the repository holds: no weights of a ResNet50, no large files, nothing of this machine."""

import re
import subprocess
from pathlib import Path

import pytest

from mnist_lightning.comparison.published_set import NETWORK_FILES, contains_unpublished_weights
from mnist_lightning.records.record import read_record

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "output" / "published"
TEXT_SUFFIXES = {".py", ".md", ".ipynb", ".yaml", ".toml", ".json", ".html", ".js", ".css"}
MODEL_SUFFIXES = {".pt", ".pt2", ".onnx", ".safetensors", ".ckpt", ".pth"}


def _files() -> list[Path]:
    """The tracked files; outside of a checkout those of an unpacked source archive."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    parts = ("mnist_lightning", "tests", "benchmarks", "scripts", "configs", "output/published")
    return [path for part in parts for path in (ROOT / part).rglob("*") if path.is_file()]


def test_no_file_is_larger_than_a_megabyte() -> None:
    large = {path.name: path.stat().st_size for path in _files() if path.stat().st_size > 1_000_000}

    assert large == {}


def test_all_published_models_together_stay_small() -> None:
    models = [path for path in _files() if path.suffix in MODEL_SUFFIXES]

    assert {path.parent for path in models} == {PUBLISHED}
    assert sum(path.stat().st_size for path in models) <= 2_000_000


def test_no_weights_of_a_resnet50_are_published() -> None:
    names = {path.name for path in _files()}
    records = [read_record(path) for path in PUBLISHED.glob("*_metrics.json")]
    resnets = [record.model.name for record in records if contains_unpublished_weights(record)]

    assert resnets, "the study has ResNets"
    assert [
        f"{name}{end}" for name in resnets for end in NETWORK_FILES if f"{name}{end}" in names
    ] == []
    # Whatever its name: a ResNet50 has 23.5 million weights.
    assert not [path for path in _files() if path.stat().st_size > 20_000_000]


def test_nothing_outside_of_the_published_folder_is_tracked_in_output() -> None:
    output = ROOT / "output"
    inside = [path for path in _files() if output in path.parents]

    assert [path for path in inside if PUBLISHED not in path.parents] == []


@pytest.mark.parametrize(
    "pattern", [r"/(?:home|root|work|tmp/pytest)[/-]\w", r"\b(?:TODO|FIXME)\b"]
)
def test_no_file_has_a_path_of_a_machine_or_is_unfinished(pattern: str) -> None:
    found = {}
    for path in _files():
        if path.suffix in TEXT_SUFFIXES:
            if path == Path(__file__):
                continue
            match = re.search(pattern, path.read_text(encoding="utf-8"))
            if match:
                found[path.relative_to(ROOT).as_posix()] = match[0]

    assert found == {}


def test_names_are_different_files_on_every_system() -> None:
    """Windows and macOS ignore the case, and Windows forbids some characters and names."""
    names = [path.relative_to(ROOT).as_posix() for path in _files()]
    reserved = re.compile(
        r"(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)|[<>:\"\\\\|?*]|[. ](/|$)", re.I
    )

    assert len({name.lower() for name in names}) == len(names)
    assert [name for name in names if reserved.search(name)] == []
