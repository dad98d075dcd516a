"""Deleting without regret: a policy decides, a plan says what goes and why, apply carries it out.

`make_plan` looks at a whole registry and deletes nothing. `apply_plan` looks again at each item
before it deletes it. `collect_garbage` then frees what nothing needs any more.
"""

from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import CapExceededError, Caps
from aioregistry.cleanup.garbage import (
    CollectedGarbage,
    GarbageCollectionError,
    collect_garbage,
    newest_collection,
)
from aioregistry.cleanup.in_use.account import AccountInUse
from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.kinds import cluster_role
from aioregistry.cleanup.in_use.kubernetes import ask_kubernetes
from aioregistry.cleanup.in_use.named import ask_sources
from aioregistry.cleanup.in_use.references import InUse, InUseError, Use
from aioregistry.cleanup.in_use.several import SeveralInUse
from aioregistry.cleanup.in_use.summary import AskedServer, InUseSummary
from aioregistry.cleanup.manifests.cache import ContentCache, default_cache_path
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError
from aioregistry.cleanup.manifests.reader import ContentReader, ContentSource, SharedDocuments
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.plan.explain import Explanation, RuleAnswer, explain_image, explain_tag
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.items import Condemned, FreedBytes, Kept, LeftAlone, RepositoryPlan
from aioregistry.cleanup.plan.make import PlanProgress, make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.check import Finding, check_policy
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy, read_policy
from aioregistry.cleanup.policy.patterns import Glob, Globs, Regex
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import (
    Candidate,
    Decision,
    PushedTag,
    Rule,
    TagRule,
    UntaggedManifest,
    UntaggedRule,
)
from aioregistry.cleanup.policy.rules import (
    Delete,
    DeleteOlderThan,
    Keep,
    KeepNewest,
    KeepReleases,
    KeepWithin,
)
from aioregistry.cleanup.policy.schema import policy_schema
from aioregistry.cleanup.policy.untagged_rules import (
    DeleteOrphaned,
    DeleteUntagged,
    KeepNewestUntagged,
)
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import (
    ArchivedManifest,
    ArchiveError,
    read_archive,
)
from aioregistry.cleanup.records.journal import JournalError, PlanLockedError
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome, ReportError
from aioregistry.cleanup.records.store import JournalStore
from aioregistry.cleanup.undo.report import UndoError, UndoOutcome, UndoReport
from aioregistry.cleanup.undo.restoring import ManifestStore
from aioregistry.cleanup.undo.undo import undo
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.writer import DistributionWriter

__all__ = [
    "AccountInUse",
    "Archive",
    "ArchiveError",
    "ArchivedManifest",
    "AskedServer",
    "Candidate",
    "CapExceededError",
    "Caps",
    "CleanupReport",
    "ClusterInUse",
    "CollectedGarbage",
    "Condemned",
    "Content",
    "ContentCache",
    "ContentReader",
    "ContentSource",
    "Decision",
    "Delete",
    "DeleteOlderThan",
    "DeleteOrphaned",
    "DeleteUntagged",
    "Distribution",
    "DistributionWriter",
    "Explanation",
    "Finding",
    "FreedBytes",
    "GarbageCollectionError",
    "Glob",
    "Globs",
    "InUse",
    "InUseError",
    "InUseSummary",
    "ItemOutcome",
    "JournalError",
    "JournalStore",
    "Keep",
    "KeepNewest",
    "KeepNewestUntagged",
    "KeepReleases",
    "KeepWithin",
    "Kept",
    "LeftAlone",
    "ListMemory",
    "ManifestStore",
    "Plan",
    "PlanFileError",
    "PlanLockedError",
    "PlanProgress",
    "Policy",
    "PolicyFileError",
    "PushedTag",
    "Regex",
    "ReportError",
    "RepositoryPlan",
    "Rule",
    "RuleAnswer",
    "SeveralInUse",
    "SharedDocuments",
    "TagRule",
    "UndoError",
    "UndoOutcome",
    "UndoReport",
    "UnreadableContentError",
    "UntaggedManifest",
    "UntaggedRule",
    "Use",
    "apply_plan",
    "ask_kubernetes",
    "ask_sources",
    "check_policy",
    "cluster_role",
    "collect_garbage",
    "default_cache_path",
    "explain_image",
    "explain_tag",
    "load_policy",
    "make_plan",
    "newest_collection",
    "policy_schema",
    "read_archive",
    "read_in_use",
    "read_policy",
    "undo",
]
