"""A teacher labels the distorted training images."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn

from mnist_lightning.cli import StudyCLI
from mnist_lightning.commands.train import main
from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.records.record import read_record
from mnist_lightning.terminal.presets import expand
from mnist_lightning.training.distillation import Distillation

MakeTrainer = Callable[..., Trainer]
PUBLISHED_CNN = Path(__file__).parents[2] / "output" / "published" / "custom_cnn_model.pt"
DISTILLED = ("--model", "cnn_distilled", "--trainer.accelerator", "cpu")


class Always(nn.Module):
    """A teacher that gives one digit a logit of 8, and remembers what it saw."""

    def __init__(self, digit: int) -> None:
        super().__init__()
        self.digit = digit
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return 8 * torch.eye(10)[self.digit].repeat(len(images), 1)


def test_the_student_learns_what_the_teacher_says(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    teacher, model = Always(3), CNNClassifier([4, 8], learning_rate=0.05)
    images = tiny_data.val.images

    make_trainer(Distillation(teacher, 1.0), max_epochs=6).fit(model, tiny_data)

    assert (model.eval()(images).argmax(dim=1) == 3).all()
    assert model.soft_labels is not None
    assert not model.soft_labels.requires_grad
    assert not any("teacher" in key for key in model.state_dict())


def test_the_temperature_softens_the_labels(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    sharp, soft = (CNNClassifier([4]) for _ in range(2))
    for model, temperature in ((sharp, 1.0), (soft, 4.0)):
        make_trainer(Distillation(Always(3), temperature), max_steps=1).fit(model, tiny_data)

    assert sharp.soft_labels is not None
    assert soft.soft_labels is not None
    expected = torch.tensor([0.0, 8.0]).div(4).softmax(dim=0)
    ratio = soft.soft_labels[0, 3] / soft.soft_labels[0, 0]
    assert ratio == pytest.approx(float(expected[1] / expected[0]), rel=1e-4)
    assert sharp.soft_labels[0, 3] > soft.soft_labels[0, 3]


def test_the_teacher_sees_the_distorted_images(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    tiny_data.augmentation = Augmentation()
    teacher, model = Always(3), CNNClassifier([4])

    make_trainer(Distillation(teacher, 1.0), max_steps=1).fit(model, tiny_data)

    originals = {image.numpy().tobytes() for image in tiny_data.dataset.train.images}
    assert not any(image.numpy().tobytes() in originals for image in teacher.seen[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.teacher", "nowhere.pt"], "no model file nowhere.pt"),
        (["--model.teacher", "nothing"], "--model.teacher: there is no trained model 'nothing'"),
        (["--model.teacher_temperature", "0"], "teacher_temperature must be above 0"),
    ],
)
def test_a_wrong_teacher_is_refused_in_one_line(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["--model", "cnn", "--output_dir", str(tmp_path / "out"), *options])

    error = capsys.readouterr().err.strip()
    assert status == 2
    assert message in error
    assert "\n" not in error


def test_the_preset_without_its_teacher_says_how_to_make_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([*DISTILLED, "--output_dir", str(tmp_path / "out")])

    error = capsys.readouterr().err.strip()
    assert status == 2
    assert "scripts/train.py --model cnn --seeds" in error
    assert "scripts/ensemble.py" in error
    assert "--model.teacher PATH" in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


def test_the_named_teacher_is_the_users_own_or_else_the_published_one(tmp_path: Path) -> None:
    published, own = (folder / "custom_cnn_ensemble_model.pt" for folder in _folders(tmp_path))
    argv = [*DISTILLED, "--output_dir", str(tmp_path)]

    shutil.copy(PUBLISHED_CNN, published)
    assert StudyCLI(expand(argv), command=argv).teacher == published
    shutil.copy(PUBLISHED_CNN, own)
    assert StudyCLI(expand(argv), command=argv).teacher == own
    argv += ["--model.teacher", str(published)]
    assert StudyCLI(expand(argv), command=argv).teacher == published


def _folders(output_dir: Path) -> tuple[Path, Path]:
    (output_dir / "published").mkdir()
    return output_dir / "published", output_dir


@pytest.mark.usefixtures("empty_figures")
def test_every_seed_has_the_teacher_of_the_output_folder(
    tiny_data_dir: Path, tmp_path: Path
) -> None:
    shutil.copy(PUBLISHED_CNN, tmp_path / "custom_cnn_ensemble_model.pt")
    argv = [*DISTILLED, "--output_dir", str(tmp_path), "--data.data_dir", str(tiny_data_dir)]
    argv += ["--model.widths", "[4]", "--trainer.max_epochs", "1", "--export_formats", "[]"]

    assert main([*argv, "--seeds", "0", "--quiet"]) == 0

    record = read_record(tmp_path / "custom_cnn_distilled_metrics.json")
    assert record.model.title == "Custom CNN (distilled)"
    assert record.training.command == (*argv, "--seed_everything", "0")
