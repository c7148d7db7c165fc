"""Rows of two columns, the second one wrapped below itself or cut off with an ellipsis."""

from rich.table import Table
from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

Row = tuple[Text, Text]


class Rows(Static):
    """A table that is laid out anew only when its text has changed."""

    wrap: reactive[bool] = reactive(default=True, init=False)

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Row, ...] = ()

    def show(self, rows: tuple[Row, ...]) -> None:
        """Replace all rows."""
        if rows == self._rows:
            return
        self._rows = rows
        self._lay_out()

    def watch_wrap(self) -> None:
        """Cut lines at the edge, or do so no longer."""
        self._lay_out()

    def _lay_out(self) -> None:
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        widest = max((left.cell_len for left, _ in self._rows), default=0)
        grid.add_column(no_wrap=True, min_width=widest)
        grid.add_column(
            ratio=1, no_wrap=not self.wrap, overflow="fold" if self.wrap else "ellipsis"
        )
        for left, right in self._rows:
            grid.add_row(left, right)
        self.update(grid)
