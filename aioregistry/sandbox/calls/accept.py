"""Which media types a client accepts: RFC 9110, sections 5.3 and 12.5.1."""

from collections.abc import Sequence

__all__ = ["accepts"]


def accepts(lines: Sequence[str], media_type: str) -> bool:
    """Return whether a client that sent these ``Accept`` lines takes a media type.

    Several lines are one list. Of the entries that match, the most specific decides: the type
    itself before ``type/*`` before ``*/*``; with ``q=0`` it excludes. Without any entry all is
    accepted.

    Args:
        lines: The values of all ``Accept`` headers, in any order.
        media_type: The type to be sent, without parameters.
    """
    weights: dict[str, float] = {}
    for line in lines:
        for entry in line.split(","):
            pattern, *parameters = (part.strip().lower() for part in entry.split(";"))
            if pattern:
                weights[pattern] = max(_weight(parameters), weights.get(pattern, 0.0))
    if not weights:
        return True
    wanted = media_type.lower()
    for pattern in (wanted, f"{wanted.partition('/')[0]}/*", "*/*"):
        if pattern in weights:
            return weights[pattern] > 0
    return False


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
