"""``python scripts/ensemble.py``: average the networks of several seeds, and export the average."""

from __future__ import annotations

import logging
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mnist_lightning.records.artefacts import BASELINE
from mnist_lightning.records.model_names import model_of
from mnist_lightning.terminal.parser import CommandParser, run_command, whole_number
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    from mnist_lightning.comparison.members import Member
    from mnist_lightning.records.record import NetworkDescription, Training
    from mnist_lightning.records.training_outcome import Trained

log = logging.getLogger(__name__)

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
    args = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parser().parse_args(args), args))


def _run(arguments: Namespace, argv: list[str]) -> int:
    output_dir = arguments.output_dir
    name = model_of("--model", arguments.model, output_dir)
    preset = presets_by_model_name().get(name, "NAME")

    from mnist_lightning import results
    from mnist_lightning.comparison import members as ensemble
    from mnist_lightning.comparison.loaded_models import load_dataset_of
    from mnist_lightning.files.storage import check_writable, one_writer
    from mnist_lightning.models import Ensemble
    from mnist_lightning.records.environment import describe_environment
    from mnist_lightning.reporting.summary import summary
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging(arguments.log_level)
    environment = describe_environment()
    seeds = ensemble.choose_seeds(output_dir, name, arguments.seeds, preset)
    if arguments.seeds is None:
        # The first, not the best: choosing by accuracy would select on the test images.
        seeds = seeds[: ensemble.SIZE]
    members = ensemble.read_members(output_dir, name, seeds, preset)
    first = members[0].record
    dataset = load_dataset_of(first, arguments.data_dir or first.data_dir)
    log.info("Checking the networks of seeds %s ...", ", ".join(map(str, seeds)))
    network = Ensemble(ensemble.load_networks(members, dataset.test.images))
    size = sum(member.record.model.file.bytes for member in members)
    check_writable(output_dir, bytes_needed=3 * size + 20_000_000)
    digits = ensemble.held_out(members, dataset)
    trained = _describe(members, f"python scripts/ensemble.py {shlex.join(argv)}".rstrip())
    with one_writer(output_dir, trained.network.name):
        written = results.write(network, trained, digits, environment, output_dir, formats=[])
    print(summary(written.record, written.files, "python scripts/compare.py"))
    return 0


def _describe(members: Sequence[Member], command: str) -> Trained:
    from mnist_lightning.records.training_outcome import Trained

    return Trained(
        network=_describe_network(members),
        dataset=members[0].record.dataset,
        training=_describe_training(members),
        trainer_test={},
        command=command,
    )


def _describe_network(members: Sequence[Member]) -> NetworkDescription:
    from mnist_lightning.evaluation.cost import Parameters
    from mnist_lightning.models import Ensemble
    from mnist_lightning.records.artefacts import ENSEMBLE_SUFFIX
    from mnist_lightning.records.record import NetworkDescription

    described = [member.record.model for member in members]
    one = described[0]
    return NetworkDescription(
        name=f"{one.name}{ENSEMBLE_SUFFIX}",
        preset=one.preset,
        title=f"{one.title}, ensemble of {len(members)}",
        class_path=f"{Ensemble.__module__}.{Ensemble.__qualname__}",
        # The JSON values of records.record.Members.
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
        weights_origin=one.weights_origin,
    )


def _describe_training(members: Sequence[Member]) -> Training:
    from mnist_lightning.comparison.members import shared_command
    from mnist_lightning.records.record import Training

    trainings = [member.record.training for member in members]
    commits = {training.commit for training in trainings}
    threads = {training.threads for training in trainings}
    seeds = [str(member.seed) for member in members]
    return Training(
        seed=None,
        epochs=sum(training.epochs for training in trainings),
        train_loss=None,
        train_accuracy=None,
        steps=sum(training.steps for training in trainings),
        seconds=round(sum(training.seconds for training in trainings), 1),
        accelerator=_joined(training.accelerator for training in trainings),
        devices=max(training.devices for training in trainings),
        precision=_joined(training.precision for training in trainings),
        threads=threads.pop() if len(threads) == 1 else None,
        resumed=any(training.resumed for training in trainings),
        commit=commits.pop() if len(commits) == 1 else None,
        command=(*shared_command(members[0].record), "--seeds", *seeds),
    )


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _parser() -> CommandParser:
    parser = CommandParser(
        "ensemble.py",
        "Average the networks of several seeds, export the average as one model, and evaluate it. "
        "Nothing is trained.",
        EXAMPLES,
    )
    model = f"the model, e.g. cnn or {BASELINE}, which is the same (default: {BASELINE})"
    parser.add_argument("--model", default=BASELINE, metavar="NAME", help=model)
    seeds = "the seeds to average (default: the first 5 whose files were kept)"
    parser.add_argument("--seeds", nargs="+", type=whole_number(), metavar="N", help=seeds)
    parser.add_output_dir()
    parser.add_data_dir()
    parser.add_quiet()
    return parser


if __name__ == "__main__":
    sys.exit(main())
