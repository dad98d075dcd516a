"""Which DELETEs were denied, so that the registry is asked what became of them: pure."""

from aioregistry.bulk.report import Outcome
from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.cleanup.records.journal import JournalError
from aioregistry.errors import AuthenticationError

__all__ = ["ABORTING", "answer_of", "is_denied", "was_sent_again"]

# After these nothing more is begun.
ABORTING = (AuthenticationError, InUseError, JournalError)


def is_denied(outcome: Outcome) -> bool:
    """Return whether the registry is asked what became of a DELETE that was sent.

    A 404, also in answer to a further attempt, may be a passing one; and what the API refused, it,
    or a proxy before it, may have carried out.
    """
    if outcome.verdict is not None:
        return False
    if outcome.status == "failed":
        return outcome.attempts > 0 and not isinstance(outcome.error, ABORTING)
    return outcome.status == "absent" or was_sent_again(outcome)


def was_sent_again(outcome: Outcome) -> bool:
    """Return whether a DELETE that was carried out was sent more than once."""
    return outcome.attempts > 1 and outcome.status == "deleted"


def answer_of(outcome: Outcome) -> str:
    """Return in words what a DELETE that was denied was answered with."""
    if outcome.status == "failed":
        return str(outcome.error)
    return "the API answered that it does not exist"
