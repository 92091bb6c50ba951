"""The completion script for zsh."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from foveate.pipeline.completion.spec import Option, Tree
from foveate.pipeline.completion.tables import RECIPE, grouped, recipe_commands, switch_rows, value_rows

HEAD = """\
#compdef foveate
# Completion of foveate for zsh, written by `foveate completion zsh`. It starts no other program.
# Write it to a folder of $fpath as _foveate: in ~/.zshrc, before compinit, fpath=(~/.zfunc $fpath).
"""

BODY = r"""
# Options that begin with $1, one level of a dotted option at a time: --model. before --model.optimizer.lr.
__foveate_offer() {
    local cur=$1 item name tail level newline=$'\n'
    local -A members
    local -a whole levels
    shift
    for item in "$@"; do
        name=${item%%:*}
        [[ $name == "$cur"* ]] || continue
        tail=${name#"$cur"}
        if [[ $tail == *.* ]]; then
            level=$cur${tail%%.*}.
            members[$level]=${members[$level]:+${members[$level]}$newline}$item
        else
            whole+=("$item")
        fi
    done
    for level in "${(@ok)members}"; do
        if [[ ${members[$level]} == *$newline* ]]; then levels+=("$level"); else whole+=("${members[$level]}"); fi
    done
    (( $#levels )) && compadd -S '' -a levels
    (( $#whole )) && _describe -o option whole
}

# Values of an option, or of the argument at a place.
__foveate_take() {
    local -a plain open
    local word
    for word in ${=1}; do
        case $word in
            @files) ;;
            *:) open+=("$word") ;;
            *) plain+=("$word") ;;
        esac
    done
    (( $#plain )) && compadd -a plain
    (( $#open )) && compadd -S '' -a open
    [[ $1 == *@files ]] && _files
}

_foveate() {
    local -a rest reply
    local word command option="" place=0
    rest=("${(@)words[2,CURRENT-1]}")
    if (( $#rest == 0 )); then
        _describe command __foveate_commands
        return
    fi
    command=${rest[1]}
    shift rest
    __foveate_group "$command"
    if (( $#reply )); then
        if (( $#rest == 0 )); then
            _describe command reply
            return
        fi
        command="$command ${rest[1]}"
        shift rest
    fi
    for word in "${(@)rest}"; do
        if [[ -n $option ]]; then
            option=""
            continue
        fi
        case $word in
            --*=*) ;;
            -*) __foveate_switch "$command" "$word" || option=$word ;;
            *) (( place += 1 )) ;;
        esac
    done
    [[ $option == -c ]] && option=--config
    if [[ -z $option && $PREFIX == --*=* ]]; then
        option=${PREFIX%%=*}
        compset -P '*='
    fi
    if [[ -n $option ]]; then
        __foveate_values "$command" "$option"
        __foveate_take "$REPLY"
    elif [[ $PREFIX == -* ]]; then
        __foveate_options "$command"
        __foveate_offer "$PREFIX" "${(@)reply}"
    else
        __foveate_values "$command" "$place"
        __foveate_take "$REPLY"
    fi
}

if [[ $funcstack[1] == _foveate ]]; then _foveate "$@"; else compdef _foveate foveate; fi
"""


def render(tree: Tree) -> str:
    """The script.

    Args:
        tree: Everything that can be typed.
    """
    return "\n".join([HEAD, *_tables(tree), BODY.strip("\n"), ""])


def _tables(tree: Tree) -> list[str]:
    lines = ["typeset -ga __foveate_commands __foveate_recipe"]
    lines += [f"__foveate_commands=({_pairs(tree.commands)})", f"__foveate_recipe=({_options(tree.recipe)})"]
    lines += ["", "__foveate_group() {", "    reply=()", "    case $1 in"]
    lines += [f"        {name}) reply=({_pairs(subs)}) ;;" for name, subs in tree.groups.items()]
    lines += ["    esac", "}", "", "__foveate_options() {", "    reply=()", "    case $1 in"]
    lines += [f"        {shlex.quote(spec.path)}) reply=({_options(spec.options)}) ;;" for spec in tree.specs]
    taking = " | ".join(map(shlex.quote, recipe_commands(tree)))
    lines += ["    esac", "    case $1 in", f'        {taking}) reply+=("${{(@)__foveate_recipe}}") ;;']
    switches = " | ".join(shlex.quote(f"{path} {name}") for path, name in switch_rows(tree))
    lines += ["    esac", "}", "", "__foveate_switch() {", '    case "$1 $2" in']
    lines += [f"        {switches} | *' -h') return 0 ;;", "    esac", "    return 1", "}", ""]
    lines += ["__foveate_values() {", "    REPLY=''", '    case "$1 $2" in']
    for own in (True, False):  # what a command says of an option comes before what recipes say
        rows = [row for row in value_rows(tree) if (row[0] != RECIPE) == own]
        lines += [f"        {_patterns(of)}) REPLY={shlex.quote(words)} ;;" for words, of in grouped(rows).items()]
    return [*lines, "    esac", "}", ""]


def _pairs(described: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(f"{name}:{about}") for name, about in described.items())


def _options(options: Iterable[Option]) -> str:
    return " ".join(shlex.quote(f"{option.name}:{option.about or option.name}") for option in options)


def _patterns(of: list[tuple[str, str]]) -> str:
    return " | ".join(
        f"*{shlex.quote(f' {name}')}" if command == RECIPE else shlex.quote(f"{command} {name}") for command, name in of
    )
