"""What can be wrong with a plugin, or with what a recipe asks of one."""


class PluginError(Exception):
    """A plugin is missing, ambiguous or faulty; the message names it and says what to do."""

    exit_code = 5
    code_name = "plugin"


class PluginConfigError(PluginError):
    """The recipe asks for a block that is not there, or describes it in a way that cannot be built."""

    exit_code = 2
    code_name = "config"
