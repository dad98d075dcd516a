"""The client of a command, and the registry and repository that its arguments name."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from attrs import frozen
from rich.console import Console

from aioregistry.api.names import check_registry
from aioregistry.cli.display.counting import CountingLimiter
from aioregistry.cli.display.progress import Display
from aioregistry.cli.display.text import reason_of, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Access
from aioregistry.cli.settings.settings import Setting, Settings, SettingsError
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.client.repository import RepositoryHandle
from aioregistry.errors import (
    AuthenticationError,
    InvalidNameError,
    InvalidTokenError,
    NotFoundError,
)
from aioregistry.oci.references import Reference

# Lists need neither the clean-up nor the registry itself, and loading these doubles their start.
if TYPE_CHECKING:
    from aioregistry.cleanup.manifests.reader import ContentReader
    from aioregistry.cleanup.records.archive import Archive
    from aioregistry.oci.distribution import Distribution
    from aioregistry.oci.writer import DistributionWriter

__all__ = ["Connection", "Target", "check_names_image", "check_names_tag"]

_NOT_ARCHIVED = (
    "nothing was deleted, as what is deleted is kept there first: --archive names another file,"
    " AIOREGISTRY_STATE_DIR another folder"
)


@frozen
class Target:
    """A repository, and the part of it that an argument names.

    Attributes:
        repository: The repository.
        reference: The reference that was given; its tag and digest are often None.
    """

    repository: RepositoryHandle
    reference: Reference


@frozen
class Connection:
    """An open client, with its settings and a display.

    Attributes:
        settings: The account and the addresses.
        limiter: Its limiter.
        display: Shows progress, on stderr.
    """

    _client: RegistryClient | SettingsError
    settings: Settings
    limiter: CountingLimiter
    display: Display

    @classmethod
    @asynccontextmanager
    async def open(cls, access: Access) -> "AsyncGenerator[Connection]":
        """Open a client with the settings of options, environment and configuration file.

        Raises:
            SettingsError: A setting is invalid.
        """
        settings = Settings.load(access)
        settings.check_origins(needed=False)
        try:
            token: Setting | SettingsError = settings.token
        except SettingsError as error:
            token = error
        if isinstance(token, Setting) and token.warning:
            typer.echo(f"warning: {safe(token.warning)}", err=True)
        async with AsyncExitStack() as stack:
            limiter = await stack.enter_async_context(_limiter(settings, token))
            display = Display(
                Console(stderr=True), limiter, progress=not access.no_progress, lines=False
            )
            if isinstance(token, SettingsError):
                yield cls(token, settings, limiter, display)
            else:
                yield await stack.enter_async_context(cls._open(settings, token, limiter, display))

    @classmethod
    @asynccontextmanager
    async def _open(
        cls, settings: Settings, token: Setting, limiter: CountingLimiter, display: Display
    ) -> "AsyncGenerator[Connection]":
        try:
            client = RegistryClient(
                token.value,
                base_url=settings.api_url,
                # These paths serve accounts with one registry and with several.
                api="registries",
                rate_limit=limiter,
                concurrency=32,
                trust_env=True,
            )
        except InvalidTokenError as error:
            raise SettingsError(f"{token.source}: {error}") from None
        async with client:
            try:
                yield cls(client, settings, limiter, display)
            except AuthenticationError as error:
                # Where the registry refuses its own credentials, the error says so.
                if error.hint == AuthenticationError.hint:
                    error.hint = f"Check the token from {token.source}"
                raise

    @property
    def client(self) -> RegistryClient:
        """The client.

        Raises:
            SettingsError: There is no token. Only now, so that whatever else is wrong with a
                command is told first.
        """
        if isinstance(self._client, SettingsError):
            raise self._client
        return self._client

    async def registry(self, name: str | None) -> RegistryHandle:
        """Return a registry; without a name, the configured one, or the account's only one."""
        (registry,) = await self.registries(name)
        return registry

    async def registries(self, name: str | None, *, every: bool = False) -> list[RegistryHandle]:
        """Return the registry that `registry` returns, or every one of the account.

        Args:
            name: The registry's name; None means the configured one, or the account's only one.
            every: Whether all registries of the account are wanted.

        Raises:
            UsageError: A registry is named, and all are wanted.
            InvalidNameError: No registry can have this name.
            NotFoundError: The account has no registry, or several and none is named.
        """
        if name is not None and every:
            raise UsageError(f"the registry {name} and --all-registries exclude each other")
        name = None if every else name or self.settings.registry
        if name is None:
            names = [each.name for each in await self.client.registries()]
            chosen = names if every and names else [_the_only(names, "as REGISTRY")]
        else:
            chosen = [check_registry(name)]
        return [self.client.registry(each) for each in chosen]

    async def target(self, text: str, registry: str | None = None) -> Target:
        """Return the repository that a text names: ``REPO``, ``REGISTRY/REPO``, or with the host.

        Args:
            text: The text; a tag or digest may follow.
            registry: The registry; None means the configured one. Without either, the account's
                registries are listed.

        Raises:
            InvalidNameError: The text is no reference, or one of another host.
            NotFoundError: The account has no such registry, or several and none is named.
        """
        reference = Reference.parse(text)
        if not reference.path:
            raise InvalidNameError(f"no repository in {text!r}: write REPOSITORY@DIGEST")
        first, _, rest = reference.path.partition("/")
        known = registry or self.settings.registry
        if known is not None:
            check_registry(known)
        if reference.host is not None:
            if not self.settings.is_registry_host(reference.host):
                own = self.settings.registry_host
                raise InvalidNameError(f"the registry's host is {own}, not {reference.host}")
            if not rest:
                raise InvalidNameError(f"no repository in {text!r}: write HOST/REGISTRY/REPOSITORY")
            if registry not in {None, check_registry(first)}:
                raise InvalidNameError(f"{text!r} is not in the registry {registry!r}")
            return Target(self.client.registry(first).repository(rest), reference)
        if known is None:
            names = [each.name for each in await self.client.registries()]
            known = (
                first
                if first in names and rest
                else _the_only(names, f"as REGISTRY/{reference.path}")
            )
        repository = rest if rest and first == known else reference.path
        return Target(self.client.registry(known).repository(repository), reference)

    @asynccontextmanager
    async def writer(
        self, registry: RegistryHandle, url: str | None
    ) -> "AsyncGenerator[DistributionWriter]":
        """Open the registry itself with credentials that may push.

        Args:
            registry: The registry.
            url: Its address; None means the configured one, or the one in the credentials.
        """
        from aioregistry.oci.writer import DistributionWriter

        where = self.settings.contents_url(url)
        async with DistributionWriter(registry, base_url=where, trust_env=True) as writer:
            yield writer

    @asynccontextmanager
    async def archive(
        self, registry: str, path: Path | None
    ) -> "AsyncGenerator[tuple[Archive, Path]]":
        """Open a file that keeps what is about to be deleted, and give its path, too.

        Args:
            registry: The registry's name.
            path: The file; None means a new one in the state directory.

        Raises:
            UsageError: The address of the registry itself is not known.
            ArchiveError: The file cannot be written; nothing was deleted.
        """
        from aioregistry.cleanup.records.archive import Archive
        from aioregistry.cleanup.records.archive_format import ArchiveError

        try:
            self.settings.contents_url(None)
        except SettingsError as error:
            raise UsageError(f"{error}; or delete for good: --no-archive") from None
        chosen = path or self._new_archive(registry)
        handle = self.client.registry(registry)
        async with AsyncExitStack() as stack:
            contents = await stack.enter_async_context(self.contents(handle, None, cache=True))
            try:
                opening = Archive(chosen, registry, contents)
                archive = await stack.enter_async_context(opening)
            except ArchiveError as error:
                if path is None:
                    _drop(chosen)
                raise ArchiveError(f"{error}; {_NOT_ARCHIVED}") from None
            self.note_archive(registry, chosen)
            yield archive, chosen

    def _new_archive(self, registry: str) -> Path:
        from aioregistry.cleanup.records.archive_format import ArchiveError
        from aioregistry.cleanup.state_folder import StateFolder

        folder = StateFolder.of(registry, api_url=self.settings.api_url)
        try:
            return folder.new_archive(datetime.now(UTC))
        except OSError as error:
            raise ArchiveError(f"{reason_of(error, folder.path)}; {_NOT_ARCHIVED}") from None

    def note_archive(self, registry: str, path: Path) -> None:
        """Note an archive in the registry's record, for the list of what can be restored."""
        from aioregistry.cleanup.state_folder import StateFolder
        from aioregistry.cleanup.undo.record import UndoRecord

        folder = StateFolder.of(registry, api_url=self.settings.api_url)
        try:
            UndoRecord.of(folder).note_archive(path)
        except OSError as error:
            why = reason_of(error, folder.path)
            self.display.say(f"'aioregistry cleanup undo --list' will not have {path}: {why}")

    @asynccontextmanager
    async def contents(
        self, registry: RegistryHandle, url: str | None, *, cache: bool
    ) -> "AsyncGenerator[ContentReader]":
        """Open a reader of manifests, which asks the registry itself.

        Args:
            registry: The registry.
            url: Its address; None means the configured one, or the one in the credentials.
            cache: Whether to keep manifests on disk, and to use those kept before.
        """
        async with self.reading(registry, url, cache=cache) as (_, contents):
            yield contents

    @asynccontextmanager
    async def reading(
        self, registry: RegistryHandle, url: str | None, *, cache: bool
    ) -> "AsyncGenerator[tuple[Distribution, ContentReader]]":
        """Open the registry itself, and a reader of manifests on it, as `contents` does."""
        from aioregistry.cleanup.manifests.cache import ContentCache, default_cache_path
        from aioregistry.cleanup.manifests.reader import ContentReader
        from aioregistry.oci.distribution import Distribution

        async with AsyncExitStack() as stack:
            kept = stack.enter_context(ContentCache(default_cache_path())) if cache else None
            where = self.settings.contents_url(url)
            opened = Distribution(registry, base_url=where, concurrency=32, trust_env=True)
            distribution = await stack.enter_async_context(opened)
            yield distribution, ContentReader(distribution, kept)


