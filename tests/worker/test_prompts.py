from dataclasses import replace

import pytest

from edgeinfer.engine.message import ChatMessage
from edgeinfer.errors import InvalidRequestError, PromptTooLongError
from edgeinfer.testing import ScriptedRunner
from edgeinfer.worker.prompts import PromptBuilder
from edgeinfer.worker.protocol import Generate

TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
HANG = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
HELLO = (ChatMessage("user", "hello"),)


class BosRunner(ScriptedRunner):
    """Begins a text with an X, as a tokenizer with a token for the beginning does."""

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """The text's bytes after the beginning."""
        bytes_only = super().tokenize(text, add_special=False, parse_special=parse_special)
        return list(b"X" * add_special) + bytes_only


def make_builder(template: str | None, *, bos_text: str = "") -> PromptBuilder:
    runner = BosRunner(context_tokens=512)
    runner.facts = replace(runner.facts, chat_template=template, bos_text=bos_text)
    return PromptBuilder(runner, template_deadline_s=0.2)


def prompt_of(builder: PromptBuilder, **fields: object) -> str:
    return bytes(builder.tokens(Generate(**fields))).decode()  # type: ignore[arg-type]


def test_a_conversation_goes_through_the_template() -> None:
    assert prompt_of(make_builder(TEMPLATE), messages=HELLO) == "X[user]hello[assistant]"


def test_a_template_that_begins_the_text_itself_gets_no_second_beginning() -> None:
    builder = make_builder("{{ bos_token }}" + TEMPLATE, bos_text="X")
    assert prompt_of(builder, messages=HELLO) == "X[user]hello[assistant]"


def test_raw_text_goes_past_the_template() -> None:
    assert prompt_of(make_builder(TEMPLATE), prompt="once upon") == "Xonce upon"


def test_without_a_template_a_single_message_is_continued() -> None:
    assert prompt_of(make_builder(None), messages=HELLO) == "Xhello"


def test_without_a_template_a_conversation_keeps_its_roles() -> None:
    messages = (*HELLO, ChatMessage("assistant", "hi"))
    expected = "Xuser: hello\nassistant: hi\nassistant:"
    assert prompt_of(make_builder(None), messages=messages) == expected


def test_a_template_that_hangs_is_stopped_and_the_next_request_is_served() -> None:
    builder = make_builder("{% if messages[0].content == 'hang' %}" + HANG + "{% endif %}ok")
    with pytest.raises(InvalidRequestError, match=r"longer than 0\.2 s"):
        prompt_of(builder, messages=(ChatMessage("user", "hang"),))
    assert prompt_of(builder, messages=HELLO) == "Xok"


@pytest.mark.parametrize(
    "fields", [{}, {"prompt": " \n"}, {"messages": (ChatMessage("user", ""),)}]
)
def test_an_empty_prompt_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError, match="empty"):
        prompt_of(make_builder(TEMPLATE), **fields)


def test_a_text_that_cannot_fit_is_refused_before_it_is_tokenized() -> None:
    with pytest.raises(PromptTooLongError) as caught:
        prompt_of(make_builder(TEMPLATE), prompt="x" * 20_000)
    assert caught.value.n_ctx == 512
