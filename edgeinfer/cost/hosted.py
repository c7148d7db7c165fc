"""Which hosted model stands beside a local one of a given size."""

from dataclasses import dataclass
from math import log

# Further apart than this factor, two models are not like for like, and the line says so.
CLOSE_FACTOR = 1.5
BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class HostedModel:
    """An open-weight model that somebody hosts, by its price id and its total parameters."""

    price_id: str
    parameters: int


# Parameters from the model cards, checked on 2026-11-20; each with the cheapest host that the
# price table lists, because that is fair to the cloud.
HOSTED = (
    HostedModel("aws/meta.llama3-2-1b-instruct-v1:0", 1_240_000_000),
    HostedModel("openrouter/liquid/lfm-3-1.7b", 1_700_000_000),
    HostedModel("openrouter/ibm-granite/granite-4.0-h-micro", 3_190_000_000),
    HostedModel("aws/meta.llama3-2-3b-instruct-v1:0", 3_210_000_000),
    HostedModel("mistral/ministral-3b-2512", 3_400_000_000),
    HostedModel("openrouter/microsoft/phi-4-mini-instruct", 3_840_000_000),
    HostedModel("openrouter/google/gemma-3-4b-it", 4_300_000_000),
    HostedModel("openrouter/meta-llama/llama-3.1-8b-instruct", 8_030_000_000),
    HostedModel("openrouter/qwen/qwen3-8b", 8_190_000_000),
    HostedModel("mistral/ministral-8b-2512", 8_500_000_000),
    HostedModel("openrouter/qwen/qwen3.5-9b", 9_700_000_000),
    HostedModel("openrouter/openai/gpt-oss-20b", 20_900_000_000),
    HostedModel("cerebras/qwen-3.8-27b", 27_800_000_000),
    HostedModel("huggingface_sambanova/meta-llama/Llama-3.3-70B-Instruct", 70_600_000_000),
    HostedModel("groq/openai/gpt-oss-120b", 116_800_000_000),
)


def nearest_hosted(parameters: int) -> HostedModel:
    """The hosted model whose size is the smallest factor away."""
    size = log(max(parameters, 1))
    return min(HOSTED, key=lambda hosted: abs(log(hosted.parameters) - size))


def default_like_for_like(parameters: int) -> str:
    """The price id of the hosted model nearest to this many parameters."""
    return nearest_hosted(parameters).price_id


def explain_likeness(parameters: int, price_id: str) -> str | None:
    """A clause where the hosted model is no equal of the local one; None where it is."""
    hosted = next((model for model in HOSTED if model.price_id == price_id), None)
    if hosted is None or parameters <= 0:
        return None
    size, local = _format_size(hosted.parameters), _format_size(parameters)
    if hosted == _smallest() and hosted.parameters > parameters * CLOSE_FACTOR:
        return (
            f"no hosted model is as small as {local} parameters, the smallest one listed has {size}"
        )
    if not 1 / CLOSE_FACTOR <= hosted.parameters / parameters <= CLOSE_FACTOR:
        return f"it has {size} parameters, the local model {local}"
    return None


def _smallest() -> HostedModel:
    return min(HOSTED, key=lambda hosted: hosted.parameters)


def _format_size(parameters: int) -> str:
    if parameters >= BILLION:
        return f"{parameters / BILLION:.3g} billion"
    return f"{parameters / 1_000_000:.3g} million"
