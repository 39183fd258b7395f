"""``python scripts/robustness.py``: try the exported models on corrupted digits."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.command import CommandParser, run_command
from mnist_lightning.command_line import VERSION
from mnist_lightning.compare import BASELINE, presets_by_model_name, recorded_data_dir
from mnist_lightning.errors import OutputError, UserError

if TYPE_CHECKING:
    from mnist_lightning.corruptions.catalogue import Corruption

EPILOG = """\
examples:
  python scripts/robustness.py
  python scripts/robustness.py --models custom_cnn resnet50 --limit 1000
  python scripts/robustness.py --corruptions fog zigzag
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 when the user has something to mend, 130 after Ctrl-C.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    return run_command(lambda: _run(_parser().parse_args(words), words))


def _run(arguments: Namespace, words: Sequence[str]) -> int:
    output_dir = arguments.output_dir
    names = _choose_models(output_dir, arguments.models)

    from mnist_lightning.contestants import load_test_images, read_records
    from mnist_lightning.evaluation.trial import stratified_subset
    from mnist_lightning.quiet import be_quiet
    from mnist_lightning.reporting.robustness_text import robustness_summary
    from mnist_lightning.robustness_files import one_of_each, write_robustness
    from mnist_lightning.robustness_trials import load_verified, try_models
    from mnist_lightning.storage import check_writable

    be_quiet()
    corruptions = _choose_corruptions(arguments.corruptions)
    presets = presets_by_model_name()
    records = read_records(output_dir, {name: presets.get(name, "NAME") for name in names})
    check_writable(output_dir, bytes_needed=5_000_000)
    networks = {record.model.name: load_verified(output_dir, record) for record in records}
    dataset = load_test_images(records[0], arguments.data_dir or recorded_data_dir(records[0]))
    labels = dataset.test.labels
    limit = len(labels) if arguments.limit is None else arguments.limit
    indices = stratified_subset(labels.numpy(), limit, arguments.seed)
    record = try_models(
        records, networks, dataset, indices, corruptions, seed=arguments.seed, command=words
    )
    shown = indices[one_of_each(labels, indices)]
    digits = dataset.test.images[shown, 0].numpy(), shown
    files = write_robustness(record, networks, digits, corruptions, output_dir)
    print(robustness_summary(record, files))
    return 0


def _choose_models(output_dir: Path, names: Sequence[str] | None) -> list[str]:
    """Decide which models to try, the baseline first."""
    if names is not None:
        if len(set(names)) < len(names):
            raise UserError(f"--models names a model twice: {' '.join(names)}")
        for name in names:
            if Path(name).name != name:
                raise UserError(f"--models takes names such as {BASELINE}, not the path '{name}'")
        return list(names)

    from mnist_lightning.trained import MODEL_SUFFIX, find_models

    found = []
    for path in find_models(output_dir):
        name = path.stem.removesuffix(MODEL_SUFFIX)
        if (output_dir / f"{name}_metrics.json").is_file():
            found.append(name)
        else:
            print(f"leaving out {name}: {output_dir} has no {name}_metrics.json", file=sys.stderr)
    if not found:
        raise OutputError(
            f"There is no trained model in {output_dir}: make one with "
            "`python scripts/train.py --model cnn`."
        )
    return found


def _choose_corruptions(names: Sequence[str] | None) -> tuple[Corruption, ...]:
    from mnist_lightning.corruptions.catalogue import CORRUPTIONS

    known = {corruption.name: corruption for corruption in CORRUPTIONS}
    for name in names or ():
        if name not in known:
            raise UserError(f"--corruptions: there is no '{name}'; choose from {', '.join(known)}")
    return tuple(one for one in CORRUPTIONS if names is None or one.name in names)


def _parser() -> ArgumentParser:
    parser = CommandParser(
        prog="robustness.py",
        description="Try trained models on the fifteen corruptions of MNIST-C and on turned, "
        "shifted and noisy digits. Nothing is trained.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    models = "prefixes of the files, the baseline first (default: every trained model)"
    add("--models", nargs="+", metavar="NAME", help=models)
    limit = "try a random subset of N test images, stratified by digit (default: all)"
    add("--limit", type=_at_least(1), metavar="N", help=limit)
    corruptions = "try only these (default: all fifteen)"
    add("--corruptions", nargs="+", metavar="NAME", help=corruptions)
    output = "where the trainings left their files, and where results go (default: output)"
    add("--output_dir", type=Path, default=Path("output"), metavar="DIR", help=output)
    data = "where MNIST lies (default: where the first model's training found it)"
    add("--data_dir", type=Path, metavar="DIR", help=data)
    seed = "seed of the corruptions and of the subset (default: 0)"
    add("--seed", type=_at_least(0), default=0, metavar="N", help=seed)
    add("--version", action="version", version=VERSION)
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    number.__name__ = f"whole number of at least {least},"
    return number