@asynccontextmanager
async def _limiter(
    settings: Settings, token: Setting | SettingsError
) -> AsyncGenerator[CountingLimiter]:
    """Open the limiter of settings, which Redis may share with other programs."""
    limit, url = settings.rate_limit, settings.redis
    if url is None or limit is None:
        yield CountingLimiter(limit)
        return
    try:
        import redis.asyncio

        from aioregistry.redis import RedisLimiter

        server = redis.asyncio.Redis.from_url(url.value)
    except ModuleNotFoundError:
        raise SettingsError(
            f"{url.source}: the package redis is missing: pip install 'aioregistry-do[redis]'"
        ) from None
    except ValueError as error:
        raise SettingsError(f"{url.source}: {error}") from None
    if isinstance(token, SettingsError):
        # Nothing is sent.
        yield CountingLimiter(limit)
        return
    async with server, RedisLimiter(server, token.value, limit) as shared:
        yield CountingLimiter(limit, shared)


def check_names_image(text: str) -> None:
    """Refuse a reference that names no image.

    Raises:
        InvalidNameError: The text is no reference.
        UsageError: It has neither tag nor digest.
    """
    reference = Reference.parse(text)
    if reference.tag is None and reference.digest is None:
        raise UsageError(f"{text!r} names no image: write REPO:TAG or REPO@DIGEST")


def check_names_tag(text: str) -> None:
    """Refuse a reference that names no tag.

    Raises:
        InvalidNameError: The text is no reference.
        UsageError: It has no tag.
    """
    if Reference.parse(text).tag is None:
        raise UsageError(f"{text!r} names no tag: write REPO:TAG")


def _drop(archive: Path) -> None:
    """Delete an archive that nothing was written to."""
    with suppress(OSError):
        archive.unlink()
        archive.with_name(f"{archive.name}.lock").unlink(missing_ok=True)


def _the_only(registries: list[str], how: str) -> str:
    if len(registries) != 1:
        if not registries:
            raise NotFoundError(
                "the account has no registry: 'aioregistry registry create' makes one"
            )
        raise NotFoundError(
            f"the account has several registries ({', '.join(registries)}): name one, {how}, or"
            " choose one for all commands with 'aioregistry config set registry NAME'"
        )
    return registries[0]
