"""Where a question is typed."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

INVITATION = "Press / and ask something"
INSTRUCTION = "Type a question, then Enter"


class Prompt(Input):
    """One line at the foot of the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Ask", key_display="enter"),
        Binding("ctrl+c", "app.quit", "Quit", key_display="ctrl+c", priority=True),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder=INVITATION, compact=True)

    def refuse(self, reason: str) -> None:
        """Say above the question why it is not asked; the next key takes that away."""
        self.border_title = reason

    def on_input_changed(self) -> None:
        """Take a refusal away."""
        self.border_title = ""

    def on_focus(self) -> None:
        """Say what to do here."""
        self.placeholder = INSTRUCTION

    def on_blur(self) -> None:
        """Say how to come here."""
        self.placeholder = INVITATION
