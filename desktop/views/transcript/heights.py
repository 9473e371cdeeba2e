"""Heights of many rows with their running sums: a Fenwick tree (Fenwick 1994, doi:10.1002/spe.4380240306)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Heights:
    """Rows count from 0, heights are whole pixels of at least 0.

    Changing one, summing the rows before one and finding the row at a position each cost O(log n).
    """

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        # _tree[i] is the sum of the (i & -i) rows that end with row i - 1.
        self._tree = [0, *self._heights]
        for index in range(1, len(self._tree)):
            parent = index + (index & -index)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[index]

    def __len__(self) -> int:
        return len(self._heights)

    def __iter__(self) -> Iterator[int]:
        return iter(self._heights)

    def __getitem__(self, row: int) -> int:
        return self._heights[row]

    def __setitem__(self, row: int, height: int) -> None:
        difference = height - self._heights[row]
        if not difference:
            return
        self._heights[row] = height
        index = row + 1
        while index < len(self._tree):
            self._tree[index] += difference
            index += index & -index

    def append(self, height: int) -> None:
        index = len(self._tree)
        covered = self.before(index - 1) - self.before(index - (index & -index))
        self._heights.append(height)
        self._tree.append(height + covered)

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows."""
        del self._heights[count:]
        del self._tree[count + 1 :]

    @property
    def total(self) -> int:
        return self.before(len(self._heights))

    def before(self, row: int) -> int:
        """The sum of all rows above `row`: where it starts."""
        total = 0
        while row > 0:
            total += self._tree[row]
            row -= row & -row
        return total

    def at(self, position: int) -> int:
        """The row that covers `position` pixels from the top; the first or last one beyond the ends."""
        row = 0
        step = 1 << len(self._heights).bit_length()
        while step:
            if row + step <= len(self._heights) and self._tree[row + step] <= position:
                row += step
                position -= self._tree[row]
            step >>= 1
        return max(0, min(row, len(self._heights) - 1))
