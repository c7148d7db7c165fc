"""Gives the network its start: word meanings learned by a mere bag of words, in a minute or two.

The first attention layer begins as an even mean over all earlier tokens, so the untrained network
is exactly that bag of words, and training only has to improve on it.
"""

from random import Random

import numpy as np
import torch
from batches import Batch, Numbers, Sampler
from model import Guide
from torch import Tensor
from torch.nn import functional

STEPS = 2500
ROWS = 256  # questions in a step
PEAK_RATE = 1e-2


def prime_guide(guide: Guide, sampler: Sampler, seed: int) -> float:
    """Sets embedding and first layer; returns the mean loss of the last steps."""
    random = Random(f"{seed}/prime")
    weight = guide.embedding.weight.detach().clone().requires_grad_()
    optimizer = torch.optim.AdamW([weight], lr=PEAK_RATE, weight_decay=0.01)
    losses = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = PEAK_RATE * (1 - step / STEPS)
        loss = bag_loss(weight, sampler.draw_choices(ROWS, random))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        guide.embedding.weight.copy_(weight)
    open_attention(guide)
    return sum(losses[-100:]) / len(losses[-100:])


def bag_loss(weight: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of the topics where the mean of all tokens' embeddings decides."""
    lengths = (batch.tokens != 0).sum(axis=1)
    wanted = torch.from_numpy(batch.targets[np.arange(len(lengths)), lengths - 1])
    return functional.cross_entropy(score_bags(weight, batch, lengths), wanted)


def score_bags(weight: Tensor, batch: Batch, lengths: Numbers) -> Tensor:
    """Scores of every token for each row."""
    tokens = torch.from_numpy(batch.tokens)
    kept = (tokens != 0).to(weight.dtype)[..., None]
    words = functional.rms_norm(functional.embedding(tokens, weight), weight.shape[1:]) * kept
    mean = words.sum(1) / torch.from_numpy(lengths)[:, None]
    return functional.linear(functional.rms_norm(mean, weight.shape[1:]), weight)


@torch.no_grad()
def open_attention(guide: Guide) -> None:
    """Lets the first layer hand on the mean of all earlier tokens; all else adds nothing yet."""
    for block in guide.list_blocks():
        block.attention.output.weight.zero_()
        block.feed.down.weight.zero_()
    width, first = guide.shape.width, guide.list_blocks()[0].attention
    first.joint.weight[:width] = 0.0
    first.joint.weight[2 * width :] = torch.eye(width)
    first.output.weight.copy_(torch.eye(width))
