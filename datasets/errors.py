"""What can be wrong with data."""


class DataError(Exception):
    """Data is missing, damaged or does not fit; the message names the file and says what to do."""

    exit_code = 3
    code_name = "data"


class DataConfigError(DataError):
    """The recipe or the command line describes the data in a way that cannot work."""

    exit_code = 2
    code_name = "config"


class DamagedError(DataError):
    """A file is missing or cannot be decoded; a training may skip it if the recipe says so."""
