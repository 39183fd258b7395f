"""Values that are valid JSON, YAML or pickles and would fill memory, hang or leave the folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import refused

from mnist_lightning.commands import (
    compare,
    demo,
    ensemble,
    export,
    predict,
    report,
    robustness,
    train,
)
from mnist_lightning.errors import UserError
from mnist_lightning.export.loading import load_network
from mnist_lightning.training.trainer_options import check_options

RECORD = Path("output/custom_cnn_metrics.json")
CNN = ["--model", "cnn", "--data.source", "mnist5k", "--trainer.fast_dev_run", "true"]
HUGE = "9" * 5000


pytestmark = pytest.mark.usefixtures("user")


def change_record(*keys: str, value: object) -> None:
    document = json.loads(RECORD.read_text())
    part = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    RECORD.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("predictions", "name"), "../../x"),
        (("model", "title"), "\ud800"),
        (("model", "title"), "\x1b[2J"),
        (("test", "confusion_matrix"), [[1, 2]]),
        (("test", "n"), -5),
    ],
)
@pytest.mark.parametrize(
    ("main", "argv"),
    [
        (compare.main, ["--models", "custom_cnn", "resnet50"]),
        (report.main, ["report.md", "--output_dir", "output"]),
        (predict.main, ["page.png", "--model", "output/custom_cnn_model.pt"]),
        (export.main, ["--model", "custom_cnn", "--output_dir", "output"]),
    ],
)
def test_implausible_record_is_refused_by_every_command(
    main: Any,
    argv: list[str],
    keys: tuple[str, ...],
    value: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change_record(*keys, value=value)
    line = refused(main, argv, capsys)
    assert f"{'.'.join(keys)} must" in line or f"{'.'.join(keys)}[0] must" in line
    assert "\x1b" not in line


SETTINGS = [
    {"widths": [40_000, 40_000]},
    {"widths": [8], "convs_per_stage": 1_000_000_000},
    {"widths": [8], "first_kernel": 1_000_001},
    {"widths": [8] * 100_000},
    {"widths": [8], "title": "\ud800"},
    {"image_size": 10**9, "weights": "none", "strategy": "scratch"},
    {"widths": [8], "label_smoothing": 7.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: str(settings)[:40])
def test_implausible_hyperparameters_of_a_checkpoint_are_refused(
    settings: dict[str, object],
) -> None:
    content = {"state_dict": {}, "hyper_parameters": settings, "loops": {}, "global_step": 1}
    torch.save(content, "my.ckpt")
    with pytest.raises(UserError, match=r"my\.ckpt is not a valid checkpoint"):
        load_network(Path("my.ckpt"))


@pytest.mark.parametrize(
    "option",
    [
        "--model.widths=[40000,40000]",
        "--model.convs_per_stage=1000000000",
        "--model.first_kernel=1000001",
        f"--data.batch_size={'9' * 40}",
        f"--data.batch_size={HUGE}",
        f"--model.title={HUGE}",
        "--model.title=\x1b[2J",
        "--model.label_smoothing=5",
        "--model.weight_decay=-1",
        f"--trainer.accumulate_grad_batches={'9' * 40}",
        "--data.data_dir=a\0b",
    ],
)
def test_implausible_option_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(train.main, [*CNN, option], capsys)
    assert option.partition("=")[0] in line
    assert len(line) < 300


@pytest.mark.parametrize(
    "options",
    [{"devices": 10**9}, {"devices": "999999999"}, {"devices": [0] * 5000}, {"num_nodes": 10**6}],
)
def test_too_many_processes_are_refused_before_there_is_a_trainer(
    options: dict[str, object],
) -> None:
    (name,) = options
    with pytest.raises(UserError, match=rf"--trainer\.{name} must be at most"):
        check_options(options)


def test_plausible_numbers_of_processes_are_accepted() -> None:
    for devices in (1, 8, "auto", "-1", -1, [0, 1], "0,1"):
        check_options({"devices": devices, "num_nodes": 2})


@pytest.mark.parametrize(
    ("main", "argv", "option"),
    [
        (robustness.main, ["--seed", HUGE], "--seed"),
        (robustness.main, ["--seed", "9" * 40], "--seed"),
        (robustness.main, ["--limit", HUGE], "--limit"),
        (demo.main, ["--port", HUGE], "--port"),
        (compare.main, ["--seconds", "1e999"], "--seconds"),
        (ensemble.main, ["--model", "cnn", "--seeds", HUGE], "--seeds"),
    ],
)
def test_implausible_option_of_other_commands_is_refused(
    main: Any, argv: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(main, argv, capsys)
    assert option in line
    assert len(line) < 600


@pytest.mark.parametrize(
    "text",
    [
        f"data:\n  batch_size: {HUGE}\n",
        f"data:\n  batch_size: 0x{'f' * 500}\n",
        f"data:\n  batch_size: {':'.join(['59'] * 300)}\n",
        f"data:\n  ? {HUGE}\n  : 1\n",
        'model:\n  init_args:\n    title: "\\ud800"\n',
        "model:\n  init_args:\n    widths: [40000, 40000]\n",
    ],
)
def test_implausible_configuration_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("my.yaml").write_text(text)
    line = refused(train.main, [*CNN, "--config", "my.yaml"], capsys)
    assert len(line) < 400
