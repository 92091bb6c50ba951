"""A badge: a small picture with a block's place on the leaderboard, for a README."""

from __future__ import annotations

from foveate.datasets.pages.page import plain

WIDTH = 6.6  # pixels of a letter in 11 px sans-serif, with some room
LEFT, INK, PALE = "#30343b", "#ffffff", "#9fd0ff"
COLOURS = {"better": "#1f7a4d", "worse": "#a4403a"}  # of the right half, by what is known
NEUTRAL = "#2c6ba8"


def render_badge(block: str, text: str, known: str = "") -> str:
    """The picture as SVG: a name to the left, a result to the right, and the fovea's rings before them.

    Args:
        block: The name.
        text: The result, such as gate +1.2.
        known: `better` or `worse`, if that is known.

    Example:
        >>> render_badge("se", "gate +1.2").startswith("<svg")
        True
    """
    left, right = round(30 + WIDTH * len(block)), round(16 + WIDTH * len(text))
    name, said, width = plain(block), plain(text), left + right
    rings = "".join(
        f'<circle cx="13" cy="11" r="{radius}" fill="none" stroke="{PALE}" stroke-width="1.3" opacity="{opacity}"/>'
        for radius, opacity in ((6.5, 0.5), (3.8, 0.8))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="22" viewBox="0 0 {width} 22" role="img">'
        f"<title>{name}: {said}</title>"
        f'<rect width="{width}" height="22" rx="4" fill="{LEFT}"/>'
        f'<path d="M{left} 0h{right - 4}a4 4 0 0 1 4 4v14a4 4 0 0 1 -4 4H{left}z" '
        f'fill="{COLOURS.get(known, NEUTRAL)}"/>'
        f'{rings}<circle cx="13" cy="11" r="1.6" fill="{PALE}"/>'
        f'<g fill="{INK}" font-family="system-ui, sans-serif" font-size="11">'
        f'<text x="24" y="15" textLength="{left - 30}" lengthAdjust="spacingAndGlyphs">{name}</text>'
        f'<text x="{left + 8}" y="15" textLength="{right - 16}" lengthAdjust="spacingAndGlyphs">{said}</text>'
        "</g></svg>\n"
    )
