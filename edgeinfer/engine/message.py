"""A turn of a conversation: what crosses from a client to the model's chat template."""

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str
