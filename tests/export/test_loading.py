"""Networks built from the checkpoints of every preset."""

from pathlib import Path

import pytest
import torch

from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError
from mnist_lightning.export.loading import SUFFIXES, load_network
from mnist_lightning.models import CNNClassifier
from mnist_lightning.records.artefacts import NETWORK_SUFFIXES
from mnist_lightning.terminal.presets import expand, preset_names


def _save(model: torch.nn.Module, hyperparameters: dict[str, object], path: Path) -> Path:
    """Write the parts of a Lightning checkpoint that describe a model."""
    state = model.state_dict()
    content = {"state_dict": state, "hyper_parameters": hyperparameters, "loops": {}}
    torch.save({**content, "global_step": 1}, path)
    return path


@pytest.mark.parametrize("preset", preset_names())
def test_the_checkpoint_of_a_preset_gives_its_network(
    preset: str, tiny_digits: Digits, tmp_path: Path
) -> None:
    size = ["--model.image_size", "32"] if preset.startswith("resnet50") else []
    published = Path(__file__).parents[2] / "output" / "published" / "custom_cnn_model.pt"
    teacher = ["--model.teacher", str(published)] if preset == "cnn_distilled" else []
    argv = ["--model", preset, "--output_dir", str(tmp_path), *size, *teacher]
    model = StudyCLI(expand(argv), command=argv).model.eval()
    path = _save(model, dict(model.hparams), tmp_path / "last.ckpt")

    network = load_network(path)

    assert not network.training
    images = tiny_digits.images[:4]
    with torch.inference_mode():
        assert torch.equal(network(images), model.network(images))


def test_a_hyperparameter_without_effect_on_weight_shapes_is_kept(
    tiny_digits: Digits, tmp_path: Path
) -> None:
    # The stride of a 3x3 convolution has no effect on the shapes of the weights.
    model = CNNClassifier(widths=[4, 8], convs_per_stage=1, first_stride=2).eval()
    path = _save(model, dict(model.hparams), tmp_path / "last.ckpt")

    with torch.inference_mode():
        expected = model.network(tiny_digits.images)
        assert torch.equal(load_network(path)(tiny_digits.images), expected)


@pytest.mark.parametrize("change", [{"widths": [4, 16]}, {"unknown": 1}, {"widths": "wide"}])
def test_a_checkpoint_whose_settings_do_not_fit_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    model = CNNClassifier(widths=[4, 8], convs_per_stage=1)
    path = _save(model, {**model.hparams, **change}, tmp_path / "odd.ckpt")

    with pytest.raises(OutputError):
        load_network(path)


def test_the_commands_recognise_every_file_that_can_be_loaded() -> None:
    assert set(NETWORK_SUFFIXES) == set(SUFFIXES)
