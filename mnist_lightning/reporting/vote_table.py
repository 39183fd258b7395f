"""What five people and each model say about the test images whose labels are known to be wrong."""

from collections.abc import Sequence

from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.evaluation.label_errors import LabelError, known_label_errors
from mnist_lightning.reporting.tables import Table, table


def vote_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate people's votes and the models' predictions, a row for each image.

    Args:
        comparison: A comparison on the standard MNIST.
        names: What to call each model.

    Returns:
        Columns for the label, the other digit that people could choose, the votes for the label,
        for the other digit and for neither, then the digit that each model predicts.
    """
    return table(
        {
            "Test image": str(error.index),
            "Label": error.given,
            "Other": error.guessed,
            "For the label": error.votes.given,
            "For the other": error.votes.guessed,
            "For neither": error.votes.neither,
            **{
                name: _predicted(model, error)
                for name, model in zip(names, comparison.models, strict=True)
            },
        }
        for error in known_label_errors().errors
    )


def _predicted(model: ComparedModel, error: LabelError) -> int | None:
    if model.without_label_errors is None:
        return None
    wrong = {answer.index: answer.predicted for answer in model.without_label_errors.counted_wrong}
    return wrong.get(error.index, error.given)
