"""The tables of `benchmarks.cross_validation`: paired differences, and the choice of epochs."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.cross_validation_recipes import RECIPES
from benchmarks.harness import print_table

#: The results by recipe, then by (fold, seed).
Runs = dict[str, dict[tuple[int, int], dict[str, Any]]]
HELD_OUT = 10_000
REFERENCE = "contrast"
#: How many validation images the study's own split has.
VALIDATION = 5000


def read_runs(folder: Path) -> Runs:
    """Read all results, in the order of the recipes."""
    runs: Runs = {name: {} for name in RECIPES}
    for path in sorted(folder.glob("*_fold_*_seed_*.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        if run["recipe"] in runs:
            runs[run["recipe"]][run["fold"], run["seed"]] = run
    return {name: found for name, found in runs.items() if found}


def print_tables(folder: Path) -> None:
    """Print what is known of each recipe, and what choosing the epoch costs."""
    runs = read_runs(folder)
    rows = [[RECIPES[name].title, *_row(runs, name)] for name in runs]
    header = ["recipe", "trainings", "accuracy", "minus reference, points", "p", "corrupted"]
    print_table([*header, "worst corruption", "seconds"], rows)
    rows = [[RECIPES[name].title, *_choice(list(found.values()))] for name, found in runs.items()]
    print_table(["recipe", "chosen epoch", "last epoch", "last minus chosen, points"], rows)


def _row(runs: Runs, name: str) -> list[str]:
    found = runs[name]
    errors = np.array([len(run["wrong"]) for run in found.values()])
    means: dict[str, list[float]] = defaultdict(list)
    for run in found.values():
        for corruption, rate in run["corrupted_error"].items():
            means[corruption].append(rate)
    rates = {corruption: float(np.mean(values)) for corruption, values in means.items()}
    worst = max(rates, key=lambda corruption: rates[corruption])
    return [
        f"{len(found)}",
        f"{1 - errors.mean() / HELD_OUT:.3%}",
        *_difference(found, runs.get(REFERENCE, {})),
        f"{np.mean(list(rates.values())):.1%}",
        f"{worst} {rates[worst]:.0%}",
        f"{np.median([run['seconds'] for run in found.values()]):.0f}",
    ]


def _difference(
    found: dict[tuple[int, int], dict[str, Any]], reference: dict[tuple[int, int], dict[str, Any]]
) -> list[str]:
    """Return the paired difference of accuracy with its 95 % interval, and McNemar's p."""
    both = found.keys() & reference.keys()
    only = [0, 0]
    for key in both:
        mine, other = set(found[key]["wrong"]), set(reference[key]["wrong"])
        only[0] += len(mine - other)
        only[1] += len(other - mine)
    if not sum(only):
        return ["", ""]
    n = HELD_OUT * len(both)
    difference = (only[1] - only[0]) / n
    error = np.sqrt(sum(only) / n - difference**2) / np.sqrt(n)
    interval = f"{100 * difference:+.3f} ± {100 * 1.96 * error:.3f}"
    # McNemar's exact test.
    return [interval, f"{binomtest(only[0], sum(only)).pvalue:.2g}"]


def _choice(found: list[dict[str, Any]]) -> list[str]:
    """Compare the epoch that one half of the held-out images chooses with the last, on the other.

    Returns:
        The accuracy of the chosen epoch, of the last one, and the difference with a 95 % interval
        over the halves.
    """
    chosen, last = [], []
    for run in found:
        half = np.arange(HELD_OUT) < VALIDATION
        wrong = np.zeros((len(run["wrong_by_epoch"]), HELD_OUT), dtype=bool)
        for epoch, images in enumerate(run["wrong_by_epoch"]):
            wrong[epoch, images] = True
        for part in (half, ~half):
            # The first of the best, as a checkpoint is only replaced by a better one.
            best = int(wrong[:, part].sum(axis=1).argmin())
            chosen.append(wrong[best, ~part].mean())
            last.append(wrong[-1, ~part].mean())
    gain = 100 * (np.array(chosen) - np.array(last))
    interval = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
    return [
        f"{1 - np.mean(chosen):.3%}",
        f"{1 - np.mean(last):.3%}",
        f"{gain.mean():+.3f} ± {interval:.3f}",
    ]
