"""New credentials: what they allow, and how long they are valid."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import frozen

from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import as_arguments
from aioregistry.cli.settings.settings import Settings, SettingsError, whole_seconds

if TYPE_CHECKING:
    from aioregistry.api.models import DockerCredentials

__all__ = ["Minted", "Scope"]

_EXPIRY = 30 * 86_400
_SCOPE = "Credentials"


@frozen
class Scope:
    """Permissions and lifetime of credentials."""

    read_write: Annotated[
        bool | None,
        typer.Option(
            "--read-write/--read-only",
            show_default="read-only",
            rich_help_panel=_SCOPE,
            help="Permission to push and pull, or to pull only (AIOREGISTRY_READ_WRITE).",
        ),
    ] = None
    expiry: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default="30d",
            rich_help_panel=_SCOPE,
            help="Lifetime of the credentials (AIOREGISTRY_EXPIRY).",
        ),
    ] = None
    never_expire: Annotated[
        bool,
        typer.Option(
            "--never-expire", rich_help_panel=_SCOPE, help="Make credentials that never expire."
        ),
    ] = False

    def seconds(self, settings: Settings) -> int | None:
        """Return the lifetime in seconds; None for ever.

        Raises:
            SettingsError: The options are invalid or exclude each other.
        """
        if self.never_expire and self.expiry is not None:
            raise SettingsError("--expiry and --never-expire exclude each other")
        if self.never_expire:
            return None
        try:
            given = None if self.expiry is None else whole_seconds(self.expiry)
        except ValueError as error:
            raise SettingsError(f"--expiry: {error}") from None
        return given or settings.expiry or _EXPIRY

    def check_helper_follows(self, settings: Settings, place: str) -> None:
        """Refuse options that the credential helper would not follow.

        Args:
            settings: What it follows.
            place: What makes Docker ask the helper.

        Raises:
            UsageError: The configuration has other values.
        """
        same = self.read_write in {None, settings.read_write} and not self.never_expire
        if same and (self.expiry is None or self.seconds(settings) == settings.expiry):
            return
        options = " ".join(as_arguments(self))
        raise UsageError(
            f"{options} has no effect with {place}: the credential helper takes read-write and"
            " expiry from the configuration. Set them with 'aioregistry config set read-write true'"
            " or 'aioregistry config set expiry 1h'"
        )


@frozen
class Minted:
    """New credentials.

    Attributes:
        credentials: The credentials.
        api_url: The API that made them.
        read_write: Whether they may push.
        expires_at: When they expire; None for never.
    """

    credentials: "DockerCredentials"
    api_url: str
    read_write: bool
    expires_at: datetime | None

    def __str__(self) -> str:
        until = (
            "never" if self.expires_at is None else f"{self.expires_at.astimezone():%Y-%m-%d %H:%M}"
        )
        scope = "push and pull" if self.read_write else "pull (not push; --read-write allows it)"
        return f"Docker may {scope} at {self.credentials.host}; the credentials expire: {until}"

    def warn(self, remedy: str) -> None:
        """Warn on stderr of credentials that never expire.

        Args:
            remedy: How they end.
        """
        if self.expires_at is None:
            typer.echo(f"warning: these credentials never expire: {remedy}", err=True)
