"""LightningCLI as this study uses it: presets, short errors, the callbacks of every run."""

import re
import sys
from pathlib import Path
from typing import Any, Literal, NoReturn

from jsonargparse import ArgumentParser, set_parsing_settings
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.errors import UserError
from mnist_lightning.models import CNNClassifier, DigitClassifier, ResNet50Classifier
from mnist_lightning.terminal.messages import shorten
from mnist_lightning.terminal.training_command import preset_of, resume_command
from mnist_lightning.training.averaging import WeightAverage
from mnist_lightning.training.checkpoints import (
    BEST,
    LAST,
    check_fits,
    find_checkpoint,
    read_checkpoint,
)
from mnist_lightning.training.history import History
from mnist_lightning.training.interruption import GracefulStop
from mnist_lightning.training.peers import watch_processes
from mnist_lightning.training.progress_bar import TrainingProgress
from mnist_lightning.training.run_checkpoint import RunCheckpoint
from mnist_lightning.training.run_logger import RunLogger
from mnist_lightning.training.step_seed import StepSeed
from mnist_lightning.training.stopwatch import Stopwatch
from mnist_lightning.training.study_trainer import StudyTrainer

# A configuration from a stranger cannot name a class that runs commands: what jsonargparse only
# warns of before its version 5 is refused.
set_parsing_settings(import_path_denylist=[])


class StudyParser(LightningArgumentParser):
    """A parser that raises its errors, so that main() prints them in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the message in one line."""
        if not self.exit_on_error:
            # A parser within this one, whose error becomes a part of the message.
            super().error(message, ex)
        raise UserError(shorten(message, _option_names(self, _model_class(message)))) from ex


def _model_class(message: str) -> type[DigitClassifier]:
    """The model whose options a message is about."""
    named = re.search(r"class_path '[\w.]+\.(\w+)'", message)
    classifiers = {one.__name__: one for one in (CNNClassifier, ResNet50Classifier)}
    return classifiers.get(named[1], DigitClassifier) if named else DigitClassifier


def _option_names(parser: LightningArgumentParser, model: type[DigitClassifier]) -> list[str]:
    """Every option as it is written, with those of the model, which the parser does not list."""
    names = [name for action in parser._actions for name in action.option_strings]
    for key, kind in (("model", model), ("data.augmentation", Augmentation)):
        group = ArgumentParser(add_help=False)
        group.add_class_arguments(kind, key, fail_untyped=False)
        names += [name for action in group._actions for name in action.option_strings]
    return [name for name in names if not name.endswith(("+", ".help"))]


