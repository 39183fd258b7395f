"""Descriptions of a run for its record and for the terminal: network, dataset, training."""

import torch
from lightning import Trainer

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.evaluation.cost import Parameters
from mnist_lightning.models import DigitClassifier
from mnist_lightning.records.record import DatasetDescription, NetworkDescription, Training
from mnist_lightning.terminal.wording import count
from mnist_lightning.training.history import History


def announce(
    trainer: Trainer, model: DigitClassifier, data: MNISTDataModule, precision_reason: str
) -> str:
    """Describe model, data and hardware in two lines, before the training."""
    parameters = count_parameters(model)
    some = parameters.trainable < parameters.total
    trained = f" ({parameters.trainable:,} of them trained)" if some else ""
    device = trainer.strategy.root_device
    threads = torch.get_num_threads()
    cores = f", {count(threads, 'thread')}" if device.type == "cpu" else ""
    start = "" if model.weights in model.title else f", from {model.weights}"
    return (
        f"{model.title}, {parameters.total:,} parameters{trained}{start}, on "
        f"{data.dataset.name}: {len(data.train):,} training, {len(data.val):,} validation, "
        f"{len(data.test):,} test images\n{trainer.world_size} x {device.type}{cores}, "
        f"{trainer.precision} ({precision_reason}), channels_last"
    )


def count_parameters(model: DigitClassifier) -> Parameters:
    """Count all parameters, and those that are trained in any stage."""
    return Parameters(
        total=sum(p.numel() for p in model.network.parameters()),
        trainable=sum(p.numel() for p in model.learning_parameters()),
    )


def describe_network(model: DigitClassifier, name: str, preset: str) -> NetworkDescription:
    """Describe the network.

    Args:
        model: The LightningModule that trains it.
        name: Prefix of its files.
        preset: The NAME of ``--model NAME`` that trains it again.
    """
    network = model.network
    return NetworkDescription(
        name=name,
        preset=preset,
        title=model.title,
        class_path=f"{type(network).__module__}.{type(network).__qualname__}",
        hyperparameters=dict(model.hparams),
        weights=model.weights,
        parameters=count_parameters(model),
        weights_origin=model.weights_origin,
    )


def describe_dataset(data: MNISTDataModule) -> DatasetDescription:
    """Describe the dataset and its three parts."""
    return DatasetDescription(
        name=data.dataset.name,
        fingerprint=data.dataset.fingerprint,
        is_standard=data.dataset.is_standard,
        train=len(data.train),
        validation=len(data.val),
        test=len(data.test),
    )


def describe_training(
    trainer: Trainer, history: History, *, seconds: float, seed: int, command: list[str]
) -> Training:
    """Describe the training so far.

    Args:
        trainer: The Trainer after ``fit``.
        history: At least one epoch.
        seconds: Wall time of the training.
        seed: The seed of the run.
        command: The arguments of the command line.
    """
    last = history.rows[-1]
    return Training(
        seed=seed,
        epochs=len(history.rows),
        train_loss=last["train/loss"],
        train_accuracy=last["train/accuracy"],
        steps=int(last["step"]),
        seconds=round(seconds, 1),
        accelerator=trainer.strategy.root_device.type,
        devices=trainer.world_size,
        precision=str(trainer.precision),
        threads=history.threads,
        resumed=history.resumed,
        commit=history.commit,
        command=tuple(command),
    )
