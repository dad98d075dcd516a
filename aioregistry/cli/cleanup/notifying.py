"""Tells others of a run once it has ended: a command, or the address of a webhook."""

import json
import shlex
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import typer
from attrs import define, field

from aioregistry.cleanup.garbage import CollectedGarbage
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.cli.cleanup.options import Applying, Notice, is_address
from aioregistry.cli.cleanup.template import fill_template, parse_template
from aioregistry.cli.display.plan_documents import summary_of_run
from aioregistry.cli.display.text import safe, size_in_words
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, INTERRUPTED, SOME_FAILED
from aioregistry.cli.options import Access
from aioregistry.cli.running import EndedError, refuse
from aioregistry.cli.runs import as_argument
from aioregistry.cli.settings.settings import Settings
from aioregistry.files import NotTextError, read_text

__all__ = ["Notifications", "notifications"]

_TIMEOUT_SECONDS = 30
_MAX_SKIPPED = 5
# Slack decodes the first three; others would show them as they are written. A space of no width
# keeps a mention, a tag of HTML and a link of Markdown from being one.
_FOR_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"})
_FOR_CHATS = str.maketrans({"<": "<\u200b", "@": "@\u200b", "]": "]\u200b"})
_SLACK = ("slack.com", "slack-gov.com")
_STATUSES = {
    "absent": "did not exist any more",
    "drift": "changed since the plan, kept",
    "failed": "failed",
    "unknown": "without an answer",
    "not_attempted": "not attempted",
}


@define
class Notifications:
    """What others are told at the end of a command, and who they are.

    Attributes:
        command: The command's name.
        targets: Commands and addresses of webhooks.
        notice: What they get.
        template: A template of that, in place of it; None for none.
        archive: The archive that ``--archive`` named; None for the one beside the plan.
    """

    command: str
    targets: tuple[str, ...]
    notice: Notice
    archive: str | None = None
    template: Any = None
    _runs: list[dict[str, Any]] = field(factory=list, init=False)

    @classmethod
    def of(cls, command: str, applying: Applying, access: Access) -> "Notifications":
        """Read the options.

        Raises:
            UsageError: A target is neither a command nor an address; or there is no such template,
                or nobody who gets it.
        """
        targets = applying.notify
        if not targets:
            setting = Settings.load(access).get("notify")
            targets = [] if setting is None else [setting.value]
        for target in targets:
            _check(target)
        form = applying.notify_as
        if applying.notify_template is not None and form is not None:
            raise UsageError("--notify-template and --notify-as exclude each other")
        if not targets and (form or applying.notify_template):
            option = "--notify-as" if form else "--notify-template"
            raise UsageError(f"{option} is for --notify: it says what those get")
        template = _template(applying.notify_template)
        return cls(command, tuple(targets), form or Notice.JSON, applying.archive, template)

    def add(
        self,
        plan: Plan,
        path: Path | None,
        report: CleanupReport | None,
        collected: CollectedGarbage | None,
    ) -> None:
        """Take note of what a plan came to."""
        if not self.targets:
            return
        document = summary_of_run(plan, path, report, collected)
        document["undo"] = None
        if report is not None and report.deleted and collected is None:
            named = None if self.archive is None else shlex.quote(self.archive)
            source = named or (as_argument(path) if path is not None else "")
            document["undo"] = f"aioregistry cleanup undo {source}"
        self._runs.append(document)

    def add_problem(self, registry: str, problem: str) -> None:
        """Take note of a registry whose run failed or was refused."""
        self._runs.append({"kind": "problem", "registry": registry, "problem": problem})

    def send(self, code: int, problem: str) -> None:
        """Tell everybody how the command ended.

        Args:
            code: Its exit code.
            problem: Why, if by a problem; empty for none.
        """
        if not self.targets:
            return
        document = {
            "kind": "notification",
            "command": self.command,
            "exit_code": code,
            "problem": problem or None,
            "text": _text(self.command, code, problem, self._runs),
            "runs": self._runs,
        }
        for target in self.targets:
            if failure := _send(target, self._given(document, target)):
                # The run is what it is: the exit code does not change.
                typer.echo(f"notification failed: {_shown(target)}: {safe(failure)}", err=True)

    def _given(self, document: dict[str, Any], target: str) -> str:
        """Return what a target gets."""
        if self.template is not None:
            return json.dumps(fill_template(self.template, document, _escapes(target)))
        if self.notice is Notice.JSON:
            return json.dumps(document)
        text = str(document["text"])
        return json.dumps({"text": text.translate(_FOR_SLACK)}) if is_address(target) else text


@contextmanager
def notifications(command: str, applying: Applying, access: Access) -> Iterator[Notifications]:
    """Tell others how the command inside ended, whatever its exit code."""
    try:
        notes = Notifications.of(command, applying, access)
    except UsageError as error:
        refuse(command, error)
    try:
        yield notes
    except EndedError as ended:
        notes.send(ended.exit_code, ended.problem)
        raise
    except typer.Exit as ended:
        notes.send(ended.exit_code, "")
        raise
    except KeyboardInterrupt:
        # Before the work, as while it is asked what is in use, or after it.
        notes.send(INTERRUPTED, "interrupted")
        raise
    except Exception as error:
        notes.send(SOME_FAILED, type(error).__name__)
        raise


