"""The tour: a notebook that runs from top to bottom, on few epochs, and is committed clean."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"
#: Every option is checked and one batch is trained, in a second instead of ten.
TRY_OPTIONS_ONLY = """
SETTINGS += ["--trainer.fast_dev_run", "true"]
"""
#: Their results are not looked at: two processes for the memory, and two times four seconds.
SHORT_MEASUREMENTS = """
from mnist_lightning.evaluation import cost, latency
cost.measure_peak_memory = lambda path, images: None
latency.BUDGET_SECONDS = 0.05
"""


def read_tour() -> NotebookNode:
    return nbformat.read(TOUR, as_version=4)


def parameters(notebook: NotebookNode) -> int:
    """The place of the cell with the settings that a reader changes."""
    (place,) = [
        place
        for place, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    return place


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[NotebookNode, Path]:
    """The notebook after it ran with one epoch, with the code of its hints at the end."""
    folder = tmp_path_factory.mktemp("tour")
    notebook = read_tour()
    hints = re.findall(r"```python\n(.*?)```", _text(notebook, "markdown"), flags=re.DOTALL)
    assert len(hints) == 3
    notebook.cells += [new_code_cell(code) for code in (TRY_OPTIONS_ONLY, *hints)]
    # After the reader's own values, as papermill does it.
    small = f"EPOCHS, DATA, OUTPUT = 1, Path({str(folder / 'none')!r}), Path({str(folder)!r})"
    notebook.cells.insert(parameters(notebook) + 1, new_code_cell(small + SHORT_MEASUREMENTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        # Nobody's own start-up files, and no files in anybody's home.
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        patch.delenv("MPLBACKEND", raising=False)
        # tqdm.auto, which Lightning imports, misses ipywidgets.
        patch.setenv("PYTHONWARNINGS", "ignore:IProgress not found")
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    return notebook, folder


def _text(notebook: NotebookNode, kind: str) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def _outputs(notebook: NotebookNode, identity: str) -> list[NotebookNode]:
    (cell,) = [cell for cell in notebook.cells if cell.id == identity]
    outputs: list[NotebookNode] = cell.outputs
    return outputs


def _printed(notebook: NotebookNode, identity: str) -> str:
    return "".join(one.get("text", "") for one in _outputs(notebook, identity))


def _shown(notebook: NotebookNode, identity: str, kind: str = "text/plain") -> str:
    (output,) = [one for one in _outputs(notebook, identity) if "data" in one]
    return str(output.data.get(kind, ""))


@pytest.mark.slow  # two trainings and a comparison
def test_the_tour_runs_and_shows_what_it_announces(
    executed: tuple[NotebookNode, Path],
) -> None:
    notebook, _ = executed

    for identity in ("train-fast", "train-cnn"):
        printed = _printed(notebook, identity)
        assert "3,500 training, 500 validation, 1,000 test images" in printed
        accuracy = re.search(r"Test accuracy, % +([\d.]+)", printed)
        assert accuracy is not None
        assert float(accuracy[1]) > 70
    for identity in ("curves", "mistakes", "draw", "seen", "comparison", "reliability"):
        assert len(_shown(notebook, identity, "image/png")) > 2_000, identity
    assert "read as" in _shown(notebook, "confusions")
    answer = re.search(r"drawn.png .*?(\d|\?) .*%", _printed(notebook, "read"))
    assert answer is not None
    assert "exact McNemar test" in _printed(notebook, "compare")
    assert "model_comparison.html" in _shown(notebook, "page", "text/html")
    table = _shown(notebook, "calibration")
    assert re.findall(r"^custom_cnn\w*", table, flags=re.MULTILINE) == [
        "custom_cnn_fast",
        "custom_cnn",
    ]
    # Smoothed labels: both networks were less sure than right, as the text says.
    temperatures = [float(row.split()[-1]) for row in table.splitlines()[1:]]
    assert max(temperatures) < 1


@pytest.mark.slow
def test_the_code_of_the_hints_runs(executed: tuple[NotebookNode, Path]) -> None:
    notebook, folder = executed
    labels, reader, silence = notebook.cells[-3:]

    assert "fast_dev_run: finished without errors" in str(labels.outputs)
    assert "array([[" in str(reader.outputs)
    assert re.search(r"\d % answered|\d% answered", str(silence.outputs))
    assert not list(folder.glob("few*"))


@pytest.mark.slow
def test_no_cell_of_the_tour_warns(executed: tuple[NotebookNode, Path]) -> None:
    notebook, _ = executed
    complaints = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr" and re.search("warning|error", output.text, re.IGNORECASE)
    ]

    assert complaints == []


def test_the_tour_writes_below_an_ignored_folder() -> None:
    notebook = read_tour()
    place = parameters(notebook)

    assert 'OUTPUT = Path("../output/tour")' in notebook.cells[place].source
    paths = re.findall(r"\.\./[\w/]+", _text(notebook, "code"))
    assert set(paths) == {"../data", "../output/tour"}


def test_the_tour_is_committed_without_outputs() -> None:
    notebook = read_tour()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []
    # Editors add the names of their own kernels, and times of execution.
    assert notebook.metadata.kernelspec.name == "python3"
    assert {key for cell in notebook.cells for key in cell.metadata} == {"tags"}
    assert TOUR.stat().st_size < 100_000
    text = _text(notebook, "code") + _text(notebook, "markdown")
    assert not re.search(r"/(home|root|tmp|Users)/|\b[A-Z]:\\", text)
