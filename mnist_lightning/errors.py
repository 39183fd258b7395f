"""Errors that the user can fix; every command prints them as one line and exits with status 2."""


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it has none."""
    return next(filter(None, str(error).splitlines()), type(error).__name__)


class UserError(Exception):
    """A request that cannot be fulfilled.

    The message is one or two short sentences: the problem, with the file, option or value, and
    what to do about it.
    """


class DataError(UserError):
    """A data file is missing, damaged or of the wrong kind."""


class WeightsError(UserError):
    """A pretrained weights file is missing, damaged or does not fit the network."""


class OutputError(UserError):
    """The output folder is not writable, or a file in it is missing or invalid."""
