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


def check_range(option: str, value: float, low: float, high: float, *, below: bool = False) -> None:
    """Refuse the value of an option that is NaN or out of range.

    Args:
        option: The option with its dashes, for the message.
        value: Its value.
        low: The smallest value.
        high: The largest value.
        below: Whether the value must stay below ``high``.

    Raises:
        UserError: The value is out of range.
    """
    if not low <= value <= high or (below and value == high):
        wanted = f"at least {low} and below {high}" if below else f"from {low} to {high}"
        raise UserError(f"{option} must be {wanted}, not {value}")
