import pytest

from tests.store.gguf_writer import Gguf


@pytest.fixture
def write(tmp_path):
    """Puts bytes or a Gguf into a file and returns its path."""

    def write_file(content=None, name="tiny.gguf"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else (content or Gguf()).build()
        path.write_bytes(raw)
        return path

    return write_file
