"""Errors of plugins, and of recipes that use them."""


class PluginError(Exception):
    """A plugin is missing, ambiguous or faulty; the message names it and says what to do."""

    exit_code = 5
    code_name = "plugin"


class PluginConfigError(PluginError):
    """The recipe names an unknown block, loss or other part, or gives it options it does not accept."""

    exit_code = 2
    code_name = "config"


class PluginLeftOutError(PluginConfigError):
    """The recipe names what no plugin offers, but a plugin that was left out may offer it; the message says why."""

    exit_code = 5
    code_name = "plugin"
