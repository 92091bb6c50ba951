"""The completion script for fish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from foveate.pipeline.completion.spec import Option, Tree
from foveate.pipeline.completion.tables import RECIPE, grouped, recipe_commands, switch_rows, value_rows

HEAD = """\
# Completion of foveate for fish, written by `foveate completion fish`. It starts no other program.
# Write it to ~/.config/fish/completions/foveate.fish.
"""

BODY = r"""
# Lines of the options that begin with the given text, one level of a dotted option at a time.
function __foveate_offer
    set -l cur $argv[1]
    set -l length (string length -- $cur)
    set -l levels
    set -l kept
    for line in $argv[2..-1]
        set -l name (string split -f1 \t -- $line)
        string match -q -- "$cur*" $name; or continue
        set -l tail (string sub -s (math $length + 1) -- $name)
        if string match -q -- '*.*' $tail
            set -a levels $cur(string split -f1 . -- $tail).
            set -a kept $line
        else
            echo $line
        end
    end
    set -l index 0
    for level in $levels
        set index (math $index + 1)
        if test (count (string match -- $level $levels)) = 1
            echo $kept[$index]
        else
            set -l next $levels[(math $index + 1)]
            test "$level" = "$next"; or echo $level
        end
    end
end

# Values of an option, or of the argument at a place, each with a text before it.
function __foveate_take
    set -l values (string split -n ' ' -- $argv[1])
    for word in $values
        test $word = @files; or echo $argv[2]$word
    end
    if contains -- @files $values
        set -l start (string replace -r '^~' $HOME -- $argv[3])
        for path in $start*
            test -d $path; and set path $path/
            string match -q '~*' -- $argv[3]; and set path (string replace $HOME '~' -- $path)
            echo $argv[2]$path
        end
    end
end

function __foveate_complete
    set -l rest (commandline -opc)
    set -l cur (commandline -ct)
    set -e rest[1]
    if test (count $rest) = 0
        __foveate_commands
        return
    end
    set -l cmd $rest[1]
    set -e rest[1]
    if test -n "$(__foveate_group $cmd)"
        if test (count $rest) = 0
            __foveate_group $cmd
            return
        end
        set cmd "$cmd $rest[1]"
        set -e rest[1]
    end
    set -l option ''
    set -l place 0
    for word in $rest
        if test -n "$option"
            set option ''
            continue
        end
        switch $word
            case '--*=*'
            case '-*'
                __foveate_switch "$cmd $word"; or set option $word
            case '*'
                set place (math $place + 1)
        end
    end
    test "$option" = -c; and set option --config
    if test -n "$option"
        __foveate_take "$(__foveate_values "$cmd $option")" '' "$cur"
    else if string match -q -- '--*=*' "$cur"
        set -l halves (string split -m1 = -- $cur)
        __foveate_take "$(__foveate_values "$cmd $halves[1]")" "$halves[1]=" "$halves[2]"
    else if string match -q -- '-*' "$cur"
        __foveate_offer "$cur" (__foveate_options $cmd)
    else
        __foveate_take "$(__foveate_values "$cmd $place")" '' "$cur"
    end
end

complete -c foveate -f -k -a '(__foveate_complete)'
"""


def render(tree: Tree) -> str:
    """The script.

    Args:
        tree: Everything that can be typed.
    """
    return "\n".join([HEAD, *_tables(tree), BODY.strip("\n"), ""])


def quote(text: str) -> str:
    """A text as one word of fish.

    Example:
        >>> print(quote("a run's"))
        'a run\\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _tables(tree: Tree) -> list[str]:
    lines = ["function __foveate_commands", _lines(tree.commands), "end", ""]
    lines += ["function __foveate_recipe", _lines(_about(tree.recipe)), "end", ""]
    lines += ["function __foveate_group", "    switch $argv[1]"]
    for name, subs in tree.groups.items():
        lines += [f"        case {name}", _lines(subs)]
    lines += ["    end", "end", "", "function __foveate_options", "    switch $argv[1]"]
    for spec in tree.specs:
        lines += [f"        case {quote(spec.path)}", _lines(_about(spec.options))]
    lines += ["    end", "    switch $argv[1]", f"        case {' '.join(map(quote, recipe_commands(tree)))}"]
    lines += ["            __foveate_recipe", "    end", "end", ""]
    switches = " ".join(quote(f"{path} {name}") for path, name in switch_rows(tree))
    lines += ["function __foveate_switch", f"    contains -- $argv[1] {switches}", "end", ""]
    lines += ["function __foveate_values", "    switch $argv[1]"]
    for own in (True, False):  # what a command says of an option comes before what recipes say
        rows = [row for row in value_rows(tree) if (row[0] != RECIPE) == own]
        for words, of in grouped(rows).items():
            patterns = " ".join(quote(f"{command} {name}") for command, name in of)
            lines += [f"        case {patterns}", f"            echo {quote(words)}"]
    return [*lines, "    end", "end", ""]


def _lines(described: Mapping[str, str]) -> str:
    words = " ".join(quote(f"{name}\t{about}" if about else name) for name, about in described.items())
    return f"    printf '%s\\n' {words}" if words else "    true"


def _about(options: Iterable[Option]) -> dict[str, str]:
    return {option.name: option.about for option in options}
