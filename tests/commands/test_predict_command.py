"""``scripts/predict.py``, called in this process with the committed model."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparison_inputs import write_model
from drawn_pages import as_image, draw_page
from PIL import Image
from sklearn.datasets import load_digits

from mnist_lightning.commands.predict import main

MODEL = Path(__file__).parents[2] / "output" / "published" / "custom_cnn_model.pt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page of ten digits, a blank page, and a file that is not an image."""
    as_image(draw_page(["01234", "56789"])).save(tmp_path / "a_sheet.png")
    Image.new("L", (200, 200), 255).save(tmp_path / "blank.png")
    (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
    return tmp_path


def _predict(*arguments: str | Path) -> int:
    return main([*map(str, arguments), "--file", str(MODEL)])


def test_bad_files_are_named_and_the_others_are_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict("--json", folder, folder / "gone.png") == 1

    out, err = capsys.readouterr()
    result = json.loads(out)
    digits = [digit["answers"][0]["digit"] for digit in result["digits"]]
    assert digits == list(range(10))
    assert [Path(file).name for file in result["failed"]] == ["blank.png", "notes.txt", "gone.png"]
    assert "blank.png: no digit was found" in err
    assert len(err.splitlines()) == 3


def test_the_table_fits_a_terminal_and_agrees_with_the_csv(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = folder / "a_sheet.png"
    assert _predict(sheet) == 0
    table = capsys.readouterr().out
    assert _predict(sheet, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    assert max(map(len, table.splitlines())) <= 100
    assert len(rows) == 10
    assert table.splitlines()[-1].startswith(
        f"custom_cnn: {sum(r['answered'] == '1' for r in rows)}"
    )


def test_show_draws_the_input_of_the_model(folder: Path) -> None:
    assert _predict(folder / "a_sheet.png", "--show", folder / "seen.png") == 0

    with Image.open(folder / "seen.png") as shown:
        assert len(np.unique(np.asarray(shown.convert("L")))) > 10


def test_a_calibrated_file_alone_answers_every_digit(
    folder: Path, tiny_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(folder / "made", tiny_data_dir, "custom_cnn", 2.5)
    alone = shutil.copy(folder / "made" / "custom_cnn_model.pt", folder / "mine.pt")

    assert main(["--file", str(alone), str(folder / "a_sheet.png")]) == 0

    err = capsys.readouterr().err
    assert "mine.pt has no record and validation predictions next to it: every digit gets" in err
    assert "not calibrated" not in err


def test_two_models_are_shown_side_by_side(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder / "other.pt"
    other.write_bytes(MODEL.read_bytes())

    sheet = str(folder / "a_sheet.png")
    assert main(["--file", str(MODEL), "--file", str(other), sheet]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines()[0].split()[-2:] == ["custom_cnn", "other"]
    assert "every digit gets an answer" in err


@pytest.fixture
def published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an own ``mine`` and a published custom CNN."""
    target = folder / "output" / "published"
    target.mkdir(parents=True)
    for end in ("model.pt", "metrics.json", "predictions.npz"):
        shutil.copy(MODEL.with_name(f"custom_cnn_{end}"), target)
    shutil.copy(MODEL, target.parent / "mine_model.pt")
    monkeypatch.chdir(folder)
    return target


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["cnn", "custom_cnn"])
def test_the_preset_and_the_name_of_the_files_mean_the_same_model(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # The picture after the name is not swallowed, and options may stand between pictures.
    assert main(["--model", name, "a_sheet.png", "--model", "mine", "a_sheet.png"]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines()[0].split()[-2:] == ["custom_cnn", "mine"]
    assert "published results are used, from output/published: custom_cnn\n" in err
    assert "hint" not in err


def test_an_own_model_is_preferred_to_a_published_one(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(published / "custom_cnn_model.pt", published.parent)

    assert main(["a_sheet.png", "--model", "cnn"]) == 0
    assert "published" not in capsys.readouterr().err


def test_the_robust_model_reads_unless_another_is_asked_for(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published.parent / "mine_model.pt").unlink()
    shutil.copy(published / "custom_cnn_model.pt", published / "custom_cnn_robust_model.pt")

    assert main(["a_sheet.png"]) == 0
    assert "published: custom_cnn_robust\n" in capsys.readouterr().err


@pytest.mark.usefixtures("published")
def test_a_path_for_a_name_still_works_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "output/mine_model.pt", "a_sheet.png"]) == 0

    first = capsys.readouterr().err.splitlines()[0]
    assert first == "hint: --model takes a name; for a file, use --file output/mine_model.pt"


def test_a_dataset_folder_is_read_with_its_labels(
    tiny_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(tiny_data_dir, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 100
    assert {row["label"] for row in rows} == set("0123456789")

    assert _predict(tiny_data_dir / "t10k-images-idx3-ubyte", "--csv") == 0
    bare = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["confidence"] for row in bare] == [row["confidence"] for row in rows]


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys\nfrom mnist_lightning.commands.predict import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'PIL'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_reading_imports_nothing_that_only_training_or_other_formats_need(folder: Path) -> None:
    code = (
        "import sys\nfrom mnist_lightning.commands.predict import main\n"
        f"assert main(['--file', {str(MODEL)!r}, 'a_sheet.png']) == 0\n"
        "assert 'torch' in sys.modules\n"
        "heavy = {'captum', 'jsonargparse', 'lightning', 'matplotlib', 'mlxtend', 'onnx',"
        " 'onnxruntime', 'onnxscript', 'seaborn', 'sklearn', 'starlette', 'tensorboard',"
        " 'torchmetrics', 'torchvision', 'uvicorn'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_digits_in_folders_by_label_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bunch = load_digits()
    for number, (image, label) in enumerate(
        zip(bunch.images[:100], bunch.target[:100], strict=True)
    ):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        pixels = np.round(image * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / str(label) / f"{number}.png")

    assert _predict(tmp_path) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    accuracy = re.search(r"\(accuracy ([\d.]+) %\)$", last)
    assert accuracy is not None
    assert float(accuracy[1]) >= 93


def test_a_label_is_printed_for_the_labelled_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "3").mkdir()
    as_image(draw_page(["3"])).save(tmp_path / "3" / "a.png")
    as_image(draw_page(["4"])).save(tmp_path / "b.png")

    assert _predict(tmp_path) == 0

    assert "of the 1 labelled right; 1 right" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["$\\frac{1$.png", "a$b$c.png", "手写.png", "a\nb.png"])
def test_any_file_name_is_drawn_as_it_is(name: str, tmp_path: Path) -> None:
    as_image(draw_page(["3"])).save(tmp_path / name)

    assert _predict(tmp_path / name, "--show", tmp_path / "seen.png") == 0
    assert (tmp_path / "seen.png").is_file()
