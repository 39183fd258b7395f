import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path

import pytest

from mnist_lightning.records.environment import describe_environment, source_revision


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with one commit, independent of the user's git settings."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for path in ("package/__init__.py", "README.md", "output/metrics.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("first\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "One")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_clean_checkout_gives_its_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert source_revision(checkout / "package") == (commit, False)


def test_changed_source_is_dirty(checkout: Path) -> None:
    (checkout / "README.md").write_text("second\n")
    assert source_revision(checkout / "package")[1] is True


def test_untracked_files_and_results_do_not_count_as_changes(checkout: Path) -> None:
    (checkout / "package" / "notes.txt").write_text("mine\n")
    (checkout / "output" / "metrics.json").write_text("second\n")
    assert source_revision(checkout / "package")[1] is False


def test_package_that_git_does_not_track_has_no_commit(checkout: Path) -> None:
    installed = checkout / "venv" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert source_revision(installed) == (None, None)


def test_folder_outside_a_checkout_has_no_commit(tmp_path: Path) -> None:
    assert source_revision(tmp_path) == (None, None)


def test_missing_git_gives_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert source_revision(checkout / "package") == (None, None)


def test_description_names_versions_and_the_time_in_utc() -> None:
    environment = describe_environment()
    age = datetime.now(timezone.utc) - datetime.fromisoformat(environment.created)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert environment.python == platform.python_version()
    assert environment.versions["torch"] == version("torch")
    assert environment.logical_cores >= 1
    assert environment.processor


def test_description_names_no_path_of_this_machine() -> None:
    text = json.dumps(asdict(describe_environment()))
    assert str(Path(__file__).parents[2]) not in text
    assert sys.prefix not in text
