"""``python scripts/demo.py``: a page to draw digits on, which the trained models read at once.

Nothing heavy is imported before the command line, the port and the folder have been looked at.
"""

from __future__ import annotations

import sys
import threading
import webbrowser
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.records.artefacts import find_models
from mnist_lightning.terminal.parser import CommandParser, run_command

if TYPE_CHECKING:
    from mnist_lightning.export.trained_model import TrainedModel

EXAMPLES = """\
  python scripts/demo.py
  python scripts/demo.py --port 0 --no_browser
  python scripts/demo.py --model output/custom_cnn_model.pt mine/resnet50_model.pt
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 2 when the user has something to mend, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    _check_files(arguments)

    from mnist_lightning.demo.server import is_loopback, listen, make_server, url_of

    with listen(arguments.host, arguments.port) as listening:
        from mnist_lightning.data.sources import load_dataset
        from mnist_lightning.demo.app import make_app
        from mnist_lightning.demo.reading import read_picture, warm_up
        from mnist_lightning.demo.strip import example_strip
        from mnist_lightning.terminal.logs import configure_logging

        configure_logging()
        if not is_loopback(listening):
            print(
                f"warning: --host {arguments.host} lets other machines of the network use this "
                "page; it has no password and no encryption",
                file=sys.stderr,
            )
        models = _load_models(arguments)
        warm_up(models)
        examples = example_strip(load_dataset(arguments.data_dir, "auto", download=False))
        server = make_server(
            make_app(partial(read_picture, models), examples, arguments.host),
        )
        url = url_of(listening)
        names = ", ".join(model.title for model in models)
        print(f"Reading with {names}. Draw at {url} (Ctrl-C stops it).", flush=True)
        if sys.stdout.isatty() and not arguments.no_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        server.run(sockets=[listening])
    return 0


def _check_files(arguments: Namespace) -> None:
    """Find fault with the models' files before anything slow is imported."""
    for path in arguments.model or []:
        if not path.is_file():
            raise OutputError(f"There is no model file {path}: make one with scripts/train.py.")
    if not arguments.model and not find_models(arguments.output_dir):
        raise OutputError(
            f"There is no trained model in {arguments.output_dir}: make one with "
            "`python scripts/train.py --model cnn`, or name a file with --model."
        )


def _load_models(arguments: Namespace) -> list[TrainedModel]:
    from mnist_lightning.export.trained_model import load_trained

    return [load_trained(path) for path in arguments.model or find_models(arguments.output_dir)]


def _parser() -> CommandParser:
    parser = CommandParser(
        "demo.py",
        "Serve a page to draw digits on, read by all trained models at every stroke.",
        EXAMPLES,
    )
    parser.add_argument(
        "--model",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="exported models (default: every *_model.pt in --output_dir)",
    )
    parser.add_output_dir("folder of the trained models (default: output)")
    parser.add_data_dir(
        "folder with MNIST, for the examples; without it they come from the 5,000 images that are "
        "installed with the program (default: data)",
        default=Path("data"),
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen; 0.0.0.0 lets a phone in the same network draw, and everybody else "
        "there too (default: 127.0.0.1, this machine only)",
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="0 takes any free one (default: 8000)"
    )
    parser.add_argument(
        "--no_browser", action="store_true", help="do not open the page in a browser"
    )
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise UserError(f"--port must be 0 to 65535, not {text}")
    return int(text)
