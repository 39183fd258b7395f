from dataclasses import dataclass

import pytest

from mnist_lightning.comparison.titles import in_sentence, short_titles


@dataclass(frozen=True)
class Model:
    name: str
    title: str


def shortened(*titles: str) -> list[str]:
    models = [Model(f"model_{place}", title) for place, title in enumerate(titles)]
    return list(short_titles(models).values())


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Custom CNN", "Custom CNN"),
        ("ResNet50, random initialisation", "ResNet50 (random initialisation)"),
        ("ResNet50 (frozen, random)", "ResNet50 (frozen, random)"),
        ("ResNet50 (frozen, V1 (72 % top-1))", "ResNet50 (frozen, V1)"),
    ],
)
def test_title_in_a_sentence_has_no_comma_and_no_nested_brackets(title: str, expected: str) -> None:
    assert in_sentence(title) == expected


def test_titles_are_cut_after_the_first_part_in_brackets() -> None:
    assert shortened(
        "Custom CNN, ensemble of 5",
        "ResNet50 (frozen, ImageNet V1 (72 % top-1))",
        "ResNet50 (frozen after layer3, ImageNet V1 (72 % top-1))",
        "ResNet50 at 64 px",
    ) == [
        "Custom CNN (ensemble of 5)",
        "ResNet50 (frozen)",
        "ResNet50 (frozen after layer3)",
        "ResNet50 at 64 px",
    ]


def test_titles_that_differ_in_what_would_be_cut_stay_as_they_are() -> None:
    titles = ["ResNet50 (frozen, V1)", "ResNet50 (frozen, V2)"]
    assert shortened(*titles) == titles


def test_models_of_the_same_title_are_told_apart_by_their_names() -> None:
    assert shortened("Twin", "Twin") == ["Twin (model_0)", "Twin (model_1)"]
