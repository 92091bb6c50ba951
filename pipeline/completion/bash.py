"""The completion script for bash, from version 3.2 on, which macOS has."""

from __future__ import annotations

import shlex

from foveate.pipeline.completion.spec import Tree
from foveate.pipeline.completion.tables import RECIPE, grouped, names, recipe_commands, switch_rows, value_rows

HEAD = """\
# Completion of foveate for bash, written by `foveate completion bash`. It starts no other program.
# Write it to ~/.local/share/bash-completion/completions/foveate, or source it in ~/.bashrc.
"""

BODY = r"""
# Candidates that begin with $1, one level of a dotted option at a time: --model. before --model.optimizer.lr.
__foveate_offer() {
    local cur=$1 word rest found last="" only="" count=0
    shift
    for word in "$@"; do
        case $word in "$cur"*) ;; *) continue ;; esac
        rest=${word#"$cur"}
        case $word in
            --*) case $rest in *.*) found=$cur${rest%%.*}. ;; *) found="$word " ;; esac ;;
            *:) found=$word ;;
            *) found="$word " ;;
        esac
        if [ "$found" != "$last" ]; then
            [ "$count" = 1 ] && COMPREPLY[${#COMPREPLY[@]}-1]=$only
            COMPREPLY+=("$found")
            last=$found count=0
        fi
        only="$word " count=$((count + 1))
        case $found in *:) count=2 ;; esac
    done
    [ "$count" = 1 ] && COMPREPLY[${#COMPREPLY[@]}-1]=$only
}

# Values of an option (or of the argument at a place); paths are left to the shell.
__foveate_take() {
    local values=$1 cur=$2
    case $values in
        "") type compopt >/dev/null 2>&1 && compopt +o default ;;
        @files) ;;
        *)
            __foveate_offer "$cur" ${values%@files}
            case $values in
                *@files) ;;
                *) [ ${#COMPREPLY[@]} = 0 ] && type compopt >/dev/null 2>&1 && compopt +o default ;;
            esac
            ;;
    esac
}

_foveate() {
    local words=() word glue="" index cur path="" option="" place=0 strip
    COMPREPLY=()
    for ((index = 1; index <= COMP_CWORD; index++)); do  # bash splits words at = and :
        word=${COMP_WORDS[index]}
        case $word in
            [=:]*) if [ ${#words[@]} -gt 0 ]; then words[${#words[@]}-1]+=$word; else words+=("$word"); fi; glue=1 ;;
            *) if [ -n "$glue" ]; then words[${#words[@]}-1]+=$word; glue=""; else words+=("$word"); fi ;;
        esac
    done
    cur=${words[${#words[@]}-1]}
    unset "words[${#words[@]}-1]"
    strip=${cur%"${cur##*[=:]}"}

    path=${words[0]}
    if [ ${#words[@]} = 0 ]; then
        __foveate_offer "$cur" $__foveate_commands
        return
    fi
    local group=$(__foveate_group "$path") rest=("${words[@]:1}")
    if [ -n "$group" ]; then
        if [ ${#words[@]} = 1 ]; then
            __foveate_offer "$cur" $group
            return
        fi
        path="$path ${words[1]}" rest=("${words[@]:2}")
    fi
    for word in "${rest[@]}"; do
        if [ -n "$option" ]; then
            option=""
            continue
        fi
        case $word in
            --*=*) ;;
            -*) __foveate_switch "$path" "$word" || option=$word ;;
            *) place=$((place + 1)) ;;
        esac
    done
    case $option in -c) option=--config ;; esac
    if [ -n "$option" ]; then
        __foveate_take "$(__foveate_values "$path" "$option")" "$cur"
    else
        case $cur in
            --*=*)
                __foveate_take "$(__foveate_values "$path" "${cur%%=*}")" "${cur#*=}"
                strip=${strip#"${cur%%=*}="}
                ;;
            -*) __foveate_offer "$cur" $(__foveate_options "$path") ;;
            *) __foveate_take "$(__foveate_values "$path" "$place")" "$cur" ;;
        esac
    fi
    if [ -n "$strip" ]; then  # bash replaces only what follows the last = or :
        for index in "${!COMPREPLY[@]}"; do COMPREPLY[index]=${COMPREPLY[index]#"$strip"}; done
    fi
}

complete -o default -o nospace -F _foveate foveate
"""


def render(tree: Tree) -> str:
    """The script.

    Args:
        tree: Everything that can be typed.
    """
    return "\n".join([HEAD, *_tables(tree), BODY.strip("\n"), ""])


def _tables(tree: Tree) -> list[str]:
    lines = [f"__foveate_commands={shlex.quote(' '.join(tree.commands))}"]
    lines += [f"__foveate_recipe={shlex.quote(names(tree))}"]
    lines += ["", "__foveate_group() {", "    case $1 in"]
    lines += [f"        {name}) echo {shlex.quote(' '.join(subs))} ;;" for name, subs in tree.groups.items()]
    lines += ["    esac", "}", "", "__foveate_options() {", "    case $1 in"]
    lines += [f"        {shlex.quote(spec.path)}) echo {shlex.quote(names(spec))} ;;" for spec in tree.specs]
    lines += ["    esac", "    case $1 in", f"        {_any(recipe_commands(tree))}) echo $__foveate_recipe ;;"]
    lines += ["    esac", "}", "", "__foveate_switch() {", '    case "$1 $2" in']
    lines += [f"        {_any([f'{path} {name}' for path, name in switch_rows(tree)])} | *' -h') return 0 ;;"]
    lines += ["    esac", "    return 1", "}", "", "__foveate_values() {", '    case "$1 $2" in']
    for own in (True, False):  # what a command says of an option comes before what recipes say
        rows = [row for row in value_rows(tree) if (row[0] != RECIPE) == own]
        lines += [f"        {_patterns(of)}) echo {shlex.quote(words)} ;;" for words, of in grouped(rows).items()]
    return [*lines, "    esac", "}", ""]


def _any(words: list[str]) -> str:
    return " | ".join(map(shlex.quote, words))


def _patterns(of: list[tuple[str, str]]) -> str:
    return " | ".join(
        f"*{shlex.quote(f' {name}')}" if command == RECIPE else shlex.quote(f"{command} {name}") for command, name in of
    )
