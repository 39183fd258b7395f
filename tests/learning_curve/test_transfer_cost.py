"""The table of what transfer costs, on cells whose errors are given."""

from comparison_inputs import golden_comparison
from learning_curve_cells import curves

from mnist_lightning.learning_curve.curve_statistics import analyse
from mnist_lightning.reporting.transfer_cost import report, transfer_cost_table


def test_each_arm_with_all_labels_has_a_row() -> None:
    cells = curves(
        cnn={100: [400], 1000: [100]},
        resnet50={100: [900], 1000: [400]},
        resnet50_random={100: [9]},
    )
    comparison = golden_comparison()
    rows = transfer_cost_table(analyse(cells), comparison).shown

    assert list(rows.index) == ["Custom CNN", "ResNet50, frozen"]
    assert rows.loc["Custom CNN", "Labelled digits that the CNN needs"] == "1,000"
    # It makes 400 errors with 100 digits, as ResNet50 does with 1,000.
    assert rows.loc["ResNet50, frozen", "Labelled digits that the CNN needs"] == "100 or fewer"
    assert list(rows["Error rate, %"]) == ["1.00", "4.00"]
    # The inference is that of the model that the arm's preset trains.
    resnet = next(model for model in comparison.models if model.name == "resnet50")
    assert rows.loc["ResNet50, frozen", "Parameters"] == f"{resnet.cost.parameters.total:,}"


def test_without_a_comparison_there_is_no_cost_of_inference() -> None:
    text = report(analyse(curves(cnn={100: [400]})), None)

    assert text.endswith("| Custom CNN | 4.00 | 100 | 2.00 | n/a | n/a | n/a |")
    assert "one thread" not in text
