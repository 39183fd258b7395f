"""Test accuracy of ensembles of five seeds, for all subsets of the trained seeds.

    python scripts/train.py --model cnn --seeds 0 1 2 3 4 5 6 7 8 9
    python -m benchmarks.ensemble [--model custom_cnn] [--size 5]

Nothing is trained or timed: the recorded predictions of the seeds are averaged, as the networks of
``scripts/ensemble.py`` average theirs. Ten seeds give 252 subsets of five. They overlap and are not
independent, so that their standard deviation underestimates the variation over other seeds. The
disjoint groups, in the order of the seeds, are independent; ten seeds give two.
"""

import argparse
import statistics
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness import print_machine, write_result
from mnist_lightning.comparison.members import SIZE, Member, choose_seeds, read_members
from mnist_lightning.errors import UserError
from mnist_lightning.records.artefacts import BASELINE
from mnist_lightning.terminal.parser import run_command
from mnist_lightning.terminal.presets import presets_by_model_name


def spread(accuracies: Sequence[float]) -> dict[str, Any]:
    """Summarise accuracies; the sample standard deviation is null for a single one."""
    several = len(accuracies) > 1
    return {
        "count": len(accuracies),
        "mean": statistics.mean(accuracies),
        "standard_deviation": statistics.stdev(accuracies) if several else None,
        "lowest": min(accuracies),
        "highest": max(accuracies),
    }


def subset_accuracies(
    probabilities: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    subsets: Sequence[tuple[int, ...]],
) -> list[float]:
    """Measure the accuracy of the mean probabilities of each subset of models.

    Args:
        probabilities: float32, ``(K, N, 10)``, of K models for the same N images.
        labels: int64, ``(N,)``, 0 to 9.
        subsets: Positions among the K, at least one in each subset.

    Returns:
        The accuracy of each subset, 0 to 1, in order.
    """
    # In double precision, so that a sum does not depend on the order of the models.
    exact = probabilities.astype(np.float64)
    return [
        float((exact[list(subset)].sum(axis=0).argmax(axis=1) == labels).mean())
        for subset in subsets
    ]


def measure(members: Sequence[Member], size: int) -> dict[str, Any]:
    """Measure single members, all subsets of ``size`` members, and disjoint groups."""
    probabilities = np.stack([member.predictions.test.probabilities for member in members])
    labels = members[0].predictions.test.labels
    places = range(len(members))
    groups = [tuple(places[at : at + size]) for at in range(0, len(members) - size + 1, size)]
    kinds = {
        "single": [(place,) for place in places],
        "subsets": list(combinations(places, size)),
        "disjoint": groups,
    }
    found = {
        kind: subset_accuracies(probabilities, labels, subsets) for kind, subsets in kinds.items()
    }
    result: dict[str, Any] = {kind: spread(accuracies) for kind, accuracies in found.items()}
    seeds = [member.seed for member in members]
    result["single"]["by_seed"] = dict(zip(map(str, seeds), found["single"], strict=True))
    result["disjoint"]["groups"] = [
        {"seeds": [seeds[place] for place in group], "accuracy": accuracy}
        for group, accuracy in zip(groups, found["disjoint"], strict=True)
    ]
    return result


def main() -> int:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--model", default=BASELINE)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--output_dir", type=Path, default=Path("output"))
    arguments = parser.parse_args()
    return run_command(lambda: run(arguments.output_dir, arguments.model, arguments.size))


def run(output_dir: Path, name: str, size: int) -> int:
    """Measure the recorded predictions of a model's seeds.

    Raises:
        UserError: There are fewer seeds than members of an ensemble, or their files are damaged.
    """
    preset = presets_by_model_name().get(name, "NAME")
    seeds = choose_seeds(output_dir, name, None, preset)
    if not 1 <= size <= len(seeds):
        raise UserError(f"--size must be from 1 to {len(seeds)}, the number of seeds, not {size}")
    members = read_members(output_dir, name, seeds, preset)
    result = measure(members, size)
    print_machine()
    print(
        f"\n{members[0].record.model.title}, seeds {', '.join(map(str, seeds))}: test accuracy, %"
    )
    for kind in ("single", "subsets", "disjoint"):
        found = result[kind]
        deviation = found["standard_deviation"]
        plus_minus = "" if deviation is None else f" ± {100 * deviation:.3f}"
        print(f"  {kind:<9} {found['count']:>4}   {100 * found['mean']:.3f}{plus_minus}")
    records = {str(one.seed): one.record.predictions.sha256 for one in members}
    test_images = members[0].record.test.n
    about = {"model": name, "size": size, "test_images": test_images, "predictions": records}
    write_result(f"ensemble_{name}", {**about, **result})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
