"""Mistakes in the input of ``train``."""

from mistake import Mistake, cut, write

CNN = ["--model", "cnn"]
RESNET = ["--model", "resnet50", "--trainer.max_epochs", "1"]
MINE = [*CNN, "--config", "mine.yaml"]
ON_FILES = [*CNN, "--data.data_dir", "data", "--data.source", "mnist"]
IMAGES = "data/train-images-idx3-ubyte"
CUT = cut(IMAGES, 5_000)


def _option(option: str, value: str, *says: str) -> Mistake:
    return Mistake([*CNN, f"--{option}={value}"], says[0], says[-1])


def _config(text: str, culprit: str, remedy: str) -> Mistake:
    return Mistake(MINE, culprit, remedy, write("mine.yaml", text))


MODEL_OPTION = {
    "no model": Mistake([], "--model NAME is missing", "choose from cnn"),
    "unknown model": Mistake(["--model", "nope"], "there is no 'nope'", "choose from cnn"),
    "model without a name": Mistake(["--model"], "--model needs", "a NAME"),
    "a model by both names": Mistake(
        [*CNN, "--model", "custom_cnn"], "--model is given 2 times", "--model"
    ),
    "value for a flag": _option("quiet", "yes", "no option --quiet", "--help_all"),
    "two models": Mistake([*CNN, *CNN], "--model is given 2 times", "--model"),
}

OPTIONS = {
    "abbreviated option": _option(
        "trainer.max_epoch", "3", "--trainer.max_epoch;", "did you mean --trainer.max_epochs?"
    ),
    "misspelt option": _option(
        "data.batch_siez", "3", "--data.batch_siez;", "did you mean --data.batch_size?"
    ),
    "unknown model setting": _option("model.size", "1", "no option --model.size", "choose from"),
    "misspelt augmentation": _option(
        "data.augmentation.rotatio", "3", "rotatio", "did you mean --data.augmentation.rotation?"
    ),
    "option without dashes": Mistake([*CNN, "extra"], "'extra'", "options start with --"),
    "word for a number": _option(
        "trainer.max_epochs", "three", "--trainer.max_epochs", "expected int, not three"
    ),
    "fraction of an epoch": _option(
        "trainer.max_epochs", "1.5", "--trainer.max_epochs", "expected int, not 1.5"
    ),
    "no epochs": _option("trainer.max_epochs", "0", "--trainer.max_epochs", "must be 1 or more"),
    "negative epochs": _option(
        "trainer.max_epochs", "-2", "--trainer.max_epochs", "must be 1 or more"
    ),
    "empty batches": _option("data.batch_size", "0", "--data.batch_size", "must be 1 or more"),
    "batch size in words": _option(
        "data.batch_size", "big", "--data.batch_size", "expected int, not big"
    ),
    "no validation": _option("data.val_size", "0", "--data.val_size", "must be 10 or more"),
    "unknown source": _option("data.source", "cifar", "--data.source", "mnist, mnist5k, not cifar"),
    "seed in words": _option("seed_everything", "x", "--seed_everything", "expected int, not x"),
    "seed of the data": _option("data.seed", "1", "data.seed", 'given via "seed_everything"'),
    "widths in words": _option("model.widths", "[a]", "--model.widths", "expected int, not a"),
    "no channels": _option("model.widths", "[0]", "--model.widths", "must be 1 to 5 positive"),
    "negative rate": _option(
        "model.learning_rate", "-1", "--model.learning_rate", "must be above 0"
    ),
    "too much dropout": _option("model.dropout", "1", "--model.dropout", "must be at least 0"),
    "decay above one": _option("ema.decay", "2", "--ema.decay", "must be at least 0"),
    "negative rotation": _option(
        "data.augmentation.rotation", "-5", "--data.augmentation.rotation", "must be zero or more"
    ),
    "unknown precision": _option("trainer.precision", "7", "precision", "expected one of auto, 32"),
    "unknown accelerator": _option("trainer.accelerator", "abacus", "abacus", "accelerator"),
    "unknown strategy": _option("trainer.strategy", "magic", "magic", "strategy"),
    "no logger": _option(
        "trainer.logger", "false", "--trainer.logger", "--trainer.fast_dev_run true"
    ),
    "name with a folder": _option("name", "../x", "--name", "use letters"),
    "empty name": _option("name", "", "--name", "use letters"),
    "rate that is not a number": _option(
        "model.learning_rate", "nan", "--model.learning_rate", "expected float, not nan"
    ),
    "infinite rate": _option(
        "model.learning_rate", "inf", "--model.learning_rate", "expected float, not inf"
    ),
    "seed below zero": _option("seed_everything", "-1", "--seed_everything", "from 0 to"),
    "enormous seed": _option(
        "seed_everything", "99999999999", "--seed_everything", "from 0 to 4294967295"
    ),
    "no batches": _option("trainer.limit_train_batches", "0", "batches must be above 0"),
    "no validation batches": _option("trainer.limit_val_batches", "0", "batches must be above 0"),
    "no test batches": _option("trainer.limit_test_batches", "0.0", "batches must be above 0"),
    "batches in words": _option("trainer.limit_train_batches", "few", "limit_train", "not few"),
    "no steps": _option("trainer.max_steps", "0", "--trainer.max_steps", "must be above 0"),
    "steps without batches": _option("trainer.accumulate_grad_batches", "0", "must be above 0"),
    "validation every second epoch": _option(
        "trainer.check_val_every_n_epoch", "2", "check_val_every_n_epoch", "must be 1"
    ),
    "workers below zero": _option("data.num_workers", "-1", "--data.num_workers", "no option"),
}

