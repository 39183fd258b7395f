"""The names of the files that a training writes."""

from pathlib import Path

#: The models of the study, in the order in which tables show them; all others follow by name.
BASELINE = "custom_cnn"
SECOND = "resnet50"
MODEL_SUFFIX = "_model"
#: The files that a comparison needs of each model. The record comes last: it is written last.
COMPLETE = ("_model.pt", "_predictions.npz", "_metrics.json")


def table_order(name: str) -> tuple[bool, bool, str]:
    """Return the key that sorts models' names as tables show them, the baseline first."""
    return name != BASELINE, name != SECOND, name


def find_models(output_dir: Path) -> list[Path]:
    """Return the TorchScript files in a folder: the custom CNN, then what is derived from it."""
    found = output_dir.glob(f"*{MODEL_SUFFIX}.pt")
    return sorted(found, key=_custom_cnn_first)


def _custom_cnn_first(path: Path) -> tuple[bool, bool, str]:
    name = path.stem.removesuffix(MODEL_SUFFIX)
    return name != BASELINE, not name.startswith(BASELINE), name
