"""Patterns for names: globs and regular expressions, none of which can hang the process."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NoReturn

from attrs import field, frozen

__all__ = [
    "ANY",
    "MAX_GLOBS",
    "REPOSITORY_GLOB",
    "TAG_GLOB",
    "Glob",
    "Globs",
    "Pattern",
    "Regex",
    "check_repositories",
    "check_tags",
    "covers",
    "literals_of",
    "matcher_of",
    "parts_of",
    "pattern",
]

_MAX_CHARACTERS = 1000
MAX_GLOBS = 1000
_MEMORY_BYTES = 8 * 2**20


def _check_length(_: object, attribute: Any, text: Any) -> None:
    if not isinstance(text, str) or not text:
        raise ValueError(f"a {attribute.name} must be a text, and not empty: {text!r}")
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(
            f"a {attribute.name} may have {_MAX_CHARACTERS} characters, not {len(text):,}"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"a {attribute.name} must be a text: {text!r}")


@frozen
class Glob:
    """A pattern with ``*``, ``?`` and ``[…]``, which matches all of a name.

    ``*`` stands for ``/``, too. Its time grows with the lengths of pattern and name multiplied, and
    no faster.
    """

    glob: str = field(validator=_check_length)

    def matches(self, name: str) -> bool:
        """Return whether a whole name matches."""
        return self._compiled.match(name) is not None

    @property
    def literal(self) -> str | None:
        """The one name that it matches; None when it matches several."""
        return None if any(sign in self.glob for sign in "*?[") else self.glob

    @property
    def prefix(self) -> str:
        """The text that all names that it matches begin with."""
        return re.split(r"[*?\[]", self.glob, maxsplit=1)[0]

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        # Each part between two stars is an atomic group: nothing is tried twice.
        return re.compile(fnmatch.translate(self.glob))

    def __str__(self) -> str:
        return self.glob


# What is escaped, and sets, in which a backslash is one character of many.
_ESCAPED = re.compile(r"\\(?P<what>.)|\[\^?\]?(?P<set>(?:\\.|\[:\^?\w+:\]|[^\]\\])*)\]", re.DOTALL)
# A set of a backslash and a letter, where one of digits, spaces or the like was meant.
_NO_CLASS = re.compile(r"(?<!\\)(?:\\\\)+[dDsSwW]")


@frozen
class Regex:
    r"""A regular expression in RE2's syntax, matched in linear time. It matches all of a name.

    Raises:
        ValueError: It is none, or asks for a backslash, which no name has: a rule that keeps
            ``\\d+``, with one more for the quotes of other languages, keeps nothing.
        ModuleNotFoundError: The package ``google-re2`` is missing.
    """

    regex: str = field(validator=_check_length)

    def __attrs_post_init__(self) -> None:
        self._compiled  # noqa: B018  (a mistake is raised at once)
        if any(
            found["what"] == "\\" or _NO_CLASS.search(found["set"] or "")
            for found in _ESCAPED.finditer(self.regex)
        ):
            raise ValueError(
                rf"no name contains the backslash that {self.regex} asks for by \\: write \d with"
                " one, as in '…', or with two in \"…\""
            )

    def matches(self, name: str) -> bool:
        """Return whether a whole name matches."""
        return self._compiled.fullmatch(name) is not None

    def groups(self, name: str) -> tuple[str | None, ...] | None:
        """Return what the groups match in a name; None when the name does not match."""
        found = self._compiled.fullmatch(name)
        return None if found is None else tuple(found.groups())

    @property
    def literal(self) -> str | None:
        """The one name that it matches; None when that cannot be seen."""
        return self.regex if re.fullmatch(r"[A-Za-z0-9_-]+", self.regex) else None

    @property
    def prefix(self) -> str:
        """A text that all names that it matches begin with, as far as it can be seen."""
        if "|" in self.regex:
            return ""
        found = re.match(r"\^?((?:[A-Za-z0-9_/-](?![*?{])|\\[./-](?![*?{]))*)", self.regex)
        return "" if found is None else found[1].replace("\\", "")

    @property
    def group_names(self) -> dict[str, int]:
        """The numbers of its groups that have a name."""
        return dict(self._compiled.groupindex)

    @property
    def group_count(self) -> int:
        """How many groups it has."""
        return int(self._compiled.groups)

    @cached_property
    def _compiled(self) -> Any:
        try:
            import re2  # noqa: PLC0415  (most policies need none)
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "regular expressions need google-re2: pip install 'aioregistry-do[cleanup]', "
                "or use a glob"
            ) from None
        options = re2.Options()
        options.max_mem = _MEMORY_BYTES
        options.log_errors = False
        try:
            return re2.compile(self.regex, options)
        except re2.error as error:
            said = error.args[0] if error.args else ""
            reason = said.decode(errors="replace") if isinstance(said, bytes) else said
            raise ValueError(f"not a regular expression of RE2: {reason}") from None

    def __str__(self) -> str:
        return f"/{self.regex}/"


def _check_globs(_: object, __: object, globs: Any) -> None:
    if not globs:
        raise ValueError("a list of globs must not be empty")
    if len(globs) > MAX_GLOBS:
        raise ValueError(f"a list may have {MAX_GLOBS:,} globs, not {len(globs):,}")


@frozen
class Globs:
    """Several globs: what matches one of them matches.

    Attributes:
        globs: The globs.
    """

    globs: tuple[Glob, ...] = field(validator=_check_globs)

    def matches(self, name: str) -> bool:
        """Return whether a whole name matches."""
        return self._compiled.match(name) is not None

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile("|".join([f"(?:{fnmatch.translate(one.glob)})" for one in self.globs]))

    def __str__(self) -> str:
        return " or ".join(map(str, self.globs))


Pattern = Glob | Globs | Regex
ANY = Glob("*")


def parts_of(pattern: Pattern) -> tuple[Glob | Regex, ...]:
    """Return the patterns that one consists of: itself, unless it is several."""
    return pattern.globs if isinstance(pattern, Globs) else (pattern,)


def literals_of(pattern: Pattern) -> frozenset[str]:
    """Return the names that a pattern has in full, as far as that can be seen."""
    return frozenset(part.literal for part in parts_of(pattern) if part.literal is not None)


def matcher_of(pattern: Pattern) -> Callable[[str], object]:
    """Return what returns something true for each name that matches: for very many names."""
    compiled = pattern._compiled  # noqa: SLF001
    matcher: Callable[[str], object]
    matcher = compiled.fullmatch if isinstance(pattern, Regex) else compiled.match
    return matcher


def pattern(given: str | Pattern | Sequence[str]) -> Pattern:
    """Return a pattern; a text is a glob, and a list has several.

    Raises:
        TypeError: It is something else, which would fail only once it is to match.
        ValueError: A text is no glob, or there is none.
    """
    if isinstance(given, str):
        return Glob(given)
    if isinstance(given, list | tuple):
        return Globs(tuple(map(Glob, given)))
    if isinstance(given, Glob | Globs | Regex):
        return given
    raise TypeError(f"a pattern is a text, a list of texts, a Glob or a Regex, not {given!r}")


# What is within […] may match one character of many. As JSON Schema writes it, too.
_SIGNS = r"*?"
_SET = r"\[!?\]?[^\]]*\]"
TAG_GLOB = rf"^(?:[A-Za-z0-9_.{_SIGNS}-]|{_SET})+$"
REPOSITORY_GLOB = rf"^(?:[a-z0-9_./{_SIGNS}-]|{_SET})+$"


def check_tags(glob: Pattern) -> None:
    """Raise `ValueError` for a glob that matches no tag, as none has one of its characters.

    A rule that keeps ``v*,latest`` keeps nothing, and the next one deletes what it was meant for.
    """
    _check_characters(glob, "tag", TAG_GLOB)


def check_repositories(glob: Pattern) -> None:
    """Raise `ValueError` for a glob that matches no repository, as `check_tags` does for tags."""
    _check_characters(glob, "repository", REPOSITORY_GLOB)


def _check_characters(given: Pattern, of: str, possible: str) -> None:
    for glob in parts_of(given):
        if isinstance(glob, Glob) and not re.search(possible, glob.glob):
            _refuse(glob, of, possible)


def _refuse(glob: Glob, of: str, possible: str) -> NoReturn:
    text = re.sub(_SET, "", glob.glob)
    wrong = next((one for one in text if not re.search(possible, one)), glob.glob[-1])
    raise ValueError(
        f"no {of} matches {glob.glob!r}, as none contains {wrong!r}: write a list of"
        " patterns, or a regular expression"
    )


def covers(wider: Pattern, narrower: Pattern) -> bool:
    """Return whether one pattern matches all that another does, as far as that can be seen."""
    if wider in {narrower, ANY}:
        return True
    if isinstance(narrower, Globs):
        return all(covers(wider, one) for one in narrower.globs)
    if isinstance(wider, Globs):
        return any(covers(one, narrower) for one in wider.globs)
    if narrower.literal is not None:
        return wider.matches(narrower.literal)
    # Only * may stand for the signs of the narrower one; what is in [] could be taken for text.
    return (
        isinstance(wider, Glob)
        and isinstance(narrower, Glob)
        and not any(sign in wider.glob for sign in "?[")
        and "[" not in narrower.glob
        and wider.matches(narrower.glob)
    )
