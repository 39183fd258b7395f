"""Help text and argument handling of ``train.py`` that do not need torch."""

import shlex
import sys
from itertools import pairwise
from pathlib import Path

from mnist_lightning.errors import UserError
from mnist_lightning.terminal.presets import (
    config_folder,
    description,
    preset_name,
    preset_names,
    take_option,
)

_HELP = """\
usage: {program} --model NAME [options]

Train one model of the study, test it once, export it and measure the exported file.

models (the name of the files, e.g. custom_cnn, means the same as that of the preset):
{presets}

options:
  --config FILE               YAML file whose settings override those of the model
  --output_dir DIR            folder for the results (default: output)
  --ckpt_path last|FILE       resume from the newest checkpoint of this model, or from FILE
  --seed_everything N         seed of weights, image order and augmentation (default: 0)
  --seeds N N ...             train once with each seed, into <output_dir>/seeds
  --data.data_dir DIR         folder with MNIST; downloads go there too (default: data)
  --data.source NAME          auto, mnist (fail without the whole set), mnist5k (installed)
  --data.batch_size N         images per batch (default: 128)
  --trainer.max_epochs N      number of epochs
  --trainer.accelerator NAME  auto, cpu, gpu (default: auto)
  --trainer.precision NAME    auto, 32-true, bf16-mixed, ... (default: auto)
  --trainer.fast_dev_run true run all steps on one batch, without writing files
  --model.KEY VALUE           a setting of the model, e.g. --model.learning_rate 0.005
  --quiet                     print errors and the final summary only
  --print_config              print all settings and exit
  --help_all                  explain all settings and exit
  --version                   print the version and exit

The command line overrides --config, which overrides the model's settings in
{folder}
"""


def help_text() -> str:
    """Return the short help: the models and the most used options."""
    width = max(map(len, preset_names()))
    presets = "\n".join(f"  {name:<{width}}  {description(name)}" for name in preset_names())
    return _HELP.format(program=_program(), presets=presets, folder=config_folder())


def take_seeds(args: list[str]) -> tuple[list[int], list[str]]:
    """Split ``--seeds N N ...`` from the rest of the command line.

    Returns:
        The seeds, empty without ``--seeds``, and the remaining arguments.

    Raises:
        UserError: A seed is not a whole number or is repeated, or another option contradicts them.
    """
    if "--seeds" not in args:
        return [], args
    start = args.index("--seeds")
    stop = start + 1
    while stop < len(args) and not args[stop].startswith("--"):
        stop += 1
    seeds, rest = args[start + 1 : stop], args[:start] + args[stop:]
    if not seeds or not all(seed.isdecimal() for seed in seeds) or len({*seeds}) < len(seeds):
        raise UserError(
            f"--seeds needs different whole numbers, as in --seeds 0 1 2, not '{' '.join(seeds)}'"
        )
    for option in ("--seed_everything", "--ckpt_path"):
        if any(argument.partition("=")[0] == option for argument in rest):
            raise UserError(f"--seeds and {option} exclude each other; omit {option}")
    return [int(seed) for seed in seeds], rest


def take_quiet(args: list[str]) -> tuple[bool, list[str]]:
    """Split ``--quiet`` from the rest of the command line."""
    return "--quiet" in args, [argument for argument in args if argument != "--quiet"]


def preset_of(args: list[str]) -> str | None:
    """Return the preset of ``--model NAME`` or ``--model=NAME``, or None without it."""
    names, _ = take_option(args, "--model")
    return preset_name(names[0]) if names else None


def with_preset_names(args: list[str]) -> list[str]:
    """Replace the model's name after ``--model`` by its preset.

    Records then contain the same command for both names, and a seed that was trained under one of
    them is complete under the other.
    """
    replaced = []
    for before, argument in pairwise(["", *args]):
        option, equals, value = argument.partition("=")
        if before == "--model":
            argument = preset_name(argument)
        elif option == "--model" and equals:
            argument = f"--model={preset_name(value)}"
        replaced.append(argument)
    return replaced


def resume_command(args: list[str]) -> str:
    """Return the command line that continues an interrupted run."""
    if "--seeds" in args:
        return f"{_program()} {shlex.join(args)}"
    _, kept = take_option(args, "--ckpt_path")
    return f"{_program()} {shlex.join([*kept, '--ckpt_path', 'last'])}"


def _program() -> str:
    name = Path(sys.argv[0]).name
    return name if name == "mnist-lightning-train" else "python scripts/train.py"