CALLBACKS = "trainer.callbacks"


def _callback(name: str, arguments: str, *says: str) -> Mistake:
    argv = [f"--{CALLBACKS}+={name}"]
    argv += [f"--{CALLBACKS}.{argument}" for argument in arguments.split()]
    return Mistake([*CNN, "--trainer.accelerator", "cpu", *argv], says[0], says[-1])


TRAINER = {
    "validation within an epoch": _option("trainer.val_check_interval", "20", "must be 1.0"),
    "validation at half of an epoch": _option("trainer.val_check_interval", "0.5", "must be 1.0"),
    "steps without a sign": _option("trainer.accumulate_grad_batches", "-1", "must be above 0"),
    "batches below zero": _option("trainer.limit_train_batches", "-1", "must be above 0"),
    "two limits of steps": Mistake(
        [*CNN, "--trainer.max_steps", "5", "--trainer.min_epochs", "2"],
        "--trainer.min_epochs",
        "exclude each other",
    ),
    "weights in float64": _option("trainer.precision", "64-true", "--trainer.precision", "auto"),
    "weights in float16": _option("trainer.precision", "16-true", "--trainer.precision", "auto"),
    "weights in bfloat16": _option("trainer.precision", "bf16-true", "--trainer.precision", "auto"),
    "float16 on a CPU": Mistake(
        [*CNN, "--trainer.accelerator", "cpu", "--trainer.precision", "16-mixed"],
        "--trainer.precision 16-mixed",
        "use auto",
    ),
    "all devices of a CPU": Mistake(
        [*CNN, "--trainer.accelerator", "cpu", "--trainer.devices=-1"],
        "--trainer.devices",
        "a whole number above 0",
    ),
    "index of a CPU": Mistake(
        [*CNN, "--trainer.accelerator", "cpu", "--trainer.devices", "[0]"],
        "--trainer.devices",
        "a whole number above 0",
    ),
    "missing TPU": _option("trainer.accelerator", "tpu", "--trainer.accelerator", "use auto"),
    "no checkpoints": _option("trainer.enable_checkpointing", "false", "must be true"),
    "barebones": _option("trainer.barebones", "true", "--trainer.barebones", "must be false"),
    "folder of Lightning": _option("trainer.default_root_dir", "x", "use --output_dir"),
    "overfitting": _option("trainer.overfit_batches", "2", "use --trainer.limit_train_batches"),
    "time in words": _option("trainer.max_time", "long", "--trainer.max_time", "DD:HH:MM:SS"),
    "unknown profiler": _option("trainer.profiler", "x", "--trainer.profiler", "'simple'"),
    "unknown plugin": _option("trainer.plugins", "x", "--trainer.plugins", "no such class as 'x'"),
    "unknown way to clip": Mistake(
        [*CNN, "--trainer.gradient_clip_val", "1", "--trainer.gradient_clip_algorithm", "x"],
        "--trainer.gradient_clip_algorithm",
        "['value', 'norm']",
    ),
    "logger that is not installed": _option(
        "trainer.logger", "CometLogger", "--trainer.logger", "pip install"
    ),
    "logger without its folder": _option(
        "trainer.logger", "CSVLogger", "CSVLogger needs save_dir", "--trainer.logger.save_dir"
    ),
    "unknown logger": _option(
        "trainer.logger", "Nope", "--trainer.logger", "no such class as 'Nope'"
    ),
    "unknown metric": _callback(
        "EarlyStopping", "monitor=val_loss", "no metric 'val_loss'", "val/loss"
    ),
    "checkpoint by an unknown metric": _callback(
        "ModelCheckpoint", "monitor=val_loss", "no metric 'val_loss'", "val/loss"
    ),
    "callback without its argument": _callback(
        "EarlyStopping", "", "EarlyStopping needs monitor", "add --trainer.callbacks.monitor"
    ),
    "unknown callback": _callback("Nope", "", "--trainer.callbacks", "no such class as 'Nope'"),
    "callback of an unknown module": _callback("no.Nope", "", "no such class as 'no.Nope'"),
    "callback that is none": _callback("torch.nn.Linear", "", "no such class as 'torch.nn.Linear'"),
    "the same callback twice": Mistake(
        [*CNN, *2 * [f"--{CALLBACKS}+=EarlyStopping", f"--{CALLBACKS}.monitor=val/loss"]],
        "--trainer.callbacks",
        "omit one",
    ),
    "timer": _callback("Timer", "duration=abc", "Timer", "use --trainer.max_time"),
    "second progress bar": _callback("TQDMProgressBar", "", "TQDMProgressBar", "its own"),
    "rich progress bar": _callback("RichProgressBar", "", "RichProgressBar", "its own"),
    "second average": _callback(
        "StochasticWeightAveraging", "swa_lrs=0.1", "StochasticWeightAveraging", "--ema.decay"
    ),
    "search for a batch size": _callback(
        "BatchSizeFinder", "", "BatchSizeFinder", "--data.batch_size"
    ),
    "search for a learning rate": _callback(
        "LearningRateFinder", "", "LearningRateFinder", "--model.learning_rate"
    ),
    "checkpoint on an exception": _callback(
        "OnExceptionCheckpoint", "dirpath=.", "OnExceptionCheckpoint", "--ckpt_path last"
    ),
    "backbone of Lightning": _callback(
        "BackboneFinetuning", "", "BackboneFinetuning", "--model resnet50_finetune"
    ),
}

