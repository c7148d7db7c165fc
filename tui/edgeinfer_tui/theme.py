"""The terminal's own colors, which suit its background because its owner chose both."""

from textual.theme import BUILTIN_THEMES, Theme

_ANSI = BUILTIN_THEMES["ansi-dark"]

THEME = Theme(
    name="edgeinfer",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    accent="ansi_blue",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    # Black and white would vanish on one background or the other.
    variables=_ANSI.variables
    | {
        "border-blurred": "ansi_default",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "footer-foreground": "ansi_default",
        "footer-key-foreground": "ansi_default",
        "footer-description-foreground": "ansi_default",
    },
)
