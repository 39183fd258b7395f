from dataclasses import replace

from comparison_inputs import golden_comparison

from mnist_lightning.evaluation.label_errors import LabelErrorAnswer
from mnist_lightning.reporting.vote_table import vote_table


def test_votes_and_predictions_stand_side_by_side() -> None:
    golden = golden_comparison()
    first, second = golden.models
    assert first.without_label_errors is not None
    assert second.without_label_errors is not None
    wrong = LabelErrorAnswer(index=947, given=8, predicted=9, agrees_with_people=True)
    models = (
        replace(first, without_label_errors=replace(first.without_label_errors, counted_wrong=())),
        replace(
            second,
            without_label_errors=replace(second.without_label_errors, counted_wrong=(wrong,)),
        ),
    )

    shown = vote_table(replace(golden, models=models), ["CNN", "ResNet50"]).shown

    assert len(shown) == 15
    assert list(shown.loc["947"]) == ["8", "9", "0", "5", "0", "8", "9"]
    # Nobody counted 1621 as an error: both models predict its label.
    assert list(shown.loc["1621"])[-2:] == ["0", "0"]