def _check(target: str) -> None:
    if is_address(target):
        _check_address(target)
        return
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise UsageError(f"--notify: not a command: {error}") from None
    if not words:
        raise UsageError("--notify: neither a command nor an address: it is empty")


def _check_address(url: str) -> None:
    """Refuse what cannot be sent to, in words without any part of it: it is a secret."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UsageError("--notify: not an address: write https://host/path") from None
    if "@" in parts.netloc:
        raise UsageError("--notify: an address cannot have a user or password before its host")
    if not is_whole:
        raise UsageError("--notify: an address needs a host: https://host/path")
    rest = f"{parts.path}{parts.query}"
    if not rest.isascii() or any(letter <= " " or letter == "\x7f" for letter in url):
        raise UsageError("--notify: write spaces and the like in an address as %20")


def _shown(target: str) -> str:
    """Return a target for people: the path of a webhook is its password."""
    return f"webhook at {urlsplit(target).hostname}" if is_address(target) else safe(target)


def _template(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return parse_template(read_text(path))
    except OSError as error:
        raise UsageError(f"--notify-template: {path}: {error.strerror}") from None
    except NotTextError as error:
        raise UsageError(f"--notify-template: {error}") from None


def _send(target: str, given: str) -> str:
    """Tell one target, and return what went wrong; empty for nothing."""
    if is_address(target):
        return _in_time(target, given.encode())
    try:
        done = subprocess.run(  # noqa: S603, the user's own command
            shlex.split(target),
            input=f"{given}\n",
            text=True,
            encoding="utf-8",
            check=False,
            # Of ours, stdout has the report alone.
            stdout=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"not finished after {_TIMEOUT_SECONDS} s"
    except OSError as error:
        return error.strerror or str(error)
    return f"exit code {done.returncode}" if done.returncode else ""


def _in_time(url: str, body: bytes) -> str:
    """`_post` within the time for all of it: a socket's own is for each part of an answer."""
    failures: list[str] = []

    def post() -> None:
        try:
            failures.append(_post(url, body))
        except Exception as error:  # noqa: BLE001, whose traceback would show the address
            failures.append(type(error).__name__)

    # A daemon, since nothing else ends a thread that waits for a server.
    thread = threading.Thread(target=post, daemon=True)
    thread.start()
    thread.join(_TIMEOUT_SECONDS)
    return failures[0] if failures else f"not finished after {_TIMEOUT_SECONDS} s"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A webhook that has moved is told: what follows a redirect is a GET without the document."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _post(url: str, body: bytes) -> str:
    """``POST`` a document, and return what went wrong; empty for nothing."""
    headers = {"Content-Type": "application/json", "User-Agent": "aioregistry"}
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310, http or https
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_SECONDS):
            return ""
    except HTTPError as error:
        error.close()
        return f"the answer was {error.code}"
    except (HTTPException, ValueError) as error:
        # Their texts have parts of the address, which is a secret.
        return type(error).__name__
    except OSError as error:
        return str(getattr(error, "reason", None) or error) or type(error).__name__


def _escapes(target: str) -> Mapping[int, str]:
    """Return what stands for characters in a template that a target gets; nothing for a command."""
    if not is_address(target):
        return {}
    host = f".{urlsplit(target).hostname}"
    return _FOR_SLACK if host.endswith(tuple(f".{each}" for each in _SLACK)) else _FOR_CHATS


def _text(command: str, code: int, problem: str, runs: list[dict[str, Any]]) -> str:
    """Return what people are told: a line for each thing to know."""
    lines = [f"aioregistry {command}: exit code {code}"] if code != DONE else []
    lines += [problem] if problem else []
    for run in runs:
        lines += _lines(run)
    return "\n".join(map(safe, lines or [f"aioregistry {command}: nothing to do"]))


def _lines(run: dict[str, Any]) -> Iterator[str]:
    name = run["registry"]
    if "problem" in run:
        yield f"{name}: {run['problem']}"
        return
    counts = run.get("outcomes")
    if counts is None:
        yield f"{name}: nothing was deleted"
    else:
        others = [f"{counts[key]:,} {words}" for key, words in _STATUSES.items() if counts[key]]
        total = sum(counts.values())
        yield ", ".join([f"{name}: {counts['deleted']:,} of {total:,} deleted", *others])
    collected = run.get("garbage_collection")
    if collected is not None:
        freed = collected["freed_bytes"]
        yield f"{name}: {'an unknown size' if freed is None else size_in_words(freed)} freed"
    elif counts is not None and counts["deleted"]:
        yield f"{name}: a garbage collection frees {size_in_words(run['frees_bytes'])}"
    skipped = run["skipped"]
    for one in skipped[:_MAX_SKIPPED]:
        yield f"{name}: skipped: {one['repository']}: {one['reason']}"
    if len(skipped) > _MAX_SKIPPED:
        yield f"{name}: and {len(skipped) - _MAX_SKIPPED:,} more skipped"
    if run["undo"]:
        yield f"to restore what was deleted: {run['undo']}"
