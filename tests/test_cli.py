"""The command line: presets, precedence, help and error messages."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mnist_lightning import __version__
from mnist_lightning.cli import StudyCLI
from mnist_lightning.commands.train import main
from mnist_lightning.errors import UserError
from mnist_lightning.terminal.messages import shorten
from mnist_lightning.terminal.presets import (
    config_folder,
    expand,
    preset_names,
    presets_by_model_name,
)
from mnist_lightning.terminal.training_command import (
    preset_of,
    resume_command,
    take_seeds,
    with_preset_names,
)

CNN = ["--model", "cnn"]
PUBLISHED_CNN = Path(__file__).parents[1] / "output" / "published" / "custom_cnn_model.pt"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_lightning.data.mirrors.MIRRORS", ("http://127.0.0.1:9/",))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_builds_and_states_only_known_settings(name: str, tmp_path: Path) -> None:
    # Pretrained weights are loaded when a training starts, not here; a teacher is.
    teacher = ["--model.teacher", str(PUBLISHED_CNN)] if name == "cnn_distilled" else []
    argv = ["--model", name, "--output_dir", str(tmp_path), *teacher]
    cli = StudyCLI(expand(argv), command=[])
    assert cli.name == yaml.safe_load((config_folder() / f"{name}.yaml").read_text())["name"]
    assert list(tmp_path.iterdir()) == []


def test_command_line_overrides_configuration_and_that_overrides_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("trainer:\n  max_epochs: 7\ndata:\n  batch_size: 99\n")
    preset = StudyCLI(expand(CNN), command=[]).config
    # Although the configuration comes last, the command line overrides it.
    argv = ["--data.batch_size", "11", "--config", str(file)]
    config = StudyCLI(expand([*CNN, *argv]), command=[]).config
    assert (config.trainer.max_epochs, config.data.batch_size) == (7, 11)
    assert preset.trainer.max_epochs not in (7, None)
    assert config.model.init_args == preset.model.init_args


def test_model_equals_name_is_the_same_as_model_name() -> None:
    assert expand(["--model=cnn"]) == expand(CNN)


def test_the_name_of_the_files_is_the_same_as_that_of_the_preset() -> None:
    for model, preset in presets_by_model_name().items():
        assert expand(["--model", model]) == expand(["--model", preset])
        assert preset_of([f"--model={model}"]) == preset_of(["--model", preset]) == preset
    command = ["--model", "custom_cnn", "--name", "custom_cnn"]
    assert with_preset_names(command) == ["--model", "cnn", "--name", "custom_cnn"]
    assert with_preset_names(["--model=custom_cnn"]) == ["--model=cnn"]
    assert with_preset_names(["--model"]) == ["--model"]


def test_presets_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(expand(CNN)[1]).is_file()


def test_presets_of_a_wheel_are_found_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base.yaml").touch()
    (tmp_path / "other.yaml").touch()
    monkeypatch.setattr("mnist_lightning.terminal.presets._FOLDERS", (tmp_path, config_folder()))
    assert preset_names() == ["other"]


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version_answer_without_importing_torch(option: str) -> None:
    code = (
        "import sys\nfrom mnist_lightning.commands.train import main\n"
        f"status = main([{option!r}])\nprint(status, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *text, last = done.stdout.splitlines()
    assert last == "0 False"
    assert __version__ in text[0] if option == "--version" else "--model NAME" in text[0]


def test_help_lists_every_preset_with_its_description(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in preset_names():
        first_line = (config_folder() / f"{name}.yaml").read_text().splitlines()[0]
        assert first_line.startswith("# ")
        assert f"{name} " in text
        assert first_line.removeprefix("# ") in text
    assert max(map(len, text.splitlines())) <= 100


def test_printed_configuration_can_be_used_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*CNN, "--data.batch_size", "77", "--print_config"])
    assert stop.value.code == 0
    file = tmp_path / "printed.yaml"
    file.write_text(capsys.readouterr().out)
    cli = StudyCLI(expand(["--config", str(file)]), command=[])
    assert cli.config.data.batch_size == 77
    assert cli.name == "custom_cnn"


def test_script_is_the_command(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "scripts" / "train.py"
    command = [sys.executable, str(script), "--model", "nope"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --model: there is no 'nope'; choose from {', '.join(preset_names())}\n"
    )


def test_resume_command_keeps_the_options_and_replaces_the_checkpoint() -> None:
    argv = [*CNN, "--ckpt_path", "a b.ckpt", "--output_dir", "my results"]
    assert resume_command(argv).endswith("--model cnn --output_dir 'my results' --ckpt_path last")
    assert resume_command([*CNN, "--seeds", "0", "1"]).endswith("--model cnn --seeds 0 1")


def test_seeds_are_taken_out_of_the_command_line() -> None:
    assert take_seeds([*CNN, "--seeds", "0", "5", "--name", "x"]) == (
        [0, 5],
        [*CNN, "--name", "x"],
    )
    assert take_seeds(CNN) == ([], CNN)
    with pytest.raises(UserError, match="whole numbers"):
        take_seeds([*CNN, "--seeds"])


def _documented_commands() -> list[str]:
    root = Path(__file__).parents[1]
    documents = [*root.glob("*.md"), *(root / "docs").glob("*.md")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in documents).replace("\\\n", " ")
    # In code blocks, and between backticks in tables.
    commands = re.findall(r"python scripts/train\.py ([^#>`|\n]+)", text)
    return sorted({command.strip() for command in commands if command.startswith("--model ")})


@pytest.mark.parametrize("command", _documented_commands())
def test_command_of_a_document_is_accepted(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("trainer:\n  max_epochs: 1\n")
    (tmp_path / "output").mkdir()
    shutil.copy(PUBLISHED_CNN, tmp_path / "output" / "custom_cnn_ensemble_model.pt")  # any teacher
    _, argv = take_seeds(shlex.split(command))
    argv = [argument for argument in argv if argument != "--print_config"]
    if "--ckpt_path" in argv:
        # There is no run to resume here; this is checked after all other options.
        with pytest.raises(UserError, match="no valid checkpoint"):
            StudyCLI(expand(argv), command=argv)
    else:
        assert StudyCLI(expand(argv), command=argv).name


def test_an_unknown_message_is_kept_on_one_line() -> None:
    assert shorten("something\n  new happened") == "something new happened"
    assert len(shorten("word " * 1000)) <= 400


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("--epochs", "--trainer.max_epochs"),
        ("--max_epochs", "--trainer.max_epochs"),
        ("--trainer.epochs", "--trainer.max_epochs"),
        ("--lr", "--model.learning_rate"),
        ("--model.lr", "--model.learning_rate"),
        ("--learning_rate", "--model.learning_rate"),
        ("--batch_size", "--data.batch_size"),
        ("--seed", "--seed_everything"),
        ("--data_dir", "--data.data_dir"),
        ("--gpus", "--trainer.devices"),
        ("--devices", "--trainer.devices"),
        ("--precision", "--trainer.precision"),
        ("--output", "--output_dir"),
        ("--resume", "--ckpt_path"),
        ("--checkpoint", "--ckpt_path"),
        ("--ouput_dir", "--output_dir"),
    ],
)
def test_names_of_other_programs_and_misspelt_names_suggest_the_option(
    option: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*CNN, option, "3"]) == 2
    assert capsys.readouterr().err == (
        f"error: there is no option {option}; did you mean {meant}?\n"
    )


def test_an_option_unlike_any_other_points_to_the_full_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*CNN, "--colour", "3"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no option --colour; --help_all explains all options\n"
    )
