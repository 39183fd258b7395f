"""The answer in sentences, on cells whose errors are given."""

import json
from pathlib import Path

import pytest
from learning_curve_cells import curves

from mnist_lightning.errors import OutputError
from mnist_lightning.files.json_document import write_document
from mnist_lightning.learning_curve.curve_schema import CURVE_FILE, read_curve
from mnist_lightning.learning_curve.curve_statistics import analyse
from mnist_lightning.learning_curve.finding import answer

CNN = {100: [300, 310, 320], 1_000: [90, 92, 94], 10_000: [30, 31, 32]}
WORSE = {100: [900, 915, 930], 1_000: [200, 205, 207], 10_000: [60, 64, 62]}


def test_without_a_pretrained_arm_there_is_no_answer() -> None:
    assert answer(analyse(curves(cnn=CNN))) == ()
    assert answer(analyse(curves(cnn=CNN, resnet50_scratch=WORSE))) == ()
    assert answer(analyse(curves(resnet50=WORSE))) == ()


def test_three_sentences_with_numbers() -> None:
    long = {10_000: [40, 43, 42]}
    scratch = {size: [2 * errors for errors in found] for size, found in WORSE.items()}
    found = curves(cnn=CNN, resnet50_finetune=WORSE, resnet50_scratch=scratch, resnet50_long=long)

    all_labels, few, start = answer(analyse(found))

    assert all_labels == (
        "With 10,000 labelled digits, Custom CNN is wrong on 0.31 % of the 10,000 test images, "
        "against 0.62 % for the fine-tuned ResNet50 (clearly more); means of 3 trainings."
    )
    # 62 errors lie between those with 1,000 and 10,000 labels.
    assert few == (
        "With 100, Custom CNN is wrong on 3.1 %, the best pretrained network (the fine-tuned "
        "ResNet50) on 9.1 %; no pretrained network has fewer errors at any of the 3 numbers of "
        "labels; Custom CNN needs about 2,300 labels (interpolated) to match the fine-tuned "
        "ResNet50 with 10,000."
    )
    assert start == (
        "ResNet50 itself gains from pretraining: the fine-tuned ResNet50 is wrong on 9.1 % with "
        "100 labels and 0.62 % with 10,000, one trained from random weights on 18.3 % and 1.2 % "
        "(0.42 % with 1 times as many steps)."
    )


def test_a_start_that_helps_within_chance_is_not_said_to_help_clearly() -> None:
    # Better with all labels in two of three trainings.
    scratch = {100: [950, 940, 960], 10_000: [70, 60, 66]}

    *_, start = answer(analyse(curves(cnn=CNN, resnet50_finetune=WORSE, resnet50_scratch=scratch)))

    assert start.endswith(
        "one trained from random weights on 9.5 % and 0.65 % (no clear difference)."
    )


def test_a_pretrained_network_that_wins_is_said_to_win() -> None:
    better = {100: [100, 110, 105], 1_000: [80, 82, 81], 10_000: [40, 43, 42]}

    _, few = answer(analyse(curves(cnn=CNN, resnet50=WORSE, resnet50_finetune=better)))

    assert few.startswith(
        "With 100, Custom CNN is wrong on 3.1 %, the best pretrained network (the fine-tuned "
        "ResNet50) on 1.1 %; Custom CNN has more errors than the fine-tuned ResNet50 with 100 and "
        "1,000 labelled digits; "
    )


def test_without_augmentation_the_cnn_is_compared_with_frozen_features() -> None:
    plain = {100: [1400, 1417, 1420], 1_000: [210, 214, 219]}
    few = (
        "Augmentation explains part of the difference: without it, Custom CNN is wrong on 14.1 % "
        "with 100 labels (the frozen ResNet50 up to layer 3 on 9.1 %)"
    )

    some = answer(analyse(curves(cnn=CNN, cnn_undistorted=plain, resnet50_layer3=WORSE)))
    plain[10_000] = [35, 36, 37]
    every = answer(analyse(curves(cnn=CNN, cnn_undistorted=plain, resnet50_layer3=WORSE)))

    assert some[2] == f"{few}."
    assert every[2] == f"{few} and on 0.36 % with 10,000."


def test_one_training_and_a_difference_that_chance_explains() -> None:
    close = {100: [300, 330, 310], 1_000: [91, 90, 99], 10_000: [30, 31, 34]}
    clear, _ = answer(analyse(curves(cnn=CNN, resnet50=close)))
    alone, _ = answer(analyse(curves(cnn={100: [300]}, resnet50={100: [400]})))

    assert "no clear difference" in clear
    assert "; one training each." in alone


@pytest.mark.parametrize("part", ["points", "differences", "matches", "crossovers", "weights"])
def test_an_arm_that_this_version_lacks_is_refused_in_one_line(part: str, tmp_path: Path) -> None:
    path = tmp_path / CURVE_FILE
    write_document(analyse(curves(cnn=CNN, resnet50=WORSE)), path)
    text = json.loads(path.read_text())
    if part == "weights":
        text[part]["vit"] = "ImageNet"
    else:
        text[part][-1]["arm"] = "vit"
    path.write_text(json.dumps(text))

    with pytest.raises(OutputError, match="this version has no arm 'vit'; make it with"):
        read_curve(path)
