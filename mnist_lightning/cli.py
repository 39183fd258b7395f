"""The LightningCLI of this study: its options, its one-line errors and the standard callbacks."""

import re
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NoReturn

from jsonargparse import ArgumentParser, set_parsing_settings
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.errors import UserError, check_range
from mnist_lightning.export.loading import load_network
from mnist_lightning.files.config_file import MAX_LENGTH, check_values
from mnist_lightning.models import CNNClassifier, DigitClassifier, ResNet50Classifier
from mnist_lightning.records.model_names import file_of_model, is_path
from mnist_lightning.terminal.messages import shorten
from mnist_lightning.terminal.training_command import preset_of
from mnist_lightning.training.averaging import WeightAverage
from mnist_lightning.training.checkpoints import check_fits, find_checkpoint, read_checkpoint
from mnist_lightning.training.distillation import Distillation
from mnist_lightning.training.history import History
from mnist_lightning.training.interruption import GracefulStop
from mnist_lightning.training.progress_bar import TrainingProgress
from mnist_lightning.training.run_checkpoint import RunCheckpoint
from mnist_lightning.training.run_logger import RunLogger
from mnist_lightning.training.step_limit import StepLimit
from mnist_lightning.training.step_seed import StepSeed
from mnist_lightning.training.stopwatch import Stopwatch
from mnist_lightning.training.study_trainer import StudyTrainer
from mnist_lightning.training.thread_count import set_threads
from mnist_lightning.training.trainer_options import check_options, one_line_errors

# Refuse class paths that run commands, such as os.system; before version 5, jsonargparse only warns
# unless a list is set.
set_parsing_settings(import_path_denylist=[])


#: More than any machine has; it only catches typing errors.
MAX_THREADS = 1024


class StudyParser(LightningArgumentParser):
    """A parser that raises UserError instead of exiting, so that main() prints one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the shortened message."""
        if not self.exit_on_error:
            # This is a nested parser: its error becomes part of the outer message.
            super().error(message, ex)
        raise UserError(shorten(message, _options(self, message))) from ex


def _options(parser: ArgumentParser, message: str) -> list[str]:
    """Return the keys of all options, with those of the model that the message names."""
    models = (CNNClassifier, ResNet50Classifier)
    model = next((one for one in models if one.__name__ in message), DigitClassifier)
    # Options that depend on a class_path, which the parser does not list.
    nested = ArgumentParser()
    nested.add_class_arguments(model, "model")
    nested.add_class_arguments(Augmentation, "data.augmentation")
    defaults = (one.get_defaults(skip_validation=True) for one in (parser, nested))
    return list(chain.from_iterable(each.keys() for each in defaults))


