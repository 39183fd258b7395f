"""Time to train to 99.0, 99.2, 99.4 and 99.5 % test accuracy: our recipes and those of others.

    python -m benchmarks.time_to_accuracy [--recipes cnn_fast one_epoch] [--seeds 0 1 2]

Every training is a new process and writes a file to `results/time_to_accuracy/`. A training whose
file exists is not repeated, so that an interrupted benchmark continues where it stopped; delete the
files of a recipe that has changed. The recipes alternate, seed by seed, so that a busy neighbour
slows down all of them. The tables and the plot show all existing files. `benchmarks/README.md`
defines the clocks.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import print_machine, write_figure, write_result
from benchmarks.recipes import RECIPES, read_runs, train
from benchmarks.time_to_accuracy_figure import plot_accuracy
from benchmarks.time_to_accuracy_tables import (
    CLOCKS,
    MISSING,
    THRESHOLDS,
    print_advantage,
    print_times,
    print_trainings,
    ratio_to_reference,
    summarise,
)


def main(argv: Sequence[str] | None = None) -> None:
    """Train what has not been trained yet, print the tables and draw the plot."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args(argv)
    print_machine()
    for seed in arguments.seeds:
        for name in arguments.recipes:
            if not RECIPES[name].is_missing:
                train(name, seed, arguments.data_dir)
    runs = read_runs()
    if not runs:
        raise SystemExit(f"nothing to show: {MISSING}")
    summaries = {
        name: {**summarise(by_seed), "times_one_epoch": ratio_to_reference(runs, name)}
        for name, by_seed in runs.items()
    }
    print_trainings(summaries)
    for clock in CLOCKS:
        print_times(summaries, clock)
    print_advantage(summaries)
    write_result("time_to_accuracy", {"recipes": summaries})
    by_title = {RECIPES[name].title: list(by_seed.values()) for name, by_seed in runs.items()}
    write_figure("time_to_accuracy", plot_accuracy(by_title, CLOCKS, THRESHOLDS))


if __name__ == "__main__":
    main()
