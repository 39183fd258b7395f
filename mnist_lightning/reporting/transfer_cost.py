"""The cost of each arm of the learning curves, next to its error rate with all labels."""

from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.learning_curve.arms import ARMS
from mnist_lightning.learning_curve.curve_schema import LearningCurve
from mnist_lightning.reporting.rendering import escape_markdown
from mnist_lightning.reporting.tables import Table, percent, table, three
from mnist_lightning.terminal.presets import model_name


def transfer_cost_table(curve: LearningCurve, comparison: Comparison | None) -> Table:
    """Tabulate error rate, labels, training and inference of each arm with all labels.

    Args:
        curve: The learning curves.
        comparison: Where the inference is from: the model that the arm's preset trains, because its
            cost does not depend on the weights. Without that model there is none.

    Returns:
        A row for each arm with the largest number of labels. The time is the median of one image
        per call on one CPU thread, the size that of the exported file.
    """
    models = {model.name: model for model in comparison.models} if comparison else {}
    most = max(point.size for point in curve.points)
    matches = {one.arm: one for one in curve.matches if one.size == most}
    rows = []
    for arm in ARMS:
        if point := curve.at(arm.name, most):
            match = matches.get(arm.name)
            rows.append(
                {
                    "Model": arm.title,
                    "Error rate, %": percent(point.mean),
                    "Labelled digits that the CNN needs": match.text if match else f"{most:,}",
                    "Training, s": three(point.seconds),
                    **_inference(models.get(model_name(arm.preset))),
                }
            )
    return table(rows)


def report(curve: LearningCurve, comparison: Comparison | None) -> str:
    """Format the table as Markdown, with a sentence that says where its times were measured."""
    most = max(point.size for point in curve.points)
    devices = sorted({name for one in curve.points if one.size == most for name in one.devices})
    where = (
        f"Training with all labels on {', '.join(map(escape_markdown, devices))}, the features of "
        "a frozen backbone included"
    )
    if comparison is not None:
        processor = escape_markdown(comparison.environment.processor)
        where += f"; one image per call on one thread of {processor}, all models in turn in one run"
    return f"{where}.\n\n{transfer_cost_table(curve, comparison).to_markdown()}"


def _inference(model: ComparedModel | None) -> dict[str, str | None]:
    if model is None:
        return dict.fromkeys(("Parameters", "File, MB", "Time per image, ms"))
    return {
        "Parameters": f"{model.cost.parameters.total:,}",
        "File, MB": three(model.model.bytes / 1e6),
        "Time per image, ms": three(model.point(1, 1).p50_ms),
    }
