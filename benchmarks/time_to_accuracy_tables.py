"""The tables of `benchmarks.time_to_accuracy`."""

import math
from collections.abc import Mapping
from statistics import mean, median, stdev
from typing import Any

from benchmarks.harness import median_ratio, print_table
from benchmarks.recipes import RECIPES, REFERENCE, Runs

THRESHOLDS = (0.990, 0.992, 0.994, 0.995)
CLOCKS = {"training_seconds": "training alone", "process_seconds": "whole process"}
MISSING = "missing: install with pip install -e .[peers]"

Summaries = Mapping[str, Mapping[str, Any]]


def seconds_to(run: dict[str, Any], threshold: float, clock: str) -> float:
    """Return the time of the first epoch that reaches a test accuracy, infinite if none does."""
    for lap, accuracy in zip(run["laps"], run["test_accuracy"], strict=True):
        if accuracy >= threshold:
            return float(lap[clock])
    return math.inf


def summarise(runs: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Summarise the trainings of one recipe.

    Returns:
        The values of the tables. ``to`` contains for each clock and threshold the median seconds
        over the seeds, None if most seeds did not reach it, and the number of seeds that did.
    """
    delivered = [run["test_accuracy"][run["selected_epoch"] - 1] for run in runs.values()]
    some = next(iter(runs.values()))
    summary: dict[str, Any] = {
        "seeds": sorted(runs),
        "parameters": some["parameters"],
        "precision": some["precision"],
        "epochs": len(some["laps"]),
        "accuracy_mean": mean(delivered),
        "accuracy_sd": stdev(delivered) if len(delivered) > 1 else None,
        "to": {},
    }
    for clock in CLOCKS:
        summary[clock] = median(run["laps"][-1][clock] for run in runs.values())
        summary["to"][clock] = {}
        for threshold in THRESHOLDS:
            times = [seconds_to(run, threshold, clock) for run in runs.values()]
            middle = median(times)
            summary["to"][clock][f"{threshold:.3f}"] = {
                "seconds": None if math.isinf(middle) else middle,
                "reached": sum(map(math.isfinite, times)),
            }
    return summary


def ratio_to_reference(runs: Runs, name: str) -> float | None:
    """Return the median ratio of the training time to that of the reference, over common seeds."""
    common = sorted(runs[name].keys() & runs.get(REFERENCE, {}).keys())
    if not common:
        return None
    mine, reference = (
        [runs[one][seed]["laps"][-1]["training_seconds"] for seed in common]
        for one in (name, REFERENCE)
    )
    return median_ratio(mine, reference)


def print_trainings(summaries: Summaries) -> None:
    """Print the time and the accuracy of whole trainings."""
    rows = []
    for name, one in summaries.items():
        ratio, sd = one["times_one_epoch"], one["accuracy_sd"]
        spread = "" if sd is None else f" ± {100 * sd:.2f}"
        rows.append(
            [
                RECIPES[name].title,
                f"{one['parameters']:,}",
                one["precision"],
                f"{one['epochs']}",
                f"{one['training_seconds']:.1f}",
                "" if ratio is None else f"{ratio:.2f}",
                f"{one['process_seconds']:.1f}",
                f"{one['accuracy_mean']:.2%}{spread}",
                f"{len(one['seeds'])}",
            ]
        )
    print_table(
        [
            "recipe",
            "parameters",
            "precision",
            "epochs",
            "training, s",
            "× one-epoch recipe",
            "whole process, s",
            "test accuracy, mean ± sd",
            "seeds",
        ],
        [*rows, *([RECIPES[name].title, *[""] * 7, MISSING] for name in missing(summaries))],
    )


def print_times(summaries: Summaries, clock: str) -> None:
    """Print the time to each accuracy on one clock."""
    header = [f"{CLOCKS[clock]}, s to", *(f"{threshold:.1%}" for threshold in THRESHOLDS)]
    rows = []
    for name, one in summaries.items():
        cells = []
        for found in one["to"][clock].values():
            seconds = "–" if found["seconds"] is None else f"{found['seconds']:.1f}"
            cells.append(f"{seconds} ({found['reached']} of {len(one['seeds'])})")
        rows.append([RECIPES[name].title, *cells])
    absent = ([RECIPES[name].title, MISSING, *[""] * 3] for name in missing(summaries))
    print_table(header, [*rows, *absent])


def print_advantage(summaries: Summaries) -> None:
    """Print the time of the other recipes to each accuracy, as a multiple of our fastest."""
    clock = "training_seconds"
    times = {
        name: [found["seconds"] or math.inf for found in one["to"][clock].values()]
        for name, one in summaries.items()
    }
    ours = [times[name] for name in times if RECIPES[name].is_ours]
    if not ours:
        return
    best = [min(column) for column in zip(*ours, strict=True)]
    rows = [
        [RECIPES[name].title, *(_times(b, a) for a, b in zip(best, column, strict=True))]
        for name, column in times.items()
        if not RECIPES[name].is_ours
    ]
    header = ["times as long as the faster of ours", *(f"{one:.1%}" for one in THRESHOLDS)]
    print_table(header, rows)


def _times(theirs: float, ours: float) -> str:
    if math.isinf(ours):
        return "ours: –"
    return "–" if math.isinf(theirs) else f"{theirs / ours:.1f}"


def missing(summaries: Summaries) -> list[str]:
    """Return the recipes without results whose package is not installed."""
    return [name for name, one in RECIPES.items() if one.is_missing and name not in summaries]
