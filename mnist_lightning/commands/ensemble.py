"""``python scripts/ensemble.py``: average the exported models of several seeds into one file."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from mnist_lightning.records.artefacts import BASELINE
from mnist_lightning.terminal.parser import CommandParser, require_name, run_command
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    from mnist_lightning.comparison.members import Member
    from mnist_lightning.records.record import NetworkDescription, Trained, Training

T = TypeVar("T")
EXAMPLES = """\
  python scripts/train.py --model cnn --seeds 0 1 2 3 4
  python scripts/ensemble.py
  python scripts/ensemble.py --model custom_cnn --seeds 0 1 2
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 after an error that the user can fix, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parser().parse_args(words), words))


def _run(arguments: Namespace, words: list[str]) -> int:
    require_name("--model", arguments.model)
    presets = presets_by_model_name()
    # What train.py calls the model is taken as well as the prefix of the files.
    names = {preset: name for name, preset in presets.items()}
    name = names.get(arguments.model, arguments.model)
    output_dir, preset = arguments.output_dir, presets.get(name, "NAME")

    from mnist_lightning import results
    from mnist_lightning.comparison import members as ensemble
    from mnist_lightning.comparison.loaded_models import load_test_images
    from mnist_lightning.data.digits import HeldOutDigits
    from mnist_lightning.files.storage import check_writable, one_writer
    from mnist_lightning.models import Ensemble
    from mnist_lightning.records.environment import describe_environment
    from mnist_lightning.records.record import ENSEMBLE_SUFFIX
    from mnist_lightning.reporting.summary import summary
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging()
    seeds = ensemble.choose_seeds(output_dir, name, arguments.seeds, preset)
    if arguments.seeds is None:
        # The first, not the best: choosing by accuracy would select on the test images.
        seeds = seeds[: ensemble.SIZE]
    environment = describe_environment()
    members = ensemble.read_members(output_dir, name, seeds, preset)
    first = members[0].record
    dataset = load_test_images(first, arguments.data_dir or first.data_dir)
    networks = ensemble.load_networks(members, dataset.test.images)
    weights = sum(member.record.model.file.bytes for member in members)
    check_writable(output_dir, bytes_needed=2 * weights + 20_000_000)
    # All members were validated on the same images.
    validation, indices = ensemble.validation_images(members, dataset)
    digits = HeldOutDigits(dataset.test, validation, indices)
    trained = _describe(members, " ".join(["python scripts/ensemble.py", *words]))
    with one_writer(output_dir, f"{name}{ENSEMBLE_SUFFIX}"):
        written = results.write(
            Ensemble(networks), trained, digits, environment, output_dir, formats=[]
        )
    print(summary(written.record, written.files, "python scripts/compare.py"))
    return 0


def _describe(members: Sequence[Member], command: str) -> Trained:
    from mnist_lightning.records.record import Trained

    return Trained(
        network=_describe_model(members),
        dataset=members[0].record.dataset,
        training=_describe_training(members),
        trainer_test={},
        command=command,
    )


def _describe_model(members: Sequence[Member]) -> NetworkDescription:
    from mnist_lightning.evaluation.cost import Parameters
    from mnist_lightning.models import Ensemble
    from mnist_lightning.records.record import ENSEMBLE_SUFFIX, NetworkDescription

    described = [member.record.model for member in members]
    one = described[0]
    return NetworkDescription(
        name=f"{one.name}{ENSEMBLE_SUFFIX}",
        preset=one.preset,
        title=f"{one.title}, ensemble of {len(members)}",
        class_path=f"{Ensemble.__module__}.{Ensemble.__qualname__}",
        # As JSON has them, see records.record.Members.
        hyperparameters={
            "class_path": one.class_path,
            "hyperparameters": one.hyperparameters,
            "seeds": [member.seed for member in members],
            "files": [model.file.sha256 for model in described],
        },
        weights=one.weights,
        parameters=Parameters(
            total=sum(model.parameters.total for model in described),
            trainable=sum(model.parameters.trainable for model in described),
        ),
    )


def _describe_training(members: Sequence[Member]) -> Training:
    from mnist_lightning.comparison.members import shared_command
    from mnist_lightning.records.record import Training

    trainings = [member.record.training for member in members]
    seeds = [str(member.seed) for member in members]
    return Training(
        seed=None,
        epochs=sum(training.epochs for training in trainings),
        best_epoch=None,
        best_train_loss=None,
        best_train_accuracy=None,
        steps=sum(training.steps for training in trainings),
        seconds=round(sum(training.seconds for training in trainings), 1),
        accelerator=_joined([training.accelerator for training in trainings]),
        devices=max(training.devices for training in trainings),
        precision=_joined([training.precision for training in trainings]),
        resumed=any(training.resumed for training in trainings),
        commit=_only([training.commit for training in trainings]),
        command=(*shared_command(members[0].record), "--seeds", *seeds),
    )


def _joined(words: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _only(values: Sequence[T]) -> T | None:
    """The value that all have in common; None where they have none."""
    return values[0] if len(set(values)) == 1 else None


def _parser() -> CommandParser:
    parser = CommandParser(
        "ensemble.py",
        "Average the exported models of several seeds into one file, and measure it. Nothing is "
        "trained.",
        EXAMPLES,
    )
    parser.add_argument(
        "--model",
        default=BASELINE,
        metavar="NAME",
        help=f"prefix of the model's files, or what train.py calls it (default: {BASELINE})",
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=_seed,
        metavar="N",
        help="the seeds to average (default: the first 5 whose files were kept)",
    )
    parser.add_output_dir()
    parser.add_data_dir()
    return parser


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value
