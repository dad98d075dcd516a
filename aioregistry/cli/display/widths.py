"""How wide the columns of a table are, and its lines in a terminal that has less room."""

from collections.abc import Sequence

from rich.cells import cell_len

__all__ = ["GAP", "fitted", "table_widths", "width_of", "wrap"]

# Blanks between two columns.
GAP = 2


def table_widths(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns, with two blanks between them; the widest are narrowed first.

    Args:
        natural: The widths that the columns want.
        least: The widths below which they are not narrowed; the table may be too wide then.
        room: The width of the terminal.
    """
    widths = list(natural)
    excess = sum(widths) + GAP * (len(widths) - 1) - room
    while excess > 0:
        wide = [n for n, width in enumerate(widths) if width > least[n]]
        if not wide:
            break
        widest = max(wide, key=lambda n: widths[n])
        widths[widest] -= 1
        excess -= 1
    return widths


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fitted(parts: list[str], widths: Sequence[int], room: float) -> list[str]:
    """Return the cells of a line, padded, as one line; as several where it would be too long.

    Then what follows a cell that is longer than its column is below it.
    """
    line = (" " * GAP).join(parts).rstrip()
    if width_of(line) <= room:
        return [line]
    lines, line, begin = [], "", 0
    for part, width in zip(parts, widths, strict=True):
        if part.strip() and width_of(line) > begin:
            lines.append(line.rstrip())
            line = " " * begin
        line += part + " " * GAP
        begin += width + GAP
    return [*lines, line.rstrip()]


def wrap(cell: str, width: int) -> list[str]:
    """Return a cell in lines of a width, broken between words alone."""
    if len(cell) <= width and cell.isascii():
        return [cell]
    lines: list[str] = []
    for word in cell.split(" "):
        if lines and width_of(lines[-1]) + 1 + width_of(word) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines
