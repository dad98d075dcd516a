"""Applying the part of a plan that is one repository's, batch by batch."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import nullcontext
from itertools import chain, islice

from aioregistry.bulk.report import DeletionReport, Outcome
from aioregistry.cleanup.apply.absence import (
    LackingImages,
    but,
    exist,
    is_gone,
    why_it_may_remain,
)
from aioregistry.cleanup.apply.batch_archive import BatchArchive
from aioregistry.cleanup.apply.checks import Batch, Checks
from aioregistry.cleanup.apply.denials import ABORTING, answer_of, is_denied, was_sent_again
from aioregistry.cleanup.apply.drift import NEEDS_NOTHING, Recheck, recheck
from aioregistry.cleanup.apply.job import Job, exempt_by
from aioregistry.cleanup.apply.last_look import LastLook
from aioregistry.cleanup.apply.lists import FreshLists, ListReader
from aioregistry.cleanup.apply.watch import TagWatch, likely_to_move
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.plan.plan import batch_size
from aioregistry.cleanup.records.report import Status
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError

__all__ = ["RepositoryJob"]

# A list that is not found is asked for once more where the API still lists the repository.
_ATTEMPTS = 2


class RepositoryJob:
    """The part of a plan that is one repository's.

    Args:
        job: What it shares with the others.
        plan: What is to be deleted.
        pending: The items that no earlier process has finished.
    """

    def __init__(self, job: Job, plan: RepositoryPlan, pending: Sequence[Condemned]) -> None:
        self.name: str = plan.name
        self._job = job
        # Where an earlier process has begun, it has compared.
        begun = job.journal is not None and job.journal.has_begun(plan.name, plan.condemned)
        self._recalled = None if begun else plan.recalled
        self._pending = dict.fromkeys(pending)
        self._handle = job.registry.repository(plan.name)
        self._lists = ListReader(job, plan)
        self._contents = self._lists.contents
        self._watch = TagWatch(job.contents, plan.name, {}, self._contents, job.clock)
        # Condemned manifests that may still exist although they were to be deleted.
        self._given_up: set[str] = set()
        # Manifests that were deleted, or may have been, each with when it was pushed; and those
        # since the last look at new tags.
        manifests = [item for item in plan.condemned if item.delete == "manifest"]
        self._condemned = dict.fromkeys(item.digest for item in manifests)
        self._gone = {i.digest: i.pushed_at for i in manifests if job.is_deleted(plan.name, i)}
        self._unchecked: set[str] = set()
        if job.journal is not None and job.journal.is_unchecked(plan.name):
            self._unchecked |= self._condemned.keys() - {item.digest for item in pending}
        self.lacking: LackingImages = LackingImages(job.contents, plan, self._contents, self._gone)
        if job.journal is not None:
            self.lacking.recall(job.journal.lost_tags(plan.name))
        self._may_have_gone: set[Condemned] = set()
        # Items that the registry does not have, and that no list of the API has confirmed yet.
        self._vanished: set[Condemned] = set()
        # Items whose DELETE was answered so that it may have been carried out or not.
        self._denied: dict[Condemned, Outcome] = {}
        self._denied_once: set[Condemned] = set()
        self._checks = Checks(job, plan.name)

    @property
    def is_checked(self) -> bool:
        """Whether new images were looked for after the last DELETE."""
        return not self._unchecked

    async def run(self) -> None:
        """Record what becomes of every item.

        Raises:
            NotFoundError: There is no such registry.
            ClientClosedError: The client is closed.
        """
        for attempt in range(_ATTEMPTS):
            try:
                await self._run_batches()
            except ClientClosedError:
                raise
            except NotFoundError as error:
                await self._take_in_missing(error, last=attempt == _ATTEMPTS - 1)
                # What that leaves pending is looked for once more.
                continue
            except RegistryError as error:
                if isinstance(error, ABORTING):
                    self._job.aborted = error
                self.give_up(str(error))
            break
        self._lists.documents.clear()
        if self._unchecked:
            await self._check_new_images()

    def give_up(self, why: str) -> None:
        """Record of all that is left that nothing more is begun, and why."""
        for item in tuple(self._pending):
            self._record(item, "not_attempted", why)

    async def _take_in_missing(self, error: NotFoundError, *, last: bool) -> None:
        """Record the items of a repository that was not found; none while the API lists it.

        The last time they are recorded all the same.
        """
        if await self._job.repository_exists(self.name):
            if last:
                self.give_up(f"{error}; the API lists the repository all the same")
            return
        names = [item.name for item in self._pending]
        if (why := await why_it_may_remain(self._job.contents, self.name, names)) is not None:
            self.give_up(f"{error}; {why}")
            return
        for item in tuple(self._pending):
            self._record_absent(item)

    async def _run_batches(self) -> None:
        while self._pending:
            if self._job.aborted is not None:
                raise self._job.aborted
            if (why := self._job.time_is_up()) is not None:
                self.give_up(why)
                return
            await self._run_batch()

    async def _run_batch(self) -> None:
        batch = await self._list()
        check = self._recheck(batch.inventory)
        await self._confirm_absent(check.absent)
        vanished = self._vanished.intersection(self._pending).difference(check.absent)
        if vanished:
            for item in vanished:
                self._record(item, "not_attempted", "the API lists it, and the registry lacks it")
            check = self._recheck(batch.inventory)
        for item, why in check.drifted:
            self._record(item, "drift", why)
        for item, why in check.blocked:
            self._record(item, "not_attempted", why)
        await self._delete(check, batch)

    def _recheck(self, inventory: RepositoryInventory) -> Recheck:
        job, known = self._job, self._contents
        return recheck(
            self._pending,
            inventory,
            {one.digest: known.get(one.digest, NEEDS_NOTHING) for one in inventory.manifests},
            exempt_by(job, inventory),
            given_up=self._given_up,
            floor=job.plan.floor,
            made_at=job.plan.made_at,
            recalled=self._recalled,
        )

    async def _confirm_absent(self, items: Sequence[Condemned]) -> None:
        """Record the items that the API does not list, if the registry lacks them, too."""
        found = await exist(self._job.contents, self.name, [item.name for item in items])
        for item in items:
            if (look := found[item.name]) is False:
                self._record_absent(item)
            else:
                self._record(item, "not_attempted", f"the API does not list it, {but(look)}")

    async def _list(self) -> Batch:
        """List the repository, and read the manifests that nobody has read yet."""
        job = self._job
        lists = await self._read_lists()
        job.is_found = True
        inventory = self._lists.without_unreadable(lists)
        await self._note_lacking(inventory, is_after=bool(self._unchecked))
        tags = dict(inventory.tags)
        condemned = {tag for item in self._pending for tag in item.tags}
        self._watch.know(tags, likely_to_move(inventory, condemned))
        listed_for = job.clock.awake() - lists.begun_awake_at
        look = LastLook(job.contents, self.name, self._watch, lists.begun_at, listed_for, job.clock)
        return Batch(inventory, look)

    async def _read_lists(self) -> FreshLists:
        deleted = {one: at for one, at in self._gone.items() if one not in self._given_up}
        needs_tags = self._recalled is not None or any(item.tags for item in self._pending)
        return await self._lists.read(self._pending, deleted, needs_tags=needs_tags)

    async def _delete(self, check: Recheck, batch: Batch) -> None:
        self._recalled = None
        tags = dict(batch.inventory.tags)
        most = batch_size(len(batch.inventory.manifests), len(tags))
        if (archive := self._job.archive) is not None:
            soon = tuple(islice(chain(check.tags, *check.waves), most))
            source = self._job.contents
            documents = self._lists.documents
            batch.archive = BatchArchive(archive, source, self.name, soon, tags, documents)
        async with batch.archive or nullcontext():
            await self._send_all(check, batch, most)

    async def _send_all(self, check: Recheck, batch: Batch, most: int) -> None:
        if here := check.tags[:most]:
            await self._send(self._handle.delete_tags, here, batch)
        left = most - len(here)
        stays: dict[str, str] = {}
        for wave in check.waves:
            here = tuple(item for item in wave if item.digest not in stays)[:left]
            if not here or self._job.aborted is not None or batch.look.late:
                return
            left -= len(here)
            await self._send(self._handle.delete_manifests, here, batch)
            # What was not deleted, for whatever reason, keeps what it needs.
            still = [one for one in here if one in self._pending or one.digest in self._given_up]
            stays |= check.graph.reached_from(item.digest for item in still)

    async def _send(
        self,
        delete: Callable[..., Awaitable[DeletionReport]],
        items: Iterable[Condemned],
        batch: Batch,
    ) -> None:
        """Send the DELETEs of a batch, and ask what runs again in the middle where that is due."""
        left = tuple(items)
        while left:
            await self._send_some(delete, left, batch)
            left = tuple(item for item in left if item in batch.paused)
            batch.paused.clear()
            if left and not await self._runs_nothing_more(batch):
                # They are left pending: fresh lists decide.
                batch.look.late.update(left)
                return

    async def _runs_nothing_more(self, batch: Batch) -> bool:
        """Ask what runs again, and return whether no more of the repository does than before."""
        before = exempt_by(self._job, batch.inventory)
        await self._job.ask_what_runs()
        now = exempt_by(self._job, batch.inventory)
        return now.tags.keys() <= before.tags.keys() and now.digests.keys() <= before.digests.keys()

    async def _send_some(
        self,
        delete: Callable[..., Awaitable[DeletionReport]],
        items: Iterable[Condemned],
        batch: Batch,
    ) -> None:
        by_name = {item.name: item for item in items}
        try:
            await delete(
                list(by_name),
                lambda outcome: self._take_in(by_name[outcome.name], outcome, batch),
                check=lambda name: self._checks.check(by_name[name], batch),
            )
            await self._confirm_denied(batch)
        finally:
            for item, outcome in self._denied.items():
                self._record(item, "unknown", answer_of(outcome))
            self._denied.clear()

    async def _confirm_denied(self, batch: Batch) -> None:
        """Record the items whose DELETE was denied: by what the registry has of them now."""
        found = await exist(self._job.contents, self.name, [item.name for item in self._denied])
        for item, outcome in self._denied.items():
            look, refused = found[item.name], outcome.status == "failed"
            # What is refused may have been carried out all the same; so may an earlier attempt.
            if refused or outcome.attempts > 1:
                self._may_have_gone.add(item)
            if refused and batch.archive is not None:
                batch.archive.settle(item, outcome, exists=look is True)
            if look is False and not refused:
                self._record_absent(item)
            elif refused and look is not False:
                why = "" if look is True else f", {but(look)}"
                self._record(item, "failed", f"{answer_of(outcome)}{why}")
            elif item not in self._denied_once and not was_sent_again(outcome):
                # It is left pending: fresh lists decide.
                self._denied_once.add(item)
            else:
                status: Status = "unknown" if self._may_be_gone(item) else "failed"
                self._record(item, status, f"{answer_of(outcome)}, {but(look)}")
        self._denied.clear()

    def _take_in(self, item: Condemned, outcome: Outcome, batch: Batch) -> None:
        """Take in what became of a DELETE."""
        error, verdict, look = outcome.error, outcome.verdict, batch.look
        denied = is_denied(outcome)
        if batch.archive is not None and not (denied and outcome.status == "failed"):
            batch.archive.settle(item, outcome)
        is_gone = verdict is not None and verdict.kind == "gone"
        # Even what was answered with a 429 may have been carried out.
        if outcome.status == "unknown" or (verdict is not None and outcome.attempts):
            self._may_have_gone.add(item)
        if verdict is not None and (item in look.late or item in batch.paused or is_gone):
            # It is left pending: fresh lists decide.
            self._vanished |= {item} if is_gone else set()
            return
        if denied:
            self._denied[item] = outcome
            return
        if isinstance(error, ABORTING):
            self._job.aborted = error
        reason = "" if error is None else error.message if verdict is not None else str(error)
        status: Status = outcome.status
        if verdict is not None and verdict.kind == "drifted" and status == "not_attempted":
            status = "drift"
        self._record(item, status, reason, self._checks.seconds_since(item))

    async def _check_new_images(self) -> None:
        """Find the images that were pushed in the moment in which a part of them was deleted."""
        try:
            lists = await self._read_lists()
            await self._note_lacking(lists.inventory, is_after=True)
            if not lists.is_behind:
                await self._lists.recorder.finish(lists.inventory)
            if lists.unread:
                return
            await self.lacking.note_unlisted(dict(lists.inventory.tags), self._watch)
        except ClientClosedError:
            raise
        except NotFoundError:
            # Without a repository there are no images; but a 404 may pass, the list's, too.
            if not await is_gone(self._job.registry, self.name, self._job.contents):
                return
        except RegistryError:
            return
        self._unchecked.clear()
        if not self.lacking.found:
            # Until then whoever resumes looks again, and reports them, too.
            self._job.record_checked(self.name)

    async def _note_lacking(self, inventory: RepositoryInventory, *, is_after: bool) -> None:
        known = {*self.lacking.lost_tags}
        await self.lacking.note(inventory, self._pending, is_after=is_after)
        for tag in sorted(self.lacking.lost_tags - known):
            await self._job.record_lost_tag(self.name, tag)

    def _record_absent(self, item: Condemned) -> None:
        """Record an item that does not exist: an earlier DELETE of it may have been carried out."""
        self._record(item, "deleted" if self._may_be_gone(item) else "absent")

    def _may_be_gone(self, item: Condemned) -> bool:
        """Return whether a DELETE of an item was sent, and may have been carried out unseen."""
        return item in self._may_have_gone or self._job.may_have_sent(self.name, item)

    def _record(self, item: Condemned, status: Status, reason: str = "", busy: float = 0.0) -> None:
        del self._pending[item]
        if status == "not_attempted" and (
            self._may_be_gone(item)
            or item in self._denied_once
            or self._job.was_sent(self.name, item)
        ):
            status = "unknown"
        if status in {"deleted", "absent"}:
            self._watch.forget(item.tags)
        if item.delete == "manifest":
            if status in {"deleted", "unknown"}:
                self._gone[item.digest] = item.pushed_at
                self._unchecked.add(item.digest)
            if status not in {"deleted", "absent"}:
                self._given_up.add(item.digest)
        self._job.record(self.name, item, status, reason, busy)
