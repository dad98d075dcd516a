"""Exit codes of the commands, and how help describes them."""

from collections.abc import Mapping

__all__ = [
    "CHANGES",
    "DONE",
    "DRIFT_ONLY",
    "INTERRUPTED",
    "REFUSED",
    "SOME_FAILED",
    "WRONG_USAGE",
    "epilog",
]

DONE, SOME_FAILED, WRONG_USAGE, DRIFT_ONLY, REFUSED, CHANGES = 0, 1, 2, 3, 4, 5
INTERRUPTED = 130
_MEANINGS = {
    DONE: "success",
    SOME_FAILED: "failure",
    WRONG_USAGE: "wrong usage (nothing was sent)",
    REFUSED: "refused: the answer to a question was no",
    INTERRUPTED: "or 143 interrupted; 129 its terminal was closed",
}


def epilog(
    example: str,
    meanings: Mapping[int, str] | None = None,
    *,
    asks: bool = False,
    interrupts: bool = True,
) -> str:
    """Return the end of a command's help: an example, and its exit codes.

    Args:
        example: A line that runs the command.
        meanings: The meanings of codes for this command, where they are not the usual ones.
        asks: Whether the command asks before it changes anything.
        interrupts: Whether Ctrl-C, SIGTERM and SIGHUP have exit codes of their own.
    """
    known = {
        code: text
        for code, text in _MEANINGS.items()
        if (asks or code != REFUSED) and (interrupts or code != INTERRUPTED)
    }
    codes = "; ".join(
        f"{code} {text}" for code, text in sorted((known | dict(meanings or {})).items())
    )
    return f"Example: `{example}`\n\nExit codes: {codes}."
