"""The images in use that options name."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from attrs import field, frozen

from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.named import (
    ACCOUNT,
    IN_CLUSTER,
    KUBERNETES,
    is_live,
    live_source,
)
from aioregistry.cleanup.in_use.references import InUse, InUseError, Use
from aioregistry.cleanup.in_use.several import SeveralInUse
from aioregistry.cleanup.in_use.summary import AskedServer, InUseSummary
from aioregistry.cli.asking import read_text
from aioregistry.cli.cleanup.options import Reading
from aioregistry.cli.display.text import safe
from aioregistry.cli.options import Access

if TYPE_CHECKING:
    from aioregistry.client.client import RegistryClient

__all__ = ["AskedUses", "GivenUses", "read_uses"]


@frozen
class GivenUses:
    """What the options say is in use: what files name, and whom to ask.

    Attributes:
        stated: All of it, where the options state it outright; else None.
        of_files: What files name.
        live: The sources that are asked, by name.
    """

    stated: InUse | None
    of_files: Sequence[Use] = ()
    live: Sequence[str] = ()
    _reading: Reading = field(factory=Reading, repr=False)
    # What was said is not said again.
    _told: set[str] = field(factory=set, init=False, repr=False, eq=False)

    @classmethod
    def read(cls, reading: Reading, recorded: InUseSummary | None = None) -> "GivenUses | None":
        """Read the options, and the files that they name; None where they name none.

        Args:
            reading: The options.
            recorded: What was in use for the plan, when there is a plan already.

        Raises:
            InUseError: A file is invalid, or may not name all that runs.
            OSError: A file cannot be read.
            ValueError: ``none`` or ``plan`` is given beside others, or there is no plan yet.
        """
        given = reading.in_use or []
        for word in ("none", "plan"):
            if word in given and len(given) > 1:
                raise ValueError(f"--in-use {word} and other --in-use exclude each other")
        if not given:
            return None
        if given == ["none"]:
            return cls(InUse())
        if given == ["plan"]:
            if recorded is None:
                raise ValueError("--in-use plan: no plan that recorded what is in use")
            return cls(InUse(recorded.references, recorded.asked))
        live = [name for name in given if is_live(name)]
        uses: list[Use] = []
        notes: list[str] = []
        for name in given:
            if name not in live:
                try:
                    text = read_text(Path(name))
                except FileNotFoundError:
                    raise InUseError(
                        f"{name}: no such file, and none of {ACCOUNT}, {KUBERNETES}[:CONTEXT],"
                        f" {IN_CLUSTER}"
                    ) from None
                ignored = reading.in_use_ignore or ()
                uses += read_in_use(text, name, ignore_kinds=ignored, notes=notes)
        _print(notes)
        return cls(None, uses, live, reading)

    def now(self, access: Access) -> InUse:
        """Return what is in use now; no event loop may run in this thread.

        Args:
            access: How the account is reached, if it is asked.

        Raises:
            InUseError: What a source runs cannot be known.
        """

        async def ask() -> InUse:
            if ACCOUNT not in self.live:
                return await self.ask(None)
            from aioregistry.cli.connection import Connection

            async with Connection.open(access) as to:
                return await self.ask(to.client)

        return asyncio.run(ask()) if self.live else self._fixed()

    async def ask(self, client: "RegistryClient | None") -> InUse:
        """Return what is in use now; as `now`.

        Args:
            client: The account's, if that is asked; else None.
        """
        if not self.live:
            return self._fixed()
        further = self._reading.in_use_kind or ()
        ignore = self._reading.in_use_ignore or ()
        sources = SeveralInUse(
            *(
                live_source(name, client, further_kinds=further, ignore=ignore)
                for name in dict.fromkeys(self.live)
            )
        )
        found = await sources.ask()
        _print([note for note in sources.notes if note not in self._told])
        self._told.update(sources.notes)
        return InUse([*self.of_files, *found], sources.asked)

    def asked_by(self, client: "RegistryClient") -> "AskedUses":
        """Return what is in use as a source that is asked each time anew."""
        return AskedUses(self, client)

    def _fixed(self) -> InUse:
        return InUse(self.of_files) if self.stated is None else self.stated


class AskedUses:
    """What the options say is in use, for who asks several times.

    Args:
        given: The options.
        client: The account's.

    Attributes:
        asked: The servers that were asked, once all have answered.
    """

    def __init__(self, given: GivenUses, client: "RegistryClient") -> None:
        self.asked: tuple[AskedServer, ...] = ()
        self._given = given
        self._client = client

    async def __aiter__(self) -> AsyncGenerator[Use]:
        found = await self._given.ask(self._client)
        self.asked = found.asked
        for use in found:
            yield use


def read_uses(reading: Reading, access: Access) -> InUse | None:
    """Return the images in use that the options name, asked now; None where they name none.

    Args:
        reading: The options.
        access: How the account is reached, if it is asked.

    Raises:
        InUseError: What runs cannot be known for certain.
        OSError: A file cannot be read.
        ValueError: Options exclude each other.
    """
    given = GivenUses.read(reading)
    return None if given is None else given.now(access)


def _print(notes: Sequence[str]) -> None:
    for note in notes:
        typer.echo(f"in use: {safe(note)}", err=True)
