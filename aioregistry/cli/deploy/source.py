"""Where pip gets this program from on another machine."""

import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import frozen

from aioregistry.cli.deploy.plan import checked
from aioregistry.cli.errors import UsageError
from aioregistry.session.origins import without_login
from aioregistry.version import VERSION

__all__ = ["Source"]

_NAME = "aioregistry-do"
_OPTION = "--package"
_ADDRESS = re.compile(r"(?:git\+)?https?://.+")


@frozen
class Source:
    """Where pip gets this program from.

    Attributes:
        place: The address of a package or of a git repository, or the path of a wheel; empty for
            this version in pip's own index.
        only_here: What this program was installed from, where no other machine has that: it is
            then not known whether the index has this version. Else empty.
    """

    place: str = ""
    only_here: str = ""

    @classmethod
    def given(cls, place: str) -> Self:
        """Return the source that an option names.

        Raises:
            UsageError: It cannot be a part of a file, or pip cannot install it.
        """
        if "@" in urlsplit(place).netloc:
            raise UsageError(
                f"{_OPTION}: leave the login out of the address: who reads the file would have it"
            )
        place = checked(_OPTION, place)
        if "://" in place and not _ADDRESS.fullmatch(place):
            raise UsageError(
                f"{_OPTION}: an address begins with https:// or git+https://, not as {place!r} does"
            )
        return cls(place)

    @classmethod
    def installed(cls) -> Self:
        """Return what this program was installed from, as pip has written it down."""
        try:
            text = distribution(_NAME).read_text("direct_url.json")
        except PackageNotFoundError:
            return cls(only_here="a folder")
        return cls() if text is None else cls.of_direct_url(text)

    @classmethod
    def of_direct_url(cls, text: str) -> Self:
        """Return the source that a ``direct_url.json`` names; it exists for what has no index."""
        try:
            found: Any = json.loads(text)
            url = str(found["url"])
            commit = found.get("vcs_info", {}).get("commit_id")
            is_local = urlsplit(url).scheme not in {"http", "https"} or "@" in urlsplit(url).netloc
            if is_local or "dir_info" in found:
                # Keys may stand in a query.
                shown = without_login(url).partition("?")[0]
                return cls(only_here=shown.removeprefix("file://"))
            return cls.given(f"git+{url}@{commit}" if commit else url)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(only_here="a place of its own")

    def requirement(self, extras: str) -> str:
        """Return what pip is told to install.

        Args:
            extras: The extras, with commas.
        """
        if not self.place:
            return f"{_NAME}[{extras}]=={VERSION}"
        if _ADDRESS.fullmatch(self.place):
            return f"{_NAME}[{extras}] @ {self.place}"
        # Without a slash, pip takes a name for a package of its index.
        path = self.place if self.place.startswith(("/", "./", "../")) else f"./{self.place}"
        return f"{path}[{extras}]"
