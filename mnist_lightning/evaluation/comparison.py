"""The comparison of several models on the same images: one JSON file, like the record of each.

:class:`Comparison` and the dataclasses it is made of are the schema; each documents its keys.
``COMPARISON_VERSION`` is raised whenever a key is added, removed, renamed or changes its meaning.
All shares are between 0 and 1, never percent.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.benchmark import BenchmarkSettings
from mnist_lightning.evaluation.compared import (
    Bootstrap,
    ComparedDataset,
    ComparedModel,
    ComparedPair,
    DisputedImage,
)
from mnist_lightning.evaluation.decoding import DecodingError, decode
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.seeds import SeedStudy
from mnist_lightning.storage import atomic_path

COMPARISON_VERSION = 1
FILE_NAME = "model_comparison.json"


@dataclass(frozen=True)
class Comparison:
    """Everything that was compared.

    Attributes:
        schema_version: Version of this schema.
        dataset: The images.
        models: The models, the baseline first; at least two.
        pairs: Every two models, in the models' order.
        bootstrap: How the intervals of differences were drawn.
        disputed_total: Number of images that some models get right and others wrong.
        disputed: At most sixty of these; those come first where a model that is wrong is surest.
        seeds: What is known over several trainings of the same recipe.
        benchmark: How inference was timed.
        conclusion: What may and may not be concluded, in sentences.
        environment: Where and when the comparison was made.
    """

    schema_version: int
    dataset: ComparedDataset
    models: tuple[ComparedModel, ...]
    pairs: tuple[ComparedPair, ...]
    bootstrap: Bootstrap
    disputed_total: int
    disputed: tuple[DisputedImage, ...]
    seeds: SeedStudy
    benchmark: BenchmarkSettings
    conclusion: tuple[str, ...]
    environment: Environment

    @property
    def baseline_pairs(self) -> tuple[ComparedPair, ...]:
        """The pairs of the first model with each other one."""
        return tuple(pair for pair in self.pairs if pair.first == self.models[0].name)

    def title(self, name: str) -> str:
        """Return a model's name for people."""
        return next(model.title for model in self.models if model.name == name)

    def to_json(self) -> str:
        """Format the comparison.

        Returns:
            JSON in the order of the fields, indented by two spaces, with a newline at the end.

        Raises:
            ValueError: A number is not finite.
        """
        text = json.dumps(asdict(self), indent=2, allow_nan=False)
        # A JSON string cannot hold a line break, so that this only meets lists of numbers.
        return re.sub(r"\[\n[\s\d.,eE+-]*\]", lambda found: _one_line(found.group()), text) + "\n"

    def write(self, path: Path) -> None:
        """Write the comparison to a file, which is replaced in one step.

        Raises:
            OSError: The file cannot be written; the old one is left as it was.
        """
        text = self.to_json()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def read_comparison(path: Path) -> Comparison:
    """Read a comparison and check it against the schema.

    Args:
        path: A file that :meth:`Comparison.write` wrote.

    Returns:
        The comparison.

    Raises:
        OutputError: The file is missing, not JSON, of another schema version, or a key in it is
            missing, unknown or of the wrong type.
    """
    remedy = "make it with `python scripts/compare.py`"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OutputError(f"There is no comparison {path}: {remedy}.") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is not a JSON file ({error}): {remedy} again.") from None
    found = document.get("schema_version") if isinstance(document, dict) else None
    if type(found) is int and found != COMPARISON_VERSION:
        raise OutputError(
            f"{path} has schema version {found}; this program reads version "
            f"{COMPARISON_VERSION}: {remedy} again."
        )
    try:
        comparison: Comparison = decode(Comparison, document)
    except DecodingError as error:
        raise OutputError(f"{path} is not a sound comparison: {error}; {remedy} again.") from None
    return comparison


def _one_line(numbers: str) -> str:
    return " ".join(numbers.split()).replace("[ ", "[").replace(" ]", "]")
