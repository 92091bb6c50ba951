"""What can go wrong on the way from a recipe to a trained model, each with its exit code."""

LAST_GOOD = "last good checkpoint"  # how the note on an exception begins that says where to resume


class FoveateError(Exception):
    """A mistake that one line can explain; the command prints it and ends with `exit_code`."""

    exit_code = 1
    code_name = "bug"


class ConfigError(FoveateError):
    """The recipe or the command line asks for something that does not exist or does not fit."""

    exit_code = 2
    code_name = "config"


class CheckpointError(FoveateError):
    """A checkpoint or weights file is missing, damaged, of another model, or refused as unsafe."""

    exit_code = 4
    code_name = "checkpoint"


class DivergedError(FoveateError):
    """The loss is not finite any more."""

    exit_code = 6
    code_name = "diverged"


class UnusableDataError(FoveateError):
    """Data was read, but not all of it can be used: no labelled pixel to score, images that are damaged."""

    exit_code = 3
    code_name = "data"
