"""What can stop the setup, each with its sentence and its remedy."""

TOOLS_MISSING = 2
STORAGE = 7


class SetupError(Exception):
    """Base of what a person can do something about: `str()` is the sentence, `hint` the remedy."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


class CommandError(SetupError):
    """A command that the setup ran ended with an error; `output` is the end of what it wrote."""

    def __init__(self, message: str, *, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class StoppedError(BaseException):
    """A signal asked the setup to end; passes every `except Exception` on its way out."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number
