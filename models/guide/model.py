"""The guide's network: the Llama architecture, small enough to train on two CPU cores."""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SHORT_ROW = 160  # tokens


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network. Every row is a multiple of 32, the block of Q8_0."""

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 4
    hidden: int = 512
    context: int = 1024
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Numbers a head works on."""
        return self.width // self.heads

    def as_dict(self) -> dict[str, float]:
        """What a checkpoint records."""
        return asdict(self)


class Norm(nn.Module):
    """RMSNorm with a gain."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.norm_epsilon

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape [..., width], in float32."""
        return functional.rms_norm(states.float(), self.weight.shape, self.weight, self.epsilon)


class Dropout(nn.Module):
    """Silences the same numbers at all positions of a row: cheaper than a mask for each."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, states: Tensor) -> Tensor:
        """States [batch, length, width]."""
        if not self.training or self.chance == 0.0:
            return states
        batch, _, width = states.shape
        kept = torch.rand(batch, 1, width) >= self.chance
        return states * (kept / (1 - self.chance)).to(states.dtype)


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.joint = nn.Linear(shape.width, 3 * shape.width, bias=False)  # query, key, value
        self.output = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, states: Tensor, turns: Tensor) -> Tensor:
        """States [batch, length, width]; turns are the rotations of `rotary_turns`."""
        batch, length, width = states.shape
        split = self.joint(states).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = attend_past(rotate_pairs(query, turns), rotate_pairs(key, turns), value)
        joined: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        return joined


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.joint = nn.Linear(shape.width, 2 * shape.hidden, bias=False)  # gate, up
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """States [batch, length, width]."""
        gate, lifted = self.joint(states).chunk(2, dim=-1)
        lowered: Tensor = self.down(functional.silu(gate) * lifted)
        return lowered


class Block(nn.Module):
    """One layer: attention, then the feed-forward part, each behind a norm."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = Norm(shape), Norm(shape)
        self.attention, self.feed = Attention(shape), FeedForward(shape)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, turns: Tensor) -> Tensor:
        """States [batch, length, width]."""
        states = states + self.dropout(self.attention(self.attention_norm(states), turns))
        fed: Tensor = states + self.dropout(self.feed(self.feed_norm(states)))
        return fed


class Guide(nn.Module):
    """Token ids to states, and states to scores by the embedding itself."""

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape, dropout) for _ in range(shape.layers))
        self.norm = Norm(shape)
        self.dropout = Dropout(dropout)
        self.register_buffer("turns", rotary_turns(shape), persistent=False)
        self.apply(self._start_weights)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [batch, length] to states [batch, length, width]."""
        turns = self.get_buffer("turns")[:, : tokens.shape[1]]
        states = self.dropout(self.embedding(tokens))
        for block in self.blocks:
            states = block(states, turns)
        normed: Tensor = self.norm(states)
        return normed

    def score_tokens(self, states: Tensor) -> Tensor:
        """States [..., width] to scores [..., vocabulary]."""
        return functional.linear(states, self.embedding.weight).float()

    def list_blocks(self) -> list[Block]:
        """The layers, first one first."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def count_parameters(self) -> int:
        """Trained numbers, the shared embedding once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _start_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            deviation = 1 / math.sqrt(module.in_features * 2 * self.shape.layers)
            nn.init.normal_(module.weight, std=deviation)
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1 / math.sqrt(self.shape.width))


def attend_past(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of [batch, heads, length, head_width].

    PyTorch's fused kernel is slow at training on short rows, so these are multiplied out.
    """
    length, width = query.shape[-2:]
    if length > SHORT_ROW:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    future = torch.full((length, length), -math.inf, dtype=query.dtype).triu(1)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(width) + future
    return torch.matmul(scores.softmax(-1).to(value.dtype), value)


def rotary_turns(shape: Shape) -> Tensor:
    """Cosines, and sines with the sign of each number, [2, context, head_width]."""
    exponents = torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width
    angles = torch.arange(shape.context)[:, None] / shape.rope_base ** exponents[None, :]
    sines = torch.stack([-angles.sin(), angles.sin()], dim=-1).flatten(-2)
    return torch.stack([angles.cos().repeat_interleave(2, dim=-1), sines])


def rotate_pairs(states: Tensor, turns: Tensor) -> Tensor:
    """Neighboring numbers (2i, 2i + 1) turned, as llama.cpp does for this architecture."""
    cosines, sines = turns.to(states.dtype)
    swapped = states.view(*states.shape[:-1], -1, 2).flip(-1).flatten(-2)
    rotated: Tensor = states * cosines + swapped * sines
    return rotated