class StudyCLI(LightningCLI):
    """Builds data module, model and Trainer of one run.

    Args:
        args: The command line with ``--model NAME`` replaced by configuration files.
        command: The command line to record: with names of presets, without ``--quiet``.

    Attributes:
        command: The command line to record: with names of presets, without ``--quiet``.
        preset: The NAME of ``--model NAME``; empty if only ``--config`` was given.
        name: Prefix of the artefacts, e.g. ``custom_cnn``.
        output_dir: Folder of the artefacts.
        resume_from: The checkpoint to resume from, or None.
        history: The callback with the metrics of each epoch.
        stopwatch: The callback that measures the training time.
        run_logger: The TensorBoard logger, which chooses the folder of the run.
    """

    datamodule: MNISTDataModule
    model: DigitClassifier
    trainer: StudyTrainer

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
            # Abbreviations would hide misspelt options, and the full usage is very long.
            parser_kwargs={"allow_abbrev": False, "usage": "%(prog)s --model NAME [options]"},
            save_config_kwargs={"overwrite": True},
            subclass_mode_model=True,
            args=args,
            run=False,
            auto_configure_optimizers=False,
            # Hyperparameters are plain values, so that a checkpoint names no code.
            load_from_checkpoint_support=False,
        )

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that belong neither to model, data nor Trainer."""
        add = parser.add_argument
        seed = "Seed of weights, image order and augmentation."
        add("--seed_everything", type=int, default=0, help=seed)
        add("--name", type=str, required=True, help="Prefix of the artefacts.")
        add("--output_dir", type=str, default="output", help="Folder of the artefacts.")
        checkpoint = "Checkpoint to resume from; 'last' is the newest of this model."
        add("--ckpt_path", type=str, default=None, help=checkpoint)
        threads = "Threads of one CPU operation; null takes the checkpoint's number, or torch's."
        add("--threads", type=int | None, default=None, help=threads)
        formats = (
            "Formats besides the measured one: TorchScript, or pt2 by a torch without it. "
            "null means those whose packages are installed."
        )
        kinds = list[Literal["pt2", "onnx"]] | None
        add("--export_formats", type=kinds, default=None, help=formats)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the weight average, and link the seed to the data module."""
        parser.add_lightning_class_args(WeightAverage, "ema")
        parser.link_arguments("seed_everything", "data.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse ``args``; Lightning's version warns if they differ from ``sys.argv``."""
        assert isinstance(args, list)
        for arg in args:
            if len(arg) > MAX_LENGTH:
                name = arg.partition("=")[0]
                raise UserError(f"{name:.40}: a value of {len(arg):,} characters is too long")
        self.config = parser.parse_args(args)
        check_values(self.config.as_dict())
        if (epochs := self.config.trainer.max_epochs) is None or epochs < 1:
            raise UserError(f"--trainer.max_epochs must be 1 or more, not {epochs}")
        check_options(self.config.trainer.as_dict())
        check_range("--seed_everything", self.config.seed_everything, 0, 2**32 - 1)
        if (threads := self.config.threads) is not None:
            check_range("--threads", threads, 1, MAX_THREADS)
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise UserError(
                "--name is a prefix of file names: use letters, digits, '_', '-' and '.', "
                f"not '{self.name}'"
            )

    def instantiate_classes(self) -> None:
        """Build everything; a value that a class rejects becomes a UserError."""
        try:
            with one_line_errors():
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
    def is_quiet(self) -> bool:
        """Whether only errors and the summary are printed, as without a progress bar."""
        return self.trainer.progress_bar_callback is None

    @property
    def bytes_needed(self) -> int:
        """Estimate of what a run writes: checkpoints, the exported file, figures and events.

        A checkpoint contains the weights, their average and two optimiser moments per trained
        weight. Besides the last two, a third copy exists while a new one is written.
        """
        weights = sum(4 * p.numel() for p in self.model.network.parameters())
        learning = sum(4 * p.numel() for p in self.model.learning_parameters())
        return 3 * (2 * weights + 2 * learning) + weights + 20_000_000

    def instantiate_trainer(self, **kwargs: Any) -> StudyTrainer:
        """Build the Trainer with the logger of the run."""
        if self.config.trainer.logger is False:
            raise UserError(
                "--trainer.logger false is not supported: every run needs its log folder; "
                "use --trainer.fast_dev_run true to write no files"
            )
        runs = self.output_dir / "runs"
        checkpoint = self._read_checkpoint(runs)
        set_threads(self.config.threads, checkpoint)
        self.run_logger = self._run_logger(runs, checkpoint)
        more = self.config_init.trainer.logger
        more = [] if more in (None, True) else more if isinstance(more, list) else [more]
        trainer = super().instantiate_trainer(
            logger=[self.run_logger, *more], default_root_dir=str(self.output_dir), **kwargs
        )
        assert isinstance(trainer, StudyTrainer)
        return trainer

    @property
    def teacher(self) -> Path | None:
        """File of the network that labels the training images; None to train on their labels."""
        given = self.model.hparams.get("teacher")
        if given is None:
            return None
        if is_path(given):
            return Path(given)
        return file_of_model("--model.teacher", given, self.output_dir)

    def _read_checkpoint(self, runs: Path) -> dict[str, Any] | None:
        """Find, check and read the checkpoint of ``--ckpt_path``; None for a new run."""
        which = self.config.ckpt_path
        if which is None:
            return None
        path = find_checkpoint(runs / self.name, which)
        checkpoint = read_checkpoint(path)
        check_fits(checkpoint, path, self.model)
        self.model.check_resumable(checkpoint)
        self.resume_from = path
        return checkpoint

    def _run_logger(self, runs: Path, checkpoint: dict[str, Any] | None) -> RunLogger:
        """Continue the folder of the checkpoint if it is one of this model, or take a new one."""
        if checkpoint is None or self.resume_from is None:
            return RunLogger(runs, self.name)
        run = self.resume_from.resolve().parent.parent
        if run.parent != (runs / self.name).resolve():
            return RunLogger(runs, self.name)
        version = int(run.name.removeprefix("version_"))
        return RunLogger(runs, self.name, version, purge_step=checkpoint["global_step"] + 1)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        if self.config.ema.decay == 0:
            # It would copy all weights in each step for nothing.
            callbacks = [one for one in callbacks if not isinstance(one, WeightAverage)]
        if self.teacher:
            temperature = self.model.hparams["teacher_temperature"]
            callbacks = [*callbacks, Distillation(load_network(self.teacher), temperature)]
        # The order of the last three matters: the checkpoint contains the history, and a run stops
        # only after both.
        callbacks = [
            *callbacks,
            self.stopwatch,
            StepSeed(self.config.seed_everything),
            StepLimit(),
            *([] if config.get("enable_progress_bar") is False else [TrainingProgress()]),
            self.history,
            RunCheckpoint(self.resume_from),
            GracefulStop(),
        ]
        return super()._instantiate_trainer(config, callbacks)
