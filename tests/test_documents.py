"""The documents: links that lead somewhere, files that exist, and a README of readable length."""

import re
from pathlib import Path

import pytest
import yaml

from mnist_lightning import __version__
from mnist_lightning.learning_curve.arms import ARMS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [
        *(*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.ipynb")),
        ROOT / "benchmarks" / "README.md",
    ]
)
MOST_WORDS = 1300


def _anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(path: Path) -> list[tuple[Path, str]]:
    """The files and anchors that a document links to in the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    found = []
    for target in targets:
        name, _, anchor = target.partition("#")
        if "://" not in target:
            found.append((path.parent / name if name else path, anchor))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_links_of_a_document_lead_somewhere(path: Path) -> None:
    wrong = []
    for target, anchor in _links(path):
        missing = not target.exists()
        if missing or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            wrong.append(f"{target.resolve().relative_to(ROOT)}#{anchor}")

    assert wrong == []


def test_every_page_in_docs_is_linked_from_the_readme() -> None:
    linked = {target.resolve() for target, _ in _links(ROOT / "README.md")}

    pages = {path for path in DOCUMENTS if path.parent == ROOT / "docs"}
    assert pages - linked == set()


@pytest.mark.parametrize("name", ["README.md", "README.tr.md"])
def test_the_readme_is_short(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert len(text.split()) <= MOST_WORDS


def test_citation_and_changelog_have_the_present_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert citation["version"] == __version__
    assert f"\n## {__version__} - {citation['date-released']}\n" in changelog


def test_the_workflow_tests_every_supported_python() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    tested = yaml.safe_load(workflow)["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tested == re.findall(r"Python :: (3\.\d+)", classifiers)


def test_every_preset_is_described() -> None:
    text = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    presets = {path.stem for path in (ROOT / "configs").glob("*.yaml")} - {"base"}

    assert {name for name in presets if f"| `{name}` |" not in text} == set()


def test_every_arm_of_the_learning_curve_is_described() -> None:
    text = (ROOT / "docs" / "learning_curves.md").read_text(encoding="utf-8")

    assert [arm.name for arm in ARMS if f"| `{arm.name}` |" not in text] == []