class StudyCLI(LightningCLI):
    """Builds the data module, the model and the Trainer of one run.

    Args:
        args: The command line after ``--model`` has been replaced by its configuration files.
        command: The command line as it was typed.

    Attributes:
        command: The command line as it was typed.
        preset: The NAME of ``--model NAME``; empty if the model came from ``--config``.
        name: Prefix of the artefacts, e.g. ``custom_cnn``.
        output_dir: Folder of the artefacts.
        resume_from: The checkpoint to continue from, or None.
        history: The callback that collects the epochs.
        best: The callback that keeps the best checkpoint.
        stopwatch: The callback that counts the seconds of training.
        run_logger: The TensorBoard logger, which decides on the folder of the run.
    """

    datamodule: MNISTDataModule
    model: DigitClassifier
    trainer: StudyTrainer
    best: RunCheckpoint

    def __init__(self, args: list[str], command: list[str]) -> None:
        self.command = command
        self.preset = preset_of(command) or ""
        self.resume_from: Path | None = None
        self.history = History()
        self.stopwatch = Stopwatch()
        super().__init__(
            DigitClassifier,
            MNISTDataModule,
            trainer_class=StudyTrainer,
            parser_class=StudyParser,
            # Abbreviations would accept misspelt options, and the usage is a wall of text.
            parser_kwargs={"allow_abbrev": False, "usage": "%(prog)s --model NAME [options]"},
            save_config_kwargs={"overwrite": True},
            subclass_mode_model=True,
            args=args,
            run=False,
            auto_configure_optimizers=False,
            # The hyperparameters are plain values; a checkpoint need not name any code.
            load_from_checkpoint_support=False,
        )

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of the program itself."""
        parser.add_argument(
            "--seed_everything", type=int, default=0, help="Seed of weights, order and distortions."
        )
        parser.add_argument("--name", type=str, required=True, help="Prefix of the artefacts.")
        parser.add_argument(
            "--output_dir", type=str, default="output", help="Folder of the artefacts."
        )
        parser.add_argument(
            "--ckpt_path",
            type=str,
            default=None,
            help="Checkpoint to resume from; 'last' is the newest of this model.",
        )
        parser.add_argument(
            "--export_formats",
            type=list[Literal["pt2", "onnx"]] | None,
            default=None,
            help="Files beside TorchScript; null writes those whose packages are installed.",
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the weight average, and give the seed to the data module too."""
        parser.add_lightning_class_args(WeightAverage, "ema")
        parser.link_arguments("seed_everything", "data.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse; Lightning's own version warns when ``args`` are not those of the process."""
        assert isinstance(args, list)
        self.config = parser.parse_args(args)
        if (epochs := self.config.trainer.max_epochs) is None or epochs < 1:
            raise UserError(f"--trainer.max_epochs must be 1 or more, not {epochs}")
        if not 0 <= (seed := self.config.seed_everything) < 2**32:
            raise UserError(f"--seed_everything must be from 0 to {2**32 - 1}, not {seed}")
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise UserError(
                "--name must be letters, digits, '_', '-' and '.', since it begins the names of "
                f"files; '{self.name}' is not"
            )

    def instantiate_classes(self) -> None:
        """Build everything; a value that a class refuses becomes a UserError."""
        try:
            super().instantiate_classes()
        except (ValueError, MisconfigurationException) as error:
            raise UserError(shorten(str(error))) from error

    @property
    def name(self) -> str:
        """Prefix of the artefacts."""
        return str(self.config.name)

    @property
    def output_dir(self) -> Path:
        """Folder of the artefacts."""
        return Path(self.config.output_dir)

    @property
    def bytes_needed(self) -> int:
        """About how much a run writes: two checkpoints, the exported file, figures and events.

        A checkpoint holds the weights, their average and the two moments that the optimiser keeps
        of what learns; for a moment there are two copies of one, because a file is only replaced
        by a complete one.
        """
        weights = sum(4 * p.numel() for p in self.model.network.parameters())
        learning = sum(4 * p.numel() for p in self.model.learning_parameters())
        return 3 * (2 * weights + 2 * learning) + weights + 20_000_000

    def instantiate_trainer(self, **kwargs: Any) -> StudyTrainer:
        """Build the Trainer with the run's logger and callbacks."""
        if self.config.trainer.logger is False:
            raise UserError(
                "--trainer.logger false: every run writes a folder of logs; "
                "to try something out without any file use --trainer.fast_dev_run true"
            )
        self.run_logger = self._run_logger(self.output_dir / "runs")
        more = self.config_init.trainer.logger
        more = [] if more in (None, True) else more if isinstance(more, list) else [more]
        trainer = super().instantiate_trainer(
            logger=[self.run_logger, *more], default_root_dir=str(self.output_dir), **kwargs
        )
        assert isinstance(trainer, StudyTrainer)
        # The command of the process, because that is what Lightning starts more often.
        watch_processes(trainer, trainer.timeout, resume_command(sys.argv[1:]))
        return trainer

    def _run_logger(self, runs: Path) -> RunLogger:
        which = self.config.ckpt_path
        if which is None:
            return RunLogger(runs, self.name)
        path = find_checkpoint(runs / self.name, which)
        checkpoint = read_checkpoint(path)
        check_fits(checkpoint, path, self.model)
        self.model.check_resumable(checkpoint)
        self.resume_from = path
        run = path.resolve().parent.parent
        if run.parent != (runs / self.name).resolve():
            return RunLogger(runs, self.name)
        version = int(run.name.removeprefix("version_"))
        return RunLogger(runs, self.name, version, purge_step=checkpoint["global_step"] + 1)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        if self.config.ema.decay == 0:
            # It would copy all weights in each step, to average nothing.
            callbacks = [one for one in callbacks if not isinstance(one, WeightAverage)]
        self.best = RunCheckpoint(BEST, "val/accuracy", "max", resume_from=self.resume_from)
        # The order of the last ones matters: the history is complete before checkpoints are
        # written, the newest checkpoint knows the best one, and only then a run may stop.
        callbacks = [
            *callbacks,
            self.stopwatch,
            StepSeed(self.config.seed_everything),
            TrainingProgress(),
            self.history,
            self.best,
            RunCheckpoint(LAST, resume_from=self.resume_from),
            GracefulStop(),
        ]
        return super()._instantiate_trainer(config, callbacks)
