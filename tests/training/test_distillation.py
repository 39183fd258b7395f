"""A teacher labels the distorted training images."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.train import main
from mnist_lightning.training.distillation import Distillation

MakeTrainer = Callable[..., Trainer]

MakeTrainer = Callable[..., Trainer]


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
