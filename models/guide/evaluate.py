"""Asks the guide the held-out questions through llama.cpp, and counts right answers.

How it scores: an answer, generated greedily, is right if every `must` phrase of the expected topic
is in it (whatever the case and the line breaks), and if of all topics' answers in that language it
is nearest to the expected one (F1 over words), with an F1 of at least 0.8.

What that does not measure: whether the reviewed answer is itself the best one to give, follow-up
questions that need the previous turn, questions about topics that nobody wrote an answer for
(other than the off-topic cases), other languages, and sampling at a temperature above 0.
"""

import argparse
import ctypes
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import llama_cpp
from corpus import (
    DATA,
    HELDOUT,
    Case,
    Entry,
    dev_cases,
    holds_phrases,
    is_dev,
    normalize_text,
    read_corpus,
    read_heldout,
)

MODEL = Path(__file__).resolve().parents[1] / "edgeinfer_models" / "edgeinfer-guide-Q8_0.gguf"
LEAST_F1 = 0.8
LEAST_ACCURACY = 0.9
NEAR_OVERLAP = 0.8  # of the word sets: shared words / all words
MOST_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Result:
    """One case with the guide's answer and what the scoring found."""

    topic: str
    language: str
    area: str
    question: str
    answer: str
    nearest: str
    f1: float
    has_phrases: bool
    is_right: bool
    overlap: float  # with the most similar training question, 0 to 1


class Examiner:
    """Scores answers against all reviewed answers."""

    def __init__(self, entries: Sequence[Entry], *, is_dev_run: bool) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.trained = {
            normalize_text(question)
            for entry in entries
            for question in entry.questions
            if not (is_dev_run and is_dev(question))
        }
        self.word_sets = {frozenset(question.split()) for question in self.trained}

    def score_answer(self, case: Case, answer: str) -> Result:
        """What one answer is worth."""
        expected = self.entries[case.name]
        rivals = [entry for entry in self.entries.values() if entry.language == case.language]
        nearest = max(rivals, key=lambda entry: word_f1(entry.answer, answer))
        f1 = word_f1(expected.answer, answer)
        has_phrases = holds_phrases(answer, expected.must)
        return Result(
            topic=case.topic,
            language=case.language,
            area=expected.area,
            question=case.question,
            answer=answer,
            nearest=nearest.topic,
            f1=round(f1, 4),
            has_phrases=has_phrases,
            is_right=has_phrases and f1 >= LEAST_F1 and nearest is expected,
            overlap=round(self._find_overlap(case.question), 4),
        )

    def is_trained(self, question: str) -> bool:
        """Whether a question is, after normalization, one of the training questions."""
        return normalize_text(question) in self.trained

    def _find_overlap(self, question: str) -> float:
        words = frozenset(normalize_text(question).split())
        return max(len(words & other) / max(1, len(words | other)) for other in self.word_sets)


def word_f1(expected: str, answer: str) -> float:
    """Harmonic mean of precision and recall over the words of two texts, 0 to 1."""
    wanted = Counter(normalize_text(expected).split())
    given = Counter(normalize_text(answer).split())
    shared = (wanted & given).total()
    return 2 * shared / max(1, wanted.total() + given.total())


def answer_question(model: llama_cpp.Llama, question: str) -> str:
    """The guide's greedy answer to one question, by the chat template of the file."""
    reply: Any = model.create_chat_completion(
        messages=[{"role": "user", "content": question}], temperature=0.0, max_tokens=MOST_TOKENS
    )
    return str(reply["choices"][0]["message"]["content"])


def load_processors() -> None:
    """Registers the CPU variants where the wheel has them as libraries of their own."""
    package = Path(llama_cpp.__file__).parent
    for folder in (package / "lib", package.parent / "bin"):
        if any(folder.glob("*ggml-cpu*")):
            load = llama_cpp.llama_cpp._lib.ggml_backend_load_all_from_path  # noqa: SLF001
            load.argtypes, load.restype = [ctypes.c_char_p], None
            load(str(folder).encode())
            return


