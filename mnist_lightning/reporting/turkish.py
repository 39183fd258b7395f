"""The generated blocks of the Turkish README."""

from dataclasses import replace

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.learning_curve.curve_schema import LearningCurve
from mnist_lightning.reporting.comparison_tables import overview
from mnist_lightning.reporting.tables import Table, percent, table
from mnist_lightning.robustness.error_rates import Robustness

_COLUMNS = {
    "Test accuracy, %": "Test doğruluğu (%)",
    "Time per image, ms": "Görüntü başına süre (ms)",
    "Parameters": "Parametre sayısı",
    "Corruption error, %": "Bozulmuş görüntülerde hata (%)",
}
_ARMS = {
    "cnn": "Custom CNN",
    "cnn_undistorted": "Custom CNN, veri artırma olmadan",
    "resnet50_finetune": "ResNet50, ince ayarlı",
    "resnet50_layer3": "ResNet50, layer3'e kadar, dondurulmuş",
    "resnet50": "ResNet50, dondurulmuş",
    "resnet50_scratch": "ResNet50, sıfırdan eğitilmiş",
}
#: The decimal comma, and points between thousands.
_NUMBERS = str.maketrans(",.", ".,")


def results(comparison: Comparison, titles: list[str], robustness: Robustness | None) -> str:
    """Tabulate the compared models."""
    found = overview(comparison, titles, robustness)
    columns = [name for name in _COLUMNS if name in found.values]
    return _markdown(found.apply(lambda one: one[columns]), _COLUMNS)


def answer(curve: LearningCurve) -> str:
    """Tabulate the mean error rates in percent, with few labelled digits to all of them."""
    sizes = sorted({point.size for point in curve.points})
    rows = (
        {
            "Hata oranı (%)": title,
            **{f"{n:,}": (point := curve.at(arm, n)) and percent(point.mean) for n in sizes},
        }
        for arm, title in _ARMS.items()
        if arm in curve.arms
    )
    return _markdown(table(rows), {f"{n:,}": f"{n:,}".translate(_NUMBERS) for n in sizes})


def _markdown(found: Table, headers: dict[str, str]) -> str:
    shown = found.shown.map(lambda text: text.translate(_NUMBERS))
    return replace(found, shown=shown).apply(lambda one: one.rename(columns=headers)).to_markdown()
