"""Trains edgeinfer-guide: `python models/guide/train.py` makes the tokenizer and the weights."""

import argparse
import json
import math
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import tokenizers
import torch
from augment import read_phrasebooks
from batches import Batch, Mixture, Sampler, Sources, stack_rows
from batches import Example as Row
from corpus import (
    DATA,
    HELDOUT,
    Case,
    Entry,
    dev_cases,
    digest_data,
    normalize_text,
    read_corpus,
    read_heldout,
)
from model import Guide, Shape
from offtopic import read_templates
from patterns import read_patterns
from prime import prime_guide
from tokenizer import ChatEncoder, train_tokenizer
from torch.nn import functional

WORK = Path(__file__).resolve().parents[2] / ".build" / "guide"
OFFTOPIC_SAMPLES = 3000  # template questions that the tokenizer sees, a language
EVALUATION_ROWS = 128


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides a training run, besides the data."""

    pools: int = 200
    seed: int = 7
    threads: int = 2
    peak_rate: float = 1e-3
    warmup_pools: int = 5
    weight_decay: float = 0.1
    dropout: float = 0.05
    average: float = 0.998  # of the averaged weights that are kept at each step
    check_pools: int = 10  # between two looks at the development questions
    width: int = 256
    layers: int = 4
    heads: int = 4
    hidden: int = 512
    mixture: Mixture = field(default_factory=Mixture)


@dataclass
class Run:
    """A training under way: the network, its averaged twin, the optimizer and the place reached."""

    settings: Settings
    guide: Guide
    averaged: Guide
    optimizer: torch.optim.Optimizer
    pool: int = 0

    @classmethod
    def start(cls, settings: Settings, vocabulary: int) -> "Run":
        """A run at its beginning."""
        shape = Shape(vocabulary, settings.width, settings.layers, settings.heads, settings.hidden)
        guide, averaged = Guide(shape, settings.dropout), Guide(shape)
        averaged.load_state_dict(guide.state_dict())
        averaged.eval()
        return cls(settings, guide, averaged, make_optimizer(guide, settings))

    def save_file(self, path: Path) -> None:
        """Writes a checkpoint that `load_file` continues from and export.py reads."""
        state = {
            "settings": asdict(self.settings),
            "shape": self.guide.shape.as_dict(),
            "guide": self.guide.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "pool": self.pool,
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load_file(self, path: Path) -> None:
        """Takes over the state of a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.guide.load_state_dict(state["guide"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.pool = state["pool"]


def make_optimizer(guide: Guide, settings: Settings) -> torch.optim.Optimizer:
    """AdamW that decays matrices but not the gains of the norms."""
    gains = [parameter for parameter in guide.parameters() if parameter.dim() == 1]
    matrices = [parameter for parameter in guide.parameters() if parameter.dim() > 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": gains, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.peak_rate, betas=(0.9, 0.98), fused=True)


def learning_rate(settings: Settings, pool: float) -> float:
    """Rises linearly, then falls along a cosine to a fiftieth of the peak."""
    if pool < settings.warmup_pools:
        return settings.peak_rate * (pool + 0.1) / settings.warmup_pools
    way = (pool - settings.warmup_pools) / max(1, settings.pools - settings.warmup_pools)
    return settings.peak_rate * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, way))) / 2)


def batch_loss(guide: Guide, batch: Batch) -> torch.Tensor:
    """The weighted mean of the cross entropies where something is expected."""
    weights = torch.from_numpy(batch.weights)
    wanted = weights > 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = guide(torch.from_numpy(batch.tokens))
        scores = guide.score_tokens(states[wanted])
    targets = torch.from_numpy(batch.targets)[wanted]
    losses = functional.cross_entropy(scores, targets, reduction="none")
    mean: torch.Tensor = (losses * weights[wanted]).sum() / weights.sum()
    return mean


def take_step(run: Run, batch: Batch) -> float:
    """One update of the weights and of their average; returns the loss."""
    loss = batch_loss(run.guide, batch)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.guide.parameters(), 1.0)
    run.optimizer.step()
    with torch.no_grad():
        for mean, new in zip(run.averaged.parameters(), run.guide.parameters(), strict=True):
            mean.lerp_(new, 1 - run.settings.average)
    return loss.item()


def train_pool(run: Run, sampler: Sampler) -> float:
    """All batches of the next pool; returns the mean loss."""
    run.guide.train()
    batches = sampler.make_pool(run.pool, run.settings.mixture)
    losses = []
    for step, batch in enumerate(batches):
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.settings, run.pool + step / len(batches))
        losses.append(take_step(run, batch))
    run.pool += 1
    return sum(losses) / len(losses)


@torch.no_grad()
def choose_topics(guide: Guide, encoder: ChatEncoder, cases: Sequence[Case]) -> list[int]:
    """The token that the guide would generate first for each question."""
    chosen: list[int] = []
    for start in range(0, len(cases), EVALUATION_ROWS):
        rows = [
            encoder.encode_question(case.question, None, 0.0)
            for case in cases[start : start + EVALUATION_ROWS]
        ]
        batch = stack_rows([Row(row, row, [1.0] * len(row)) for row in rows])
        states = guide(torch.from_numpy(batch.tokens))
        last = states[torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])]
        chosen += guide.score_tokens(last).argmax(-1).tolist()
    return chosen


