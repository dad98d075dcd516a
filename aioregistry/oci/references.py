"""What an image is called: ``[host/]path[:tag][@digest]``."""

import re

from attrs import frozen

from aioregistry.api import names
from aioregistry.errors import InvalidNameError

__all__ = ["Reference"]

_SCHEME = re.compile(r"\A[a-z][a-z0-9+.-]*://")
# What container runtimes take for one, underscores included.
_HOST = re.compile(r"(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?", re.ASCII)
_LONGEST = 1024
_SHOWN = 80


@frozen
class Reference:
    """A reference to an image.

    Attributes:
        path: The registry's name and the repository's, as in ``example/web``, or the
            repository's alone; empty for a digest by itself.
        tag: The tag; None where there is none.
        digest: The digest; None where there is none.
        host: The host, with its port; None where there is none.
    """

    path: str
    tag: str | None = None
    digest: str | None = None
    host: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Return the reference that a text is; ``docker://`` and its like are taken off.

        Raises:
            InvalidNameError: It is none.
        """
        if len(text) > _LONGEST:
            raise InvalidNameError(f"not a reference: {text[:40]!r}… has {len(text):,} characters")
        try:
            return _parse(_SCHEME.sub("", text, count=1))
        except InvalidNameError as error:
            shown = repr(text[:_SHOWN])
            # Where the whole is what is wrong, it is named once.
            _, _, rule = error.message.partition(f": {shown} (")
            problem = f" ({rule}" if rule else f": {error.message}"
            raise InvalidNameError(f"not a reference: {shown}{problem}") from None

    def names(self, registry: str, repository: str) -> bool:
        """Return whether this may be an image of a repository.

        In doubt it may: a mirror has another host, and a short name no registry's.
        """
        if self.path in {"", repository, f"{registry}/{repository}"}:
            return True
        # The first part of a repository's name may look like a host.
        return self.host is not None and (
            f"{self.host}/{self.path}" == repository
            or self.path.endswith(f"/{registry}/{repository}")
        )

    def __str__(self) -> str:
        path = f"{self.host}/{self.path}" if self.host is not None else self.path
        tag = f":{self.tag}" if self.tag is not None else ""
        if not path:
            return self.digest or ""
        return f"{path}{tag}@{self.digest}" if self.digest is not None else f"{path}{tag}"


def _parse(text: str) -> Reference:
    if re.match(r"sha(256|384|512):", text):
        return Reference("", digest=names.check_digest(text))
    rest, has_digest, digest = text.partition("@")
    checked = names.check_digest(digest) if has_digest else None
    head, slash, last = rest.rpartition("/")
    last, has_tag, tag = last.partition(":")
    path = f"{head}{slash}{last}"
    host, _, within = path.partition("/")
    # No part of a path has a capital in it.
    if within and ("." in host or ":" in host or host == "localhost" or host != host.lower()):
        if not _HOST.fullmatch(host):
            raise InvalidNameError(f"{host!r} is no host")
        path = within
    else:
        host = ""
    return Reference(
        names.check_repository(path),
        names.check_tag(tag) if has_tag else None,
        checked,
        host or None,
    )
