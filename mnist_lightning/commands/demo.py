"""``python scripts/demo.py``: a web page to draw digits on, read by the trained models.

Command line, model files and port are checked before anything slow is imported.
"""

import logging
import sys
import threading
import webbrowser
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mnist_lightning.errors import OutputError
from mnist_lightning.records.model_names import files_of_models
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.parser import CommandParser, run_command
from mnist_lightning.terminal.wording import count

log = logging.getLogger(__name__)

EXAMPLES = """\
  python scripts/demo.py
  python scripts/demo.py --port 0 --no_browser
  python scripts/demo.py --model cnn resnet50
  python scripts/demo.py --file mine/custom_cnn_model.pt mine/resnet50_model.onnx
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 2 after an error that the user can fix, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    configure_logging()
    files = _model_files(arguments)

    from mnist_lightning.demo.server import is_loopback, listen, make_server, url_of

    with listen(arguments.host, arguments.port) as listening:
        from mnist_lightning.data.sources import load_dataset
        from mnist_lightning.demo.app import make_app
        from mnist_lightning.demo.reading import read_picture, warm_up
        from mnist_lightning.demo.strip import example_strip
        from mnist_lightning.export.trained_model import load_trained

        if not is_loopback(listening):
            print(
                f"warning: --host {arguments.host} lets other machines of the network use this "
                "page; it has no password and no encryption",
                file=sys.stderr,
            )
        log.info("Loading %s ...", count(len(files), "model"))
        models = [load_trained(path) for path in files]
        warm_up(models)
        examples = example_strip(load_dataset(arguments.data_dir, "auto", download=False))
        server = make_server(make_app(partial(read_picture, models), examples, arguments.host))
        url = url_of(listening)
        names = ", ".join(model.title for model in models)
        print(f"Reading with {names}. Draw at {url} (Ctrl-C stops it).", flush=True)
        if sys.stdout.isatty() and not arguments.no_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        server.run(sockets=[listening])
    return 0


def _model_files(arguments: Namespace) -> list[Path]:
    """Return the model files to load, at least one; all of them exist."""
    files = files_of_models(arguments.model, arguments.file, arguments.output_dir)
    for path in files:
        if not path.is_file():
            raise OutputError(f"There is no model file {path}: train one with scripts/train.py.")
    return files


def _parser() -> CommandParser:
    parser = CommandParser(
        "demo.py",
        "Serve a web page to draw digits on; all trained models classify them at every stroke.",
        EXAMPLES,
    )
    add = parser.add_argument
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    model = "models to read with, e.g. cnn (default: every *_model.pt in --output_dir)"
    add("--model", **several, metavar="NAME", help=model)
    add("--file", **several, type=Path, metavar="PATH", help="model files to read with")
    parser.add_output_dir("folder of the trained models (default: output)")
    parser.add_data_dir(
        "folder with MNIST for the examples; without MNIST they come from the 5,000 images that "
        "are installed with the program (default: data)",
        Path("data"),
    )
    host = "address to listen on; 0.0.0.0 lets everybody in the same network use the page, e.g. "
    host += "from a phone (default: 127.0.0.1, this machine only)"
    add("--host", default="127.0.0.1", metavar="ADDRESS", help=host)
    add("--port", type=int, default=8000, help="0 chooses a free port (default: 8000)")
    add("--no_browser", action="store_true", help="do not open the page in a browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())
