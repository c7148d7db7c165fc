"""Token pieces to text while they arrive: whole UTF-8 characters only, stop strings never shown."""

import codecs


class StreamingDetokenizer:
    """Turns the bytes of successive tokens into text that may be shown at once.

    Bytes of an unfinished character are kept back, and so is text that may be the beginning of a
    stop string. After a stop string was met, `stopped` is True and no more text comes; the stop
    string itself is not part of the text.
    """

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stops = stops
        self._held = ""
        self.stopped = False

    def push(self, piece: bytes) -> str:
        """The text that became certain with this piece."""
        return self._release(self._decoder.decode(piece))

    def finish(self) -> str:
        """What was still held back, when no more tokens come; a torn character becomes U+FFFD."""
        text = self._release(self._decoder.decode(b"", final=True))
        rest, self._held = self._held, ""
        return text + rest

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        met = [index for stop in self._stops if (index := text.find(stop)) >= 0]
        if met:
            self.stopped, self._held = True, ""
            return text[: min(met)]
        keep = self._possible_stop(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _possible_stop(self, text: str) -> int:
        """Length of the longest end of `text` that begins a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
