"""What is deployed: a run of a clean-up, when it runs, and its policy. Pure."""

import re
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from aioregistry.cli.errors import UsageError

__all__ = ["CODES", "Deployment", "When", "checked"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AT = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_RULES = {
    # Kubernetes adds up to eleven characters to the name of a cron job.
    "--name": r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?",
    "--namespace": r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    "--secret": r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?",
    "--pull-secret": r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?",
    "--token-secret": r"[A-Za-z_][A-Za-z0-9_]{0,99}",
    "--branch": r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}",
    "--image": r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,400}",
    "--base": r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,400}",
    "--user": r"[a-z_][a-z0-9_-]{0,31}",
    # Of characters that mean themselves to shells, YAML, systemd, cron and GitHub alike.
    "--in-use": r"[A-Za-z0-9_./:@+=-]{1,400}",
    "--in-use-kind": r"[a-z0-9./-]{1,400}",
    "--in-use-ignore": r"[A-Za-z0-9_./:@+=-]{1,400}",
    "--policy": r"[A-Za-z0-9_./@+=-]{1,400}",
    "--package": r"[A-Za-z0-9_./:@+=-]{1,400}",
    "--program": r"/[A-Za-z0-9._/+-]{1,400}",
}
# What the exit codes of a run mean to whoever is woken by them.
CODES = (
    "Exit codes: 0 done; 3 done, but items that had changed meanwhile were kept: no alert.",
    "Alert on 1 (failed in part), 2 (wrong options or policy), 4 (more than the limits allow),",
    "130 and 143 (interrupted): the next run continues.",
)


@frozen
class When:
    """A time of day, in UTC, and the days of the week."""

    hour: int
    minute: int
    days: tuple[str, ...] = ()

    @classmethod
    def of(cls, at: str, on: str | None) -> "When":
        """Return the time that options name.

        Raises:
            UsageError: They name none.
        """
        found = _AT.fullmatch(at)
        if found is None:
            raise UsageError(f"--at: not a time of day: {at!r}; write 03:17")
        days = tuple(dict.fromkeys(part.strip().lower() for part in (on or "").split(",") if part))
        for day in days:
            if day not in _DAYS:
                raise UsageError(f"--on: no day {day!r}; the days are {', '.join(_DAYS)}")
        return cls(int(found[1]), int(found[2]), tuple(sorted(days, key=_DAYS.index)))

    @property
    def cron(self) -> str:
        """The five fields of a crontab."""
        days = ",".join(str((_DAYS.index(day) + 1) % 7) for day in self.days)
        return f"{self.minute} {self.hour} * * {days or '*'}"

    @property
    def calendar(self) -> str:
        """The same for a timer of systemd."""
        days = ",".join(day.capitalize() for day in self.days)
        return f"{days} *-*-* {self.hour:02}:{self.minute:02}:00 UTC".lstrip()


@frozen
class Deployment:
    """A run that is deployed.

    Attributes:
        name: Its name.
        registry: The registry; None for the account's only one.
        in_use: What says which images are in use.
        limits: Options of ``aioregistry cleanup apply``, also of ``run``.
        policy: The text of the policy.
        policy_name: The name of its file, whose ending says how it is read.
        when: When it runs.
        further_kinds: Kinds that clusters are asked for besides the usual ones.
        ignored: Kinds that need not name an image, and what is not asked.
    """

    name: str
    registry: str | None
    in_use: Sequence[str]
    limits: Sequence[str]
    policy: str
    policy_name: str
    when: When
    further_kinds: Sequence[str] = ()
    ignored: Sequence[str] = ()

    def words(self, policy: Path | str, program: str = "aioregistry") -> list[str]:
        """Return the command, given where the policy is and what the program is called."""
        registry = [] if self.registry is None else [self.registry]
        words = [program, "cleanup", "run", *registry, "--policy", str(policy), "--yes"]
        return [*words, *self.evidence, *self.limits]

    @property
    def evidence(self) -> list[str]:
        """The options on what is in use."""
        given = (
            ("--in-use", self.in_use),
            ("--in-use-kind", self.further_kinds),
            ("--in-use-ignore", self.ignored),
        )
        return [word for option, values in given for one in values for word in (option, one)]

    def line(self, policy: Path | str, program: str = "aioregistry") -> str:
        """Return the command as a line; no word of it needs quotes."""
        return " ".join(self.words(policy, program))


def checked(option: str, value: str) -> str:
    """Return the value of an option that becomes a part of a file.

    Raises:
        UsageError: It could be read there as something else.
    """
    if not re.fullmatch(_RULES[option], value, re.ASCII):
        raise UsageError(f"{option}: cannot be {value!r}")
    return value
