"""Push histories: the file that ``aioregistry demo --history`` takes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from attrs import frozen
from msgspec import Meta

__all__ = ["COMMIT_DIGITS", "FORMAT", "GIT_LINE", "History", "HistoryError", "Push", "read_history"]

# An image is tagged with this many digits of a commit's sha.
COMMIT_DIGITS = 12

_NAME = r"[A-Za-z0-9]+(?:(?:\.|__?|-+)[A-Za-z0-9]+)*"

# The first git log gives the pushes to the branch that is checked out, the second the commits that
# are tagged elsewhere; what a tag of an image may not have in its name becomes _.
GIT_LINE = (
    "(git log --first-parent --decorate-refs=refs/tags --format='1 %ct %H %D';"
    " git log --no-walk --tags --decorate-refs=refs/tags --format='0 %ct %H %D')"
    " | python3 -c 'import json,re,sys,time; pushes={};"
    ' [pushes.setdefault(sha,{"at":time.strftime("%Y-%m-%dT%H:%M:%SZ",time.gmtime(int(at))),'
    '"sha":sha,"on_default_branch":own=="1","releases":[re.sub("[^0-9A-Za-z_.-]","_",ref[5:])[:128]'
    ' for ref in refs.strip().split(", ") if ref]})'
    ' for own,at,sha,refs in (line.split(" ",3) for line in sys.stdin)];'
    ' json.dump({"repository":sys.argv[1],'
    '"pushes":sorted(reversed(pushes.values()),key=lambda push:push["at"])},sys.stdout)\''
    ' "$(basename "$PWD")" > history.json'
)

FORMAT = f"""\
A push history is a JSON file of the images that a project's builds have pushed:

{{
  "repository": "owner/name",
  "pushes": [
    {{
      "at": "2024-03-01T10:00:00Z",
      "sha": "0123456789abcdef0123456789abcdef01234567",
      "on_default_branch": true,
      "releases": ["v1.0.0"]
    }}
  ]
}}

repository         the project; the part after the last slash, in lower case, names the repository
pushes             one for each image, oldest first
at                 when it was pushed: RFC 3339, with an offset or Z
sha                the commit, 40 or 64 hexadecimal digits; its first {COMMIT_DIGITS} become a tag
on_default_branch  whether the commit was pushed to the default branch
releases           names of releases, each a further tag of the image; often none

This line, run in a checkout of any project, writes its history to history.json:

{GIT_LINE}
"""


class HistoryError(ValueError):
    """A file cannot be read, or is no push history; the text says why, in one line."""


@frozen
class Push:
    """A push: one image, tagged with the commit's first digits and with its releases."""

    at: Annotated[datetime, Meta(tz=True)]
    sha: Annotated[str, Meta(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")]
    on_default_branch: bool
    releases: tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")], ...]

    @property
    def commit_tag(self) -> str:
        """The tag made from the commit."""
        return self.sha[:COMMIT_DIGITS]


@frozen
class History:
    """A project's pushes; see `FORMAT`."""

    repository: Annotated[str, Meta(pattern=rf"^(?:[^/]+/)*{_NAME}\Z", max_length=255)]
    pushes: Annotated[tuple[Push, ...], Meta(min_length=1)]

    @property
    def repository_name(self) -> str:
        """The repository that the images are in."""
        return self.repository.rpartition("/")[2].lower()

    @property
    def releases(self) -> frozenset[str]:
        """The tags of all releases."""
        return frozenset(name for push in self.pushes for name in push.releases)

    def newest_commits(self, keep: int) -> frozenset[str]:
        """Return the commit tags of the newest pushes, ties included."""
        moments = {push.commit_tag: push.at for push in self.pushes}
        names = sorted(moments.keys() - self.releases, key=lambda name: moments[name])
        if keep == 0 or not names:
            return frozenset()
        oldest = moments[names[-min(keep, len(names))]]
        return frozenset(name for name in names if moments[name] >= oldest)


def read_history(path: Path) -> History:
    """Return the history in a file.

    Raises:
        HistoryError: The file cannot be read, or is no push history.
    """
    try:
        history = msgspec.json.decode(path.read_bytes(), type=History)
        for push in history.pushes:
            push.at.astimezone(UTC)
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        raise HistoryError(f"{path}: not a push history: {error}") from None
    return history
