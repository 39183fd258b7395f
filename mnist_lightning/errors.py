"""The errors a user can mend; every command prints them as one line and exits with status 2."""


class UserError(Exception):
    """Something the user asked for cannot be done.

    The message is one or two short sentences: what is wrong, naming the file, option or value,
    and what to do about it.
    """


class DataError(UserError):
    """A data file is missing, damaged or not what it claims to be."""


class WeightsError(UserError):
    """A file of pretrained weights is missing, damaged or does not fit the network."""


class OutputError(UserError):
    """The output folder cannot be written, or a file in it is not what a command needs."""
