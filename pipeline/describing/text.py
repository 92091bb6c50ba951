"""The options of a topic as lines that fit the terminal."""

from __future__ import annotations

import shutil
import textwrap

from foveate.pipeline.describing.topics import Topic

LEAST, MOST = 40, 120  # characters of a line


def as_lines(topic: Topic) -> list[str]:
    """Each option with what it takes, its default and what it does.

    Args:
        topic: What was asked about.
    """
    width = min(MOST, max(LEAST, shutil.get_terminal_size((100, 24)).columns))
    lines = textwrap.wrap(f"{topic.name}: {topic.heading}", width)
    for option in topic.options:
        default = "required" if option.required else f"default {option.default_text}"
        head = f"  {topic.before}{option.name}  {option.kind}, {default}"
        lines += ["", *textwrap.wrap(head, width, subsequent_indent="      ", break_on_hyphens=False)]
        lines += textwrap.wrap(option.about, width, initial_indent="      ", subsequent_indent="      ")
    if not topic.options:
        lines += ["", "  no options"]
    return [*lines, *(["", *textwrap.wrap(topic.note, width)] if topic.note else [])]