@torch.no_grad()
def count_recited(guide: Guide, encoder: ChatEncoder, entries: Iterable[Entry]) -> int:
    """How many answers the guide would continue rightly at each of their tokens."""
    recited = 0
    for entry in entries:
        answer = [*encoder.encode_text(entry.answer), encoder.turn_end]
        opening = encoder.encode_question(entry.questions[0], None, 0.0)
        tokens = [*opening, encoder.find_topic(entry.name), *answer]
        states = guide(torch.tensor([tokens[:-1]]))[0, len(opening) :]
        recited += guide.score_tokens(states).argmax(-1).tolist() == answer
    return recited


def measure_guide(
    guide: Guide, encoder: ChatEncoder, entries: Sequence[Entry], cases: Sequence[Case]
) -> dict[str, float]:
    """Shares of development questions with the right topic, and of answers known by heart."""
    chosen = choose_topics(guide, encoder, cases)
    right = [
        token == encoder.find_topic(case.name) for token, case in zip(chosen, cases, strict=True)
    ]
    figures = {"dev": sum(right) / len(right)}
    for language in ("en", "fr"):
        some = [hit for hit, case in zip(right, cases, strict=True) if case.language == language]
        figures[f"dev_{language}"] = sum(some) / max(1, len(some))
    figures["recited"] = count_recited(guide, encoder, entries) / len(entries)
    return {name: round(figure, 4) for name, figure in figures.items()}


def make_encoder(entries: Sequence[Entry], seed: int) -> ChatEncoder:
    """Trains the tokenizer on the corpus and on samples of the off-topic templates."""
    random = Random(seed)
    templates = read_templates().values()
    texts = [one.fill_template(random) for one in templates for _ in range(OFFTOPIC_SAMPLES)]
    return ChatEncoder(train_tokenizer(entries, texts))


def read_sources(entries: Sequence[Entry]) -> Sources:
    """All that questions are made of; those of development and examination are banned."""
    held = [*dev_cases(entries), *(read_heldout(entries) if (DATA / HELDOUT).exists() else [])]
    banned = frozenset(normalize_text(case.question) for case in held)
    return Sources(read_phrasebooks(), read_patterns(), read_templates(), banned)


def describe_setup(settings: Settings, guide: Guide) -> dict[str, Any]:
    """What has to be the same for the same weights."""
    return {
        "settings": asdict(settings),
        "parameters": guide.count_parameters(),
        "data_sha256": digest_data(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tokenizers": tokenizers.__version__,
        "numpy": np.__version__,
        "processor": platform.machine(),
    }


class Journal:
    """A file of JSON lines that also go to the terminal."""

    def __init__(self, path: Path) -> None:
        self.path, self.start_s = path, time.monotonic()

    def write_line(self, record: dict[str, Any]) -> None:
        """One record, stamped with the seconds since this program started."""
        line = json.dumps({**record, "elapsed_s": round(time.monotonic() - self.start_s)})
        print(line, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def train_guide(settings: Settings, folder: Path, *, resume: bool) -> None:
    """The whole training: checkpoint, tokenizer and journal lie in the folder afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = read_corpus()
    encoder = make_encoder(entries, settings.seed)
    encoder.tokenizer.save(str(folder / "tokenizer.json"))
    run = Run.start(settings, encoder.tokenizer.get_vocab_size())
    checkpoint, journal = folder / "checkpoint.pt", Journal(folder / "journal.jsonl")
    sampler = Sampler(entries, encoder, read_sources(entries), seed=settings.seed)
    if resume and checkpoint.exists():
        run.load_file(checkpoint)
    else:
        journal.path.unlink(missing_ok=True)
        journal.write_line(describe_setup(settings, run.guide))
        loss = prime_guide(run.guide, sampler, settings.seed)
        run.averaged.load_state_dict(run.guide.state_dict())
        journal.write_line({"primed": round(loss, 4)})
    cases = dev_cases(entries)
    while run.pool < settings.pools:
        loss = train_pool(run, sampler)
        if run.pool % settings.check_pools == 0 or run.pool == settings.pools:
            figures = measure_guide(run.averaged, encoder, entries, cases)
            journal.write_line({"pool": run.pool, "loss": round(loss, 4), **figures})
            run.save_file(checkpoint)


def parse_settings(arguments: Sequence[str] | None) -> tuple[Settings, Path, bool]:
    """Command line to settings, folder and whether to resume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=WORK, help="for checkpoint and journal")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    for name, default in asdict(Settings()).items():
        if name != "mixture":
            flag = f"--{name.replace('_', '-')}"
            parser.add_argument(flag, type=type(default), default=default)
    options = vars(parser.parse_args(arguments))
    folder, resume = options.pop("folder"), options.pop("resume")
    return Settings(**options), folder, resume


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    settings, folder, resume = parse_settings(arguments)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    train_guide(settings, folder, resume=resume)


if __name__ == "__main__":
    main()
