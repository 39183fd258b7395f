import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import GOLDEN_RECORD, golden_comparison

from mnist_lightning.commands.report import DOCUMENTS, main, read_evidence
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.record import Record, read_record
from mnist_lightning.reporting.report_blocks import Evidence, report_blocks

ROOT = Path(__file__).parents[2]
NAMES = list(report_blocks(Evidence((), None, read_evidence(Path("nowhere")).seeds)))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Two records and their comparison."""
    folder = tmp_path / "output"
    golden = read_record(GOLDEN_RECORD)
    comparison = golden_comparison()
    models = []
    for model in comparison.models:
        record: Record = replace(
            golden,
            model=replace(golden.model, name=model.name, title=model.title, preset=model.preset),
            test=model.test,
        )
        path = folder / f"{model.name}_metrics.json"
        record.write(path)
        models.append(replace(model, record=describe_file(path)))
    replace(comparison, models=tuple(models)).write(folder / "model_comparison.json")
    return folder


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A document with every generated block."""
    path = tmp_path / "report.md"
    parts = [f"## {name}\n<!-- generated:{name} -->\n<!-- end -->\n" for name in NAMES]
    path.write_text("# Report\n\n" + "\n".join(parts), encoding="utf-8")
    return path


def run(document: Path, output: Path, *argv: str) -> int:
    return main([str(document), "--output_dir", str(output), *argv])


def test_report_is_filled_and_then_up_to_date(
    document: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(document, output) == 0
    assert "updated" in capsys.readouterr().out
    text = document.read_text(encoding="utf-8")
    for number in ("99.06", "95.97", "−3.09 | −3.45 to −2.73", "4.63", "99,06"):
        assert number in text
    assert run(document, output, "--check") == 0
    assert capsys.readouterr().out == f"{document}: up to date\n"


def test_check_names_the_stale_blocks_and_writes_nothing(
    document: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(document, output)
    stale = document.read_text(encoding="utf-8").replace("99.06", "99.99", 1)
    document.write_text(stale, encoding="utf-8")
    capsys.readouterr()
    assert run(document, output, "--check") == 1
    captured = capsys.readouterr()
    assert re.fullmatch(rf"{document}: stale: (results|label-errors|conclusion)\n", captured.out)
    assert "scripts/report.py" in captured.err
    assert document.read_text(encoding="utf-8") == stale


def test_without_records_every_block_names_the_command_to_run(
    document: Path, tmp_path: Path
) -> None:
    assert run(document, tmp_path / "nothing") == 0
    text = document.read_text(encoding="utf-8")
    bodies = re.findall(r"<!-- generated:[\w-]+ -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    assert len(bodies) == len(NAMES)
    assert all("python scripts/" in body for body in bodies)
    assert not re.search(r"\d\.\d", text)


def test_one_record_fills_what_it_can(document: Path, output: Path) -> None:
    (output / "resnet50_metrics.json").unlink()
    (output / "model_comparison.json").unlink()
    assert run(document, output) == 0
    text = document.read_text(encoding="utf-8")
    assert "| 99.06 |" in text
    assert "`python scripts/compare.py` makes it" in text
    assert "Trained with one seed only: Custom CNN." in text


def test_comparison_of_other_records_is_refused(
    document: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = read_record(output / "resnet50_metrics.json")
    replace(record, trainer_test={}).write(output / "resnet50_metrics.json")
    assert run(document, output) == 2
    error = capsys.readouterr().err
    assert "made with another resnet50_metrics.json" in error
    assert "compare.py" in error


def test_seeds_are_reported_with_their_spread(document: Path, output: Path) -> None:
    record = read_record(output / "custom_cnn_metrics.json")
    for seed, accuracy in enumerate((0.99, 0.98, 0.97)):
        replace(
            record,
            training=replace(record.training, seed=seed),
            test=replace(record.test, accuracy=accuracy),
        ).write(output / "seeds" / "custom_cnn" / f"seed_{seed}_metrics.json")
    assert run(document, output) == 0
    text = document.read_text(encoding="utf-8")
    assert "| Custom CNN | 0, 1, 2 | 98.00 ± 1.00 % |" in text
    assert "Trained with one seed only: ResNet50 (random initialisation)." in text


def test_damaged_record_unknown_block_and_missing_document_are_refused(
    document: Path, output: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(tmp_path / "none.md", output) == 2
    assert "none.md" in capsys.readouterr().err
    document.write_text("<!-- generated:magic -->\n<!-- end -->\n", encoding="utf-8")
    assert run(document, output) == 2
    assert "no generated block 'magic'" in capsys.readouterr().err
    (output / "resnet50_metrics.json").write_text("{")
    assert run(document, output) == 2
    assert "resnet50_metrics.json is not a JSON file" in capsys.readouterr().err
    assert main(["--chekc"]) == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --chekc; see --help\n"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_the_project_can_be_filled(name: str, output: Path, tmp_path: Path) -> None:
    copy = tmp_path / name
    copy.write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert run(copy, output) == 0
    assert "There is no" not in copy.read_text(encoding="utf-8")


def test_prose_of_the_report_states_no_result() -> None:
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        prose = re.sub(r"<!-- generated:.*?<!-- end -->", "", text, flags=re.DOTALL)
        assert not re.findall(r"\d\s?%|%\s?\d", prose.replace("95 %", "").replace("%95", ""))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mnist_lightning.commands.report import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
