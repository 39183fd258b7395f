"""Records of earlier schema versions, converted to version 3."""

from typing import Any


def upgrade_record(document: dict[str, Any]) -> None:
    """Convert a record of version 1 or 2, in place; any other document is left as it is.

    Version 2 has exports that are not calibrated, version 1 has no file of weights either.

    Args:
        document: The JSON object of the file.
    """
    version, model = document.get("schema_version"), document.get("model")
    # In Python, but not in JSON, true equals 1.
    if type(version) is not int or version not in (1, 2):
        return
    document["schema_version"] = 3
    if isinstance(model, dict):
        model["temperature"] = None
        model["weights_origin"] = None
        if version == 1:
            model["weights_file"] = None
    upgrade_training(document.get("training"), version)


def upgrade_training(training: object, version: int) -> None:
    """Convert the training of a record of version 1 or 2, in place.

    Version 1 has no number of threads. In both, the epoch with the best validation accuracy was
    exported; its loss and accuracy are kept if it was the last one.

    Args:
        training: The training; anything but an object is left as it is.
        version: The schema version.
    """
    if not isinstance(training, dict):
        return
    if version == 1:
        training["threads"] = None
    was_last = training.pop("best_epoch", None) == training.get("epochs")
    for key in ("train_loss", "train_accuracy"):
        value = training.pop(f"best_{key}", None)
        training[key] = value if was_last else None
