"""The figure of `benchmarks.transfer_pilot`: validation error of frozen and of trained networks."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from mnist_lightning.reporting.style import (
    LIGHT_GREY,
    SMALL_SIZE,
    Look,
    label_axes,
    look,
    new_figure,
)

_STARTS = {"finetune": "ImageNet", "scratch": "random"}
_LAYERS = {"layer2": "layer 2", "layer3": "layer 3", "layer4": "layer 4"}


def plot_pilot(results: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Plot the error rates on the validation images, with a panel for each way of training.

    Args:
        results: The content of the result files by name, ``frozen_SIZE`` and
            ``START_SIZE_RATE``; others are left out.

    Returns:
        The figure.
    """
    figure = new_figure(13, 6, "Settings of ResNet50 on the 5,000 validation images")
    frozen, whole = figure.subplots(1, 2, sharey=True)
    _draw_frozen(frozen, results)
    _draw_whole(whole, results)
    for axes in (frozen, whole):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{error:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(color=LIGHT_GREY)
        axes.legend(fontsize=SMALL_SIZE)
    label_axes(frozen, "Frozen: a linear layer on features", "side in pixels", "errors, %")
    label_axes(whole, "The whole network: start, pixels, learning rate", "epoch", "")
    return figure


def _draw_frozen(axes: Axes, results: Mapping[str, Mapping[str, Any]]) -> None:
    sizes = sorted(int(name.split("_")[1]) for name in results if name.startswith("frozen_"))
    for place, (layer, label) in enumerate(_LAYERS.items()):
        errors = []
        for size in sizes:
            accuracy = results[f"frozen_{size}"]["accuracy"]
            best = max(value for key, value in accuracy.items() if key.startswith(layer))
            errors.append(100 * (1 - best))
        _line(axes, sizes, errors, look(place), f"after {label}")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_whole(axes: Axes, results: Mapping[str, Mapping[str, Any]]) -> None:
    runs = [name for name in results if name.split("_")[0] in _STARTS]
    for place, name in enumerate(sorted(runs, key=_order)):
        start, size, rate = name.split("_")
        errors = [100 * (1 - value) for value in results[name]["accuracy"]]
        label = f"{_STARTS[start]}, {size}, {rate}"
        _line(axes, list(range(1, len(errors) + 1)), errors, look(place), label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _order(name: str) -> tuple[str, int, float]:
    start, size, rate = name.split("_")
    return start, int(size), float(rate)


def _line(axes: Axes, x: list[int], errors: list[float], looks: Look, label: str) -> None:
    axes.plot(x, errors, label=label, **looks.lines)