def run_cases(path: Path, examiner: Examiner, cases: Iterable[Case]) -> list[Result]:
    """All cases, one after the other."""
    load_processors()
    model = llama_cpp.Llama(str(path), n_ctx=1024, n_threads=2, verbose=False)
    return [examiner.score_answer(case, answer_question(model, case.question)) for case in cases]


def take_share(results: Iterable[Result]) -> dict[str, float]:
    """How many there are and which share is right."""
    known = list(results)
    right = sum(result.is_right for result in known)
    return {"cases": len(known), "right": right, "accuracy": round(right / max(1, len(known)), 4)}


def group_shares(results: Iterable[Result], key: str) -> dict[str, dict[str, float]]:
    """`take_share` for each value of one field."""
    groups: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[getattr(result, key)].append(result)
    return {name: take_share(groups[name]) for name in sorted(groups)}


def summarize_results(results: Sequence[Result], examiner: Examiner) -> dict[str, Any]:
    """The figures of one evaluation."""
    distant = [result for result in results if result.overlap <= NEAR_OVERLAP]
    return {
        "total": take_share(results),
        "language": group_shares(results, "language"),
        "area": group_shares(results, "area"),
        "repeats_of_training": sum(examiner.is_trained(result.question) for result in results),
        "near_training_share": round(1 - len(distant) / max(1, len(results)), 4),
        "without_near_training": take_share(distant),
    }


def format_summary(summary: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines of text."""
    yield _format_share("all", summary["total"])
    for key in ("language", "area"):
        for name, share in summary[key].items():
            yield _format_share(f"{key} {name}", share)
    yield f"{'repeats of training questions':32} {summary['repeats_of_training']}"
    near = summary["near_training_share"]
    yield f"{f'word overlap over {NEAR_OVERLAP}':32} {near:.1%} of the cases"
    yield _format_share("accuracy without those", summary["without_near_training"])


def format_failures(results: Iterable[Result]) -> Iterator[str]:
    """Each wrong answer: question, expected topic, and the topic that was answered."""
    for result in results:
        if not result.is_right:
            reason = "" if result.has_phrases else ", lacks a must phrase"
            yield f"  {result.topic}/{result.language}: {result.question!r}"
            score = f"F1 {result.f1:.2f}{reason}"
            yield f"    answered {result.nearest} ({score}): {result.answer[:90]!r}"


def write_report(
    path: Path, model: Path, summary: Mapping[str, Any], results: list[Result]
) -> None:
    """Everything as JSON."""
    report = {
        "model": model.name,
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "llama_cpp_python": llama_cpp.__version__,
        **summary,
        "results": [asdict(result) for result in results],
    }
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 under 90 %, or where a held-out question is in training."""
    options = parse_options(arguments)
    entries = read_corpus()
    cases = dev_cases(entries) if options.dev else read_heldout(entries, options.heldout)
    examiner = Examiner(entries, is_dev_run=options.dev)
    results = run_cases(options.model, examiner, cases)
    summary = summarize_results(results, examiner)
    print(__doc__, *format_summary(summary), "", *format_failures(results), sep="\n")
    if options.json:
        write_report(options.json, options.model, summary, results)
    is_good = summary["total"]["accuracy"] >= LEAST_ACCURACY
    return int(not is_good or summary["repeats_of_training"] > 0)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL, help="the GGUF file")
    parser.add_argument("--heldout", type=Path, default=DATA / HELDOUT, help="the cases")
    parser.add_argument("--dev", action="store_true", help="development questions instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes a report")
    return parser.parse_args(arguments)


def _format_share(name: str, share: Mapping[str, float]) -> str:
    return f"{name:32} {share['right']:4} of {share['cases']:4}  {share['accuracy']:.1%}"


if __name__ == "__main__":
    raise SystemExit(main())