SEEDS = {
    "seeds in words": Mistake([*CNN, "--seeds", "a"], "--seeds", "needs different whole numbers"),
    "a seed twice": Mistake([*CNN, "--seeds", "1", "1"], "--seeds", "different whole numbers"),
    "seeds and a seed": Mistake(
        [*CNN, "--seeds", "1", "--seed_everything", "2"], "--seeds", "exclude each other"
    ),
    "seeds and a checkpoint": Mistake(
        [*CNN, "--seeds", "1", "--ckpt_path=last"], "--seeds", "exclude each other"
    ),
}

CONFIGURATIONS = {
    "missing configuration": _option("config", "no.yaml", "'no.yaml'", "there is no file"),
    "configuration that is a folder": _option("config", "empty", "empty", "file"),
    "unknown key": _config(
        "model:\n  init_args:\n    lrr: 3\n", "no option --model.lrr", "choose from"
    ),
    "unknown data key": _config("data:\n  batch: 3\n", "--data.batch", "no option"),
    "broken YAML": _config("trainer: [1\n", "mine.yaml", "is not YAML"),
    "foreign class": _config(
        "model:\n  class_path: os.system\n  init_args:\n    command: ls\n", "os.system", "--model"
    ),
    "list for a mapping": _config("- 1\n- 2\n", "mine.yaml", "does not hold settings"),
    "alias that expands": _config("a: &a [1]\nb: [*a, *a]\n", "alias *a", "write the value out"),
    "configuration nested too deeply": _config(
        "trainer: " + "[" * 3000 + "\n", "mine.yaml", "nested more than 30"
    ),
    "binary configuration": Mistake(
        MINE, "mine.yaml", "give a YAML file", write("mine.yaml", bytes(range(128, 256)))
    ),
}

FILES = {
    "resume without a run": _option("ckpt_path", "last", "no valid checkpoint in", "omit the"),
    "missing checkpoint": _option("ckpt_path", "no.ckpt", "no.ckpt", "there is no file"),
    "checkpoint that is text": Mistake(
        [*CNN, "--ckpt_path", "my.ckpt"], "my.ckpt", "is damaged", write("my.ckpt", "hello")
    ),
    "checkpoint that is an exported model": _option(
        "ckpt_path", "output/custom_cnn_model.pt", "custom_cnn_model.pt", "--ckpt_path"
    ),
    "whole set is missing": Mistake(
        [*CNN, "--data.source", "mnist", "--data.data_dir", "empty"],
        "The whole MNIST is not in empty",
        "into empty/MNIST/raw",
    ),
    "data folder that is a file": _option(
        "data.data_dir", "report.md", "report.md", "--data.data_dir"
    ),
    "truncated images": Mistake(ON_FILES, IMAGES, "copy an intact", CUT),
    "images of a web page": Mistake(ON_FILES, IMAGES, "copy an intact", write(IMAGES, "<html>")),
    "empty images": Mistake(ON_FILES, IMAGES, "an empty file", write(IMAGES, b"")),
    "damaged npz": Mistake(
        [*CNN, "--data.data_dir", "other"],
        "mnist.npz is damaged",
        "copy an intact",
        write("other/mnist.npz", b"PK\3\4 and no more"),
    ),
    "missing weights": Mistake(
        [*RESNET, "--model.weights", "no.pth"], "no.pth does not exist", "give a file"
    ),
    "weights that are a page": Mistake(
        [*RESNET, "--model.weights", "w.pth"],
        "w.pth is a web page",
        "download the file itself",
        write("w.pth", "<!DOCTYPE html>"),
    ),
    "damaged safetensors": Mistake(
        [*RESNET, "--model.weights", "w.safetensors"],
        "w.safetensors is truncated",
        "download it again",
        write("w.safetensors", b"\xff" * 64),
    ),
    "output folder that is a file": _option("output_dir", "report.md", "report.md", "folder"),
}

TRAIN = {**MODEL_OPTION, **OPTIONS, **TRAINER, **SEEDS, **CONFIGURATIONS, **FILES}
