"""The comparison of several models on the same images: one JSON file, like the record of each.

:class:`Comparison` and the dataclasses it is made of are the schema; each documents its keys.
``COMPARISON_VERSION`` is raised whenever a key is added, removed, renamed or changes its meaning.
All shares are between 0 and 1, never percent.
"""

from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.evaluation.benchmark import BenchmarkSettings
from mnist_lightning.evaluation.compared import (
    Bootstrap,
    ComparedDataset,
    ComparedModel,
    ComparedPair,
    DisputedImage,
)
from mnist_lightning.evaluation.document import read_document, write_document
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.seeds import SeedStudy

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

    def write(self, path: Path) -> None:
        """Write the comparison to a JSON file, which is replaced in one step.

        Raises:
            OSError: The file cannot be written; the old one is left as it was.
            ValueError: A number is not finite.
        """
        write_document(self, path)


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
    return read_document(
        Comparison,
        path,
        version=COMPARISON_VERSION,
        noun="comparison",
        remedy="make it with `python scripts/compare.py`",
    )
