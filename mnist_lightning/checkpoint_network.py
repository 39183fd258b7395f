"""The network inside a checkpoint of one of our trainings."""

from pathlib import Path

from torch import nn

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.models.cnn import CNN
from mnist_lightning.training.runs import read_checkpoint

_PREFIX = "network."


def load_checkpoint_network(path: Path) -> nn.Module:
    """Build the custom CNN that a checkpoint describes, with its weights, in evaluation mode.

    Args:
        path: A ``best.ckpt`` or ``last.ckpt``; no code in it is run.

    Raises:
        OutputError: It is damaged, or the checkpoint of another network, which is read from its
            exported file.
    """
    try:
        content = read_checkpoint(path)
        settings = content["hyper_parameters"]
        shape = {key: settings[key] for key in ("widths", "convs_per_stage", "dropout")}
        state = content["state_dict"].items()
        network = CNN(**shape)
        network.load_state_dict(
            {key.removeprefix(_PREFIX): value for key, value in state if key.startswith(_PREFIX)}
        )
    except UserError as error:
        raise OutputError(str(error).removeprefix("--ckpt_path: ")) from None
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise OutputError(
            f"{path} is no checkpoint of the custom CNN: name the exported file of its training."
        ) from None
    return network.eval()
