"""Scores by which a network gives no answer, computed from the ten logits of its exported file.

    python -m benchmarks.rejection_scores --choosing_fonts PATH... --reporting_fonts PATH...

The networks are those of `benchmarks.cross_validation`, each measured on the training images that
it has not seen; the test images are never read. Of a fold's 10,000 images, 2,500 fit the parameters
of a score, 2,500 its threshold, and the other 5,000 measure it. Some folds and one group of fonts
choose a score; other folds, fonts, letters, blots and grain report on it.
The logits are kept in `--logits`, so that other scores need no network.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.cross_validation import FOLDS, hold_out
from benchmarks.cross_validation_recipes import RECIPES
from benchmarks.harness import print_machine, print_table, write_result
from benchmarks.rejection_images import CORRUPTED, FITTED, Drawn, draw, held_out
from benchmarks.rejection_rules import SCORES, Array, Score, boosted
from mnist_lightning.cli import StudyCLI
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.terminal.presets import expand

GROUPS = ("choosing", "reporting")
#: Shares of the clean digits that are answered.
COVERAGES = (0.99, 0.995)
#: The only score that is fitted to images without a digit: those of the choosing group.
SHOWN_OUTLIERS = "boosted trees, shown other outliers"
_NO_DIGITS = ("letters", "blots", "grain")

Logits = dict[str, Array]


def kept_images(folder: Path, fonts: Sequence[Path], group: str) -> Drawn:
    """Return the drawn images of a group, and keep them for the next run."""
    path = folder / f"{group}.npz"
    if not path.is_file():
        drawn = draw(fonts, GROUPS.index(group))
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, labels=drawn.labels, **drawn.images)
    with np.load(path) as found:
        arrays = dict(found)
    return Drawn(arrays, arrays.pop("labels"))


def kept_logits(recipe: str, fold: int, drawn: dict[str, Drawn], options: Any) -> Logits:
    """Return the logits of a network by set of images, and keep them for the next run."""
    path = options.logits / f"{recipe}_{fold}.npz"
    if not path.is_file():
        argv = [*RECIPES[recipe].options, "--data.data_dir", str(options.data_dir)]
        argv += ["--data.source", "mnist", "--output_dir", str(options.logits)]
        cli = StudyCLI(expand(argv), command=argv)
        hold_out(cli.datamodule, fold)
        weights = options.networks / f"{recipe}_fold_{fold}_seed_0.pt"
        cli.model.network.load_state_dict(torch.load(weights, weights_only=True))
        data = cli.datamodule
        images = held_out(data.dataset.train, data.val_indices.numpy())
        for group, one in drawn.items():
            images |= {f"{group}_{name}": pixels for name, pixels in one.images.items()}
        network = cli.model.network.eval()
        logits = {
            name: predict_logits(network, torch.from_numpy(pixels).unsqueeze(1)).numpy()
            for name, pixels in images.items()
        }
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, labels=data.val.labels.numpy(), **logits)
    with np.load(path) as found:
        return dict(found)


def measure(score: Score, logits: Logits, labels: Array, group: str) -> dict[str, Any]:
    """Measure a score with one network.

    Args:
        score: The score.
        logits: Logits by set of images.
        labels: Of the drawn digits.
        group: Group of the drawn images.

    Returns:
        Areas under the ROC curve of digits against other images, and by share of answered clean
        digits the shares that are refused or wrong.
    """
    truth = logits["labels"]
    half = FITTED // 2
    rule = score(logits["clean"][:half], truth[:half])
    sure = {name: rule(each) for name, each in logits.items() if name != "labels"}
    clean = sure["clean"][FITTED:]
    wrong = _wrong(logits["clean"][FITTED:], truth[FITTED:])
    wrong_fonts = _wrong(logits[f"{group}_digits"], labels)
    corrupted_labels = truth[FITTED : FITTED + CORRUPTED]
    result: dict[str, Any] = {
        "auroc": {name: _auroc(clean, sure[f"{group}_{name}"]) for name in _NO_DIGITS}
    }
    for coverage in COVERAGES:
        threshold = np.quantile(sure["clean"][half:FITTED], 1 - coverage)
        corrupted = {
            name.removeprefix("c_"): _answered(
                sure[name] >= threshold, _wrong(each, corrupted_labels)
            )
            for name, each in logits.items()
            if name.startswith("c_")
        }
        result[f"{coverage:.3f}"] = {
            "clean": _answered(clean >= threshold, wrong),
            "refused": {
                name: float((sure[f"{group}_{name}"] < threshold).mean()) for name in _NO_DIGITS
            },
            "fonts": _answered(sure[f"{group}_digits"] >= threshold, wrong_fonts),
            "corrupted": corrupted,
        }
    return result


def _wrong(logits: Array, labels: Array) -> Array:
    return np.asarray(logits.argmax(axis=1) != labels)


def _auroc(digits: Array, others: Array) -> float:
    truth = np.repeat([1, 0], [len(digits), len(others)])
    return float(roc_auc_score(truth, np.concatenate([digits, others])))


def _answered(answered: Array, wrong: Array) -> dict[str, int]:
    return {
        "images": len(wrong),
        "answered": int(answered.sum()),
        "wrong": int(wrong[answered].sum()),
    }


def _measure_all(logits: Logits, labels: Array, group: str) -> dict[str, Any]:
    scores = dict(SCORES)
    if group == GROUPS[1]:
        outliers = [logits[f"{GROUPS[0]}_{name}"] for name in _NO_DIGITS]
        scores[SHOWN_OUTLIERS] = boosted(np.concatenate(outliers))
    return {name: measure(score, logits, labels, group) for name, score in scores.items()}


def mean_of(runs: Sequence[Any]) -> Any:
    """Average results over folds: counts are added, shares are averaged."""
    first = runs[0]
    if isinstance(first, dict):
        return {key: mean_of([run[key] for run in runs]) for key in first}
    return sum(runs) if isinstance(first, int) else round(float(np.mean(runs)), 4)


def _row(name: str, result: dict[str, Any], coverage: float) -> list[str]:
    found = result[f"{coverage:.3f}"]
    corrupted = found["corrupted"]
    shares = {key: _wrong_share(one) for key, one in corrupted.items() if one["answered"]}
    worst = sorted(shares, key=lambda key: -shares[key])[:3]
    images, wrong = (sum(one[key] for one in corrupted.values()) for key in ("images", "wrong"))
    clean, fonts = found["clean"], found["fonts"]
    return [
        name,
        f"{clean['answered'] / clean['images']:.1%}",
        f"{_wrong_share(clean):.2%}",
        *(f"{found['refused'][one]:.0%} ({result['auroc'][one]:.3f})" for one in _NO_DIGITS),
        f"{1 - _wrong_share(fonts):.1%} of {fonts['answered'] / fonts['images']:.0%}",
        f"{wrong / images:.2%}",
        f"{sum(share > 0.05 for share in shares.values())}",
        ", ".join(f"{key} {shares[key]:.0%}" for key in worst),
    ]


def _wrong_share(counts: dict[str, int]) -> float:
    return counts["wrong"] / counts["answered"] if counts["answered"] else 0.0


_HEADER = (
    *("score", "clean answered", "wrong among these"),
    *("letters refused (AUROC)", "blots", "grain", "fonts: right among answered"),
    *("corrupted: answered and wrong", "corruptions over 5 %", "wrong among answered"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all scores, print the tables and record them."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--networks", type=Path, default=Path("output/cross_validation"))
    parser.add_argument("--logits", type=Path, default=Path("output/rejection_scores"))
    parser.add_argument("--recipes", nargs="+", default=["light", "robust"], choices=RECIPES)
    for group, folds in zip(GROUPS, ([0, 1], [3, 4]), strict=True):
        parser.add_argument(f"--{group}_fonts", type=Path, nargs="+", required=True)
        choices = range(FOLDS)
        parser.add_argument(f"--{group}_folds", type=int, nargs="+", default=folds, choices=choices)
    options = parser.parse_args(argv)
    print_machine()
    options.logits.mkdir(parents=True, exist_ok=True)
    fonts = {group: getattr(options, f"{group}_fonts") for group in GROUPS}
    drawn = {group: kept_images(options.logits, fonts[group], group) for group in GROUPS}
    results: dict[str, Any] = {}
    for recipe in options.recipes:
        for group in GROUPS:
            folds = getattr(options, f"{group}_folds")
            logits = [kept_logits(recipe, fold, drawn, options) for fold in folds]
            found = mean_of([_measure_all(one, drawn[group].labels, group) for one in logits])
            results.setdefault(recipe, {})[group] = {"folds": folds, "scores": found}
            for coverage in COVERAGES:
                print(f"\n{RECIPES[recipe].title}, {group}, {coverage:.1%} of clean digits")
                print_table(_HEADER, (_row(*item, coverage) for item in found.items()))
    names = {group: [path.name for path in each] for group, each in fonts.items()}
    write_result("rejection_scores", {"fonts": names, "recipes": results})


if __name__ == "__main__":
    main()
