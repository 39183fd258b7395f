"""Mistakes in the use of ``ensemble``; seeds that differ otherwise are in its own tests."""

from mistake import Mistake, cut, delete, write

SEEDS = "output/seeds/custom_cnn"
TRAIN = "train.py --model cnn --seeds 0 1"

ENSEMBLE = {
    "a seed twice": Mistake(["--seeds", "1", "1"], "--seeds", "two or more different seeds"),
    "one seed": Mistake(["--seeds", "1"], "--seeds", "two or more different seeds"),
    "seeds without a value": Mistake(["--seeds"], "--seeds", "see --help"),
    "seeds that are text": Mistake(["--seeds", "all"], "--seeds", "see --help"),
    "negative seed": Mistake(["--seeds", "-1", "0"], "--seeds", "see --help"),
    "a path for a name": Mistake(["--model", "../custom_cnn"], "'../custom_cnn'", "a name such as"),
    "stray word": Mistake(["stray"], "stray", "see --help"),
    "abbreviated option": Mistake(["--seed", "1"], "--seed", "see --help"),
    "model without seeds": Mistake(
        ["--model", "resnet50"], "output/seeds/resnet50", "--model resnet50 --seeds 0 1 2 3 4"
    ),
    "missing folder": Mistake(["--output_dir", "none"], "none/seeds", f"{TRAIN} 2 3 4"),
    "seed that was not trained": Mistake(["--seeds", "0", "7"], "seed_7_model", "--seeds 0 7"),
    "seed whose file is missing": Mistake(
        ["--seeds", "0", "1"],
        "seed_1_model.safetensors",
        f"run `python scripts/{TRAIN}`",
        delete(f"{SEEDS}/seed_1_model.safetensors"),
    ),
    "one complete seed": Mistake(
        [],
        "fewer than two complete seeds in output/seeds/custom_cnn",
        f"run `python scripts/{TRAIN} 2 3 4`",
        delete(f"{SEEDS}/seed_1_predictions.npz"),
    ),
    "truncated weights": Mistake(
        [],
        "seed_1_model.safetensors",
        f"run `python scripts/{TRAIN}",
        cut(f"{SEEDS}/seed_1_model.safetensors", 999),
    ),
    "truncated predictions": Mistake(
        [],
        "seed_0_predictions.npz",
        f"run `python scripts/{TRAIN}",
        cut(f"{SEEDS}/seed_0_predictions.npz", 99),
    ),
    "damaged record": Mistake(
        [], "seed_1_metrics.json", "make it with", write(f"{SEEDS}/seed_1_metrics.json", "{")
    ),
    "images elsewhere": Mistake(["--data_dir", "empty"], "empty", "--data_dir"),
}
