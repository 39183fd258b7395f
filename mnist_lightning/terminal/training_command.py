"""The command line before anything heavy is imported: presets, help, version."""

import shlex
import sys
from itertools import pairwise
from pathlib import Path

from mnist_lightning.errors import UserError
from mnist_lightning.terminal.presets import config_folder, description, preset_names

_HELP = """\
usage: {program} --model NAME [options]

Train one model of the study, test it once, export it and measure the exported file.

models:
{presets}

options:
  --config FILE               more settings in YAML; they override those of the model
  --output_dir DIR            where the results are written (default: output)
  --ckpt_path last|FILE       resume: the newest checkpoint of this model, or this one
  --seed_everything N         seed of weights, order and distortions (default: 0)
  --seeds N N ...             train once with each of these seeds, see <output_dir>/seeds
  --data.data_dir DIR         where MNIST lies or is downloaded to (default: data)
  --data.source NAME          auto, mnist (the whole set or an error), mnist5k (installed)
  --data.batch_size N         images in a batch (default: 128)
  --trainer.max_epochs N      length of the training
  --trainer.accelerator NAME  auto, cpu, gpu (default: auto)
  --trainer.precision NAME    auto, 32-true, bf16-mixed, ... (default: auto)
  --trainer.fast_dev_run true try everything on one batch, without writing a file
  --model.KEY VALUE           a setting of the model, e.g. --model.learning_rate 0.005
  --print_config              show every setting and its value, and stop
  --help_all                  explain every setting, and stop
  --version                   show the version, and stop

The command line overrides --config, which overrides the model's settings in
{folder}
"""


def wants(args: list[str], *options: str) -> bool:
    """Return whether one of the options is given."""
    return any(option in args for option in options)


def help_text() -> str:
    """Return the short help: the models and the options most used."""
    width = max(map(len, preset_names()))
    presets = "\n".join(f"  {name:<{width}}  {description(name)}" for name in preset_names())
    return _HELP.format(program=_program(), presets=presets, folder=config_folder())


def take_seeds(args: list[str]) -> tuple[list[int], list[str]]:
    """Split the numbers after ``--seeds`` from the rest of the command line.

    Returns:
        The seeds, empty where none are given, and the remaining words.

    Raises:
        UserError: They are not whole numbers, one is given twice, or options contradict them.
    """
    if "--seeds" not in args:
        return [], args
    start = args.index("--seeds")
    stop = start + 1
    while stop < len(args) and not args[stop].startswith("--"):
        stop += 1
    words, rest = args[start + 1 : stop], args[:start] + args[stop:]
    if not words or not all(word.isdecimal() for word in words) or len({*words}) < len(words):
        raise UserError(
            f"--seeds needs different whole numbers, as in --seeds 0 1 2, not '{' '.join(words)}'"
        )
    for option in ("--seed_everything", "--ckpt_path"):
        if any(word == option or word.startswith(f"{option}=") for word in rest):
            raise UserError(f"--seeds and {option} exclude each other; leave {option} out")
    return [int(word) for word in words], rest


def preset_of(args: list[str]) -> str | None:
    """Return the NAME of ``--model NAME``, or None where there is none."""
    for word, following in pairwise([*args, ""]):
        if word == "--model":
            return following
        if word.startswith("--model="):
            return word.partition("=")[2]
    return None


def resume_command(args: list[str]) -> str:
    """Return the command line that continues an interrupted run."""
    if "--seeds" in args:
        return f"{_program()} {shlex.join(args)}"
    kept: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--ckpt_path":
            next(words, None)
        elif not word.startswith("--ckpt_path="):
            kept.append(word)
    return f"{_program()} {shlex.join([*kept, '--ckpt_path', 'last'])}"


def _program() -> str:
    name = Path(sys.argv[0]).name
    return name if name == "mnist-lightning-train" else "python scripts/train.py"
