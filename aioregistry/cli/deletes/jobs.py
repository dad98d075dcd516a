"""The work of ``delete-tags`` and ``delete-manifests``."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from attrs import evolve

from aioregistry.api import names
from aioregistry.bulk.report import DeletionReport, Outcome
from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.graph import Graph
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.plan.reasons import part_of, short
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cli.asking import ask, read_text
from aioregistry.cli.deletes.options import Deleting
from aioregistry.cli.display.plan_tables import DeleteCounts
from aioregistry.cli.display.text import counted, how_to_undo, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.options import Access
from aioregistry.cli.running import run_connected
from aioregistry.cli.settings.settings import SettingsError
from aioregistry.client.archiving import manifests_first, tags_first
from aioregistry.errors import NotFoundError, RegistryError
from aioregistry.oci.references import Reference

if TYPE_CHECKING:
    from aioregistry.api.models import Manifest
    from aioregistry.cli.connection import Connection
    from aioregistry.client.repository import RepositoryHandle

__all__ = ["delete_manifests", "delete_tags"]

_MAX_NAMES_SHOWN = 10
_NOTHING = "nothing was deleted"


def delete_tags(
    repo: str, registry: str | None, given: list[str] | None, deleting: Deleting, access: Access
) -> None:
    """Delete tags of a repository, and exit."""
    _TagJob("delete-tags", "tag", access, deleting).run(repo, registry, given)


def delete_manifests(
    repo: str, registry: str | None, given: list[str] | None, deleting: Deleting, access: Access
) -> None:
    """Delete manifests of a repository, and exit."""
    _ManifestJob("delete-manifests", "manifest", access, deleting).run(repo, registry, given)


class _Job(ABC):
    # Whether the repository is listed to its end, though all names are found.
    _lists_all = False

    def __init__(self, command: str, unit: str, access: Access, deleting: Deleting) -> None:
        self._command = command
        self._unit = unit
        self._access = access
        self._options = deleting
        self._checks = not deleting.no_check
        self._archives = not deleting.no_archive and (self._checks or deleting.archive is not None)
        self._counts = DeleteCounts()
        self._archive: Path | None = None
        self._reads_stdin = False
        # The tags of each manifest that was listed.
        self._listed: dict[str, tuple[str, ...]] = {}

    @abstractmethod
    def first(self, reference: Reference) -> str | None:
        """Return the name in the repository's reference."""

    @abstractmethod
    def check_name(self, name: str) -> str:
        """Return a valid name; raise `InvalidNameError` for others."""

    @abstractmethod
    def delete(
        self,
        repository: "RepositoryHandle",
        wanted: list[str],
        count: Callable[[Outcome], None],
        archive: Archive | None,
    ) -> Awaitable[DeletionReport]:
        """Delete names, each after it is archived."""

    @abstractmethod
    def names_of(self, manifest: "Manifest") -> tuple[str, ...]:
        """Return the names that this command knows a manifest by."""

    def also_deleted(self, found: "dict[str, Manifest]") -> str:  # noqa: ARG002
        """Return the tags that are deleted with the names, in words."""
        return ""

    async def needed(
        self,
        to: "Connection",  # noqa: ARG002
        repository: "RepositoryHandle",  # noqa: ARG002
        found: "dict[str, Manifest]",  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the names that something else needs, each with a reason."""
        return {}

    def run(self, repo: str, registry: str | None, given: list[str] | None) -> None:
        async def work(to: "Connection") -> int:
            wanted = self._names(self.first(Reference.parse(repo)), given)
            if not wanted and self._reads_stdin:
                typer.echo("no names on stdin: nothing to delete", err=True)
                return DONE
            if not wanted:
                raise UsageError(f"no {self._unit} named: give names, or - to read them from stdin")
            target = await to.target(repo, registry)
            return await self._run(to, target.repository, wanted)

        def interrupted() -> str:
            if self._archive is None or not self._counts.counts:
                return str(self._counts)
            return f"{self._counts}; {how_to_undo(self._archive)}"

        run_connected(self._command, self._access, work, interrupted)

    async def _run(
        self, to: "Connection", repository: "RepositoryHandle", wanted: list[str]
    ) -> int:
        where = f"{repository.registry_name}/{repository.name}"
        also = ""
        needed: dict[str, str] = {}
        if self._checks:
            found = await self._find(to, repository, wanted)
            absent = [name for name in wanted if name not in found]
            wanted = [name for name in wanted if name in found]
            for name in absent:
                typer.echo(f"{where}: {name}: does not exist", err=True)
            if not wanted:
                typer.echo(f"nothing to delete: {_exist(len(absent), self._unit)}", err=True)
                return DONE
            needed = await self.needed(to, repository, found)
            for name, reason in needed.items():
                typer.echo(f"{where}: {name}: kept: {reason}", err=True)
            wanted = [name for name in wanted if name not in needed]
            if not wanted:
                typer.echo(f"{_NOTHING}; --no-check deletes them all the same", err=True)
                return SOME_FAILED
            found = {name: found[name] for name in wanted}
            also = self.also_deleted(found)
        if self._options.dry_run:
            typer.echo("".join(f"{where} {name}\n" for name in wanted), nl=False)
            some = counted(len(wanted), self._unit)
            typer.echo(f"a dry run: {some} would be deleted{also}", err=True)
            return DONE
        if not self._options.yes:
            some = counted(len(wanted), self._unit)
            question = f"Delete {some} from {where}: {_some(wanted)}{also}?"
            ask(
                self._command,
                question,
                _NOTHING,
                api_url=to.settings.api_url,
                stdin_is_data=self._reads_stdin,
            )
        self._counts.total = len(wanted)
        async with (
            self._open_archive(to, repository) as archive,
            to.display.stage("Delete", len(wanted), f"{self._unit}s") as stage,
        ):

            def count(outcome: Outcome) -> None:
                self._counts.add(outcome)
                stage.advance(outcome.status)

            report = await self.delete(repository, wanted, count, archive)
        code = await self._report(repository, report)
        if report.deleted and self._archive is not None:
            typer.echo(how_to_undo(self._archive), err=True)
        return SOME_FAILED if needed else code

    @asynccontextmanager
    async def _open_archive(
        self, to: "Connection", repository: "RepositoryHandle"
    ) -> AsyncGenerator[Archive | None]:
        """Open the archive that the options ask for; None for none."""
        if not self._archives:
            yield None
            return
        opening = to.archive(repository.registry_name, self._options.archive)
        async with opening as (archive, self._archive):
            yield archive

    def _names(self, first: str | None, given: list[str] | None) -> list[str]:
        """Return the valid names that were given, each once."""
        read: list[str] = [] if first is None else [first]
        for name in given or ():
            if name == "-":
                self._reads_stdin = True
                read += filter(None, map(str.strip, read_text(Path("-")).splitlines()))
            else:
                read.append(name)
        return list(dict.fromkeys(map(self.check_name, read)))

    async def _find(
        self, to: "Connection", repository: "RepositoryHandle", wanted: list[str]
    ) -> "dict[str, Manifest]":
        """Return the manifests of the names that exist.

        Raises:
            NotFoundError: There is no such repository.
        """
        left = set(wanted)
        found: dict[str, Manifest] = {}
        pager = repository.manifests()
        try:
            async with (
                to.display.stage("Check", 0, "manifests", items_a_request=200) as stage,
                pager.pages() as pages,
            ):
                async for page in pages:
                    stage.total, stage.done = page.total or pages.found, pages.found
                    for manifest in page.items:
                        self._listed[manifest.digest] = manifest.tags
                        for name in left.intersection(self.names_of(manifest)):
                            found[name] = manifest
                            left.remove(name)
                    if not left and not self._lists_all:
                        break
        except NotFoundError as error:
            if not error.is_certain:
                raise
            where = f"{repository.registry_name}/{repository.name}"
            raise NotFoundError(f"there is no repository {where}") from error
        return found

    async def _report(self, repository: "RepositoryHandle", report: DeletionReport) -> int:
        for outcome in (*report.failed, *report.unknown, *report.not_attempted):
            status = outcome.status.replace("_", " ")
            typer.echo(f"{outcome.name}: {status}: {safe(str(outcome.error))}", err=True)
        if self._checks:
            typer.echo(str(self._counts), err=True)
        else:
            typer.echo(f"{self._counts} (or did not exist: not checked)", err=True)
            if len(report.absent) == self._counts.total:
                await self._check_repository(repository)
        return DONE if self._counts.all_gone else SOME_FAILED

    async def _check_repository(self, repository: "RepositoryHandle") -> None:
        try:
            await repository.manifests().first()
        except NotFoundError as error:
            if not error.is_certain:
                raise
            where = f"{repository.registry_name}/{repository.name}"
            raise NotFoundError(f"there is no repository {where}") from error


class _TagJob(_Job):
    def first(self, reference: Reference) -> str | None:
        return reference.tag

    def check_name(self, name: str) -> str:
        return names.check_tag(name)

    def delete(
        self,
        repository: "RepositoryHandle",
        wanted: list[str],
        count: Callable[[Outcome], None],
        archive: Archive | None,
    ) -> Awaitable[DeletionReport]:
        if not self._checks:
            return repository.delete_tags(wanted, count, archive=archive)
        check = tags_first(archive, repository.registry_name, repository.name, None)
        return repository.delete_tags(wanted, count, check=check)

    def names_of(self, manifest: "Manifest") -> tuple[str, ...]:
        return manifest.tags


class _ManifestJob(_Job):
    _lists_all = True
    # What the manifests need of each other, where they were read.
    _graph = Graph((), {})

    def first(self, reference: Reference) -> str | None:
        return reference.digest

    def check_name(self, name: str) -> str:
        return names.check_digest(name)

    async def delete(
        self,
        repository: "RepositoryHandle",
        wanted: list[str],
        count: Callable[[Outcome], None],
        archive: Archive | None,
    ) -> DeletionReport:
        """Delete manifests, none before what needs it; what one that stays needs stays, too."""
        if not self._checks:
            return await repository.delete_manifests(wanted, count, archive=archive)
        where = repository.registry_name, repository.name
        check = manifests_first(archive, *where, self._listed, None)
        places = {digest: place for place, digest in enumerate(wanted)}
        outcomes: list[Outcome] = []
        stays: dict[str, str] = {}

        def take_in(outcome: Outcome) -> None:
            outcomes.append(evolve(outcome, index=places[outcome.name]))
            count(outcome)

        waves = self._graph.waves(wanted)
        for wave in waves:
            for digest in wave:
                if digest in stays:
                    why = f"{short(stays[digest])}, which could not be deleted, needs it"
                    take_in(Outcome(0, digest, "not_attempted", RegistryError(why)))
            here = [digest for digest in wave if digest not in stays]
            report = await repository.delete_manifests(here, take_in, check=check)
            still = (*report.failed, *report.unknown, *report.not_attempted)
            stays |= self._graph.reached_from(outcome.name for outcome in still)
        return DeletionReport.of(outcomes)

    def names_of(self, manifest: "Manifest") -> tuple[str, ...]:
        return (manifest.digest,)

    def also_deleted(self, found: "dict[str, Manifest]") -> str:
        tags = [tag for manifest in found.values() for tag in manifest.tags]
        return f", with {counted(len(tags), 'tag')} ({_some(tags)})" if tags else ""

    async def needed(
        self, to: "Connection", repository: "RepositoryHandle", found: "dict[str, Manifest]"
    ) -> dict[str, str]:
        """Return the manifests that an index needs which is not deleted as well.

        Reads all from the registry itself.
        """
        others = {digest: tags for digest, tags in self._listed.items() if digest not in found}
        if not found:
            return {}
        registry = to.client.registry(repository.registry_name)
        try:
            to.settings.contents_url(None)
        except SettingsError as error:
            if not others:
                # All go, in any order.
                return {}
            raise UsageError(f"{error}; or delete without the check: --no-check") from None
        async with (
            to.contents(registry, None, cache=True) as contents,
            to.display.stage("Check", len(self._listed), "manifests") as stage,
        ):

            def count(read: int) -> None:
                stage.done += read

            read = await contents.read(repository.name, self._listed, count)
        wanted = {digest: self._listed[digest] for digest in found}
        self._graph = Graph(
            [ListedManifest(digest, tags) for digest, tags in wanted.items()],
            {digest: _content_of(read.get(digest)) for digest in wanted},
        )
        return part_of(wanted, others, read)


def _content_of(read: object) -> Content:
    """Return what a manifest says; nothing for one that could not be read."""
    return read if isinstance(read, Content) else Content("", 0)


def _exist(count: int, unit: str) -> str:
    return f"the {unit} does not exist" if count == 1 else f"none of the {count:,} {unit}s exists"


def _some(given: list[str]) -> str:
    more = len(given) - _MAX_NAMES_SHOWN
    shown = ", ".join(given[:_MAX_NAMES_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown
