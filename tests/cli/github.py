"""Workflows of GitHub, as a runner carries them out, and the API that comments are made by."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field

_EXPRESSION = re.compile(r"\$\{\{ ([\w.]+) \}\}")
_COMMENTS = re.compile(r"/repos/owner/name/issues/(?P<number>\d+)/comments")
_COMMENT = re.compile(r"/repos/owner/name/issues/comments/(?P<id>\d+)")


@define
class Comments:
    """Comments on pull requests, by an API that speaks as GitHub's does."""

    url: str = ""
    held: list[dict[str, Any]] = field(factory=list)
    authorized: set[str] = field(factory=set)

    def add(self, number: int, login: str, body: str) -> dict[str, Any]:
        made = {"id": 100 + len(self.held), "body": body, "user": {"login": login}}
        self.held.append(made | {"number": number})
        return made

    def of(self, number: int, login: str = "github-actions[bot]") -> list[str]:
        held = [one for one in self.held if one["number"] == number]
        return [one["body"] for one in held if one["user"]["login"] == login]

    def answer(self, method: str, path: str, given: Mapping[str, Any]) -> tuple[int, Any]:
        if found := _COMMENTS.fullmatch(path):
            number = int(found["number"])
            if method == "POST":
                return 201, self.add(number, "github-actions[bot]", given["body"])
            return 200, [one for one in self.held if one["number"] == number]
        if (found := _COMMENT.fullmatch(path)) and method == "PATCH":
            (one,) = [one for one in self.held if one["id"] == int(found["id"])]
            one["body"] = given["body"]
            return 200, one
        return 404, {"message": "Not Found"}


@contextmanager
def serving_comments() -> Iterator[Comments]:
    """Serve the API as a proxy, since gh asks no other server than GitHub's by a plain address."""
    comments = Comments()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            given = json.loads(self.rfile.read(length) or b"{}")
            comments.authorized.add(self.headers.get("Authorization", ""))
            status, document = comments.answer(self.command, urlsplit(self.path).path, given)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        comments.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield comments
        finally:
            server.shutdown()
            thread.join()


@define
class Runner:
    """Carries out the jobs of a workflow: each in a checkout and with an environment of its own.

    Attributes:
        folder: Where its files are.
        repository: The git repository.
        comments: The comments on its pull requests.
        secrets: Those of the repository.
        variables: Of the environment, as on the runner's machine.
        program: What ``aioregistry`` is: a line of a shell.
    """

    folder: Path
    repository: Path
    comments: Comments
    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    program: str = f'exec {sys.executable} -m aioregistry "$@"'

    def events(self, event: Mapping[str, Any], changed: Sequence[str]) -> bool:
        """Whether an event starts the workflow."""
        # To YAML 1.1 the key `on` is a truth value.
        wanted = self._workflow()[True].get(event["event_name"], False)
        if wanted is False:
            return False
        filters = wanted if isinstance(wanted, dict) else {}
        patterns = filters.get("paths", ["*"])
        branches = filters.get("branches", ["*"])
        touched = any(fnmatchcase(path, pattern) for path in changed for pattern in patterns)
        return touched and any(fnmatchcase(event["base"], one) for one in branches)

    def run(self, event: Mapping[str, Any], ref: str) -> dict[str, Path]:
        """Carry out the jobs of an event, and return the folders of its artefacts."""
        artefacts: dict[str, Path] = {}
        ran = 0
        for name, job in self._workflow()["jobs"].items():
            if self._holds(job.get("if", "always()"), event):
                place = self.folder / f"{name}-{len(list(self.folder.iterdir()))}"
                place.mkdir()
                self._run_job(job, place, event, ref, artefacts)
                ran += 1
        assert ran == 1
        return artefacts

    def _workflow(self) -> dict[Any, Any]:
        import yaml  # noqa: PLC0415

        (file,) = (self.repository / ".github" / "workflows").iterdir()
        workflow = yaml.safe_load(file.read_text())
        assert isinstance(workflow, dict)
        return workflow

    def _run_job(
        self,
        job: Mapping[str, Any],
        place: Path,
        event: Mapping[str, Any],
        ref: str,
        artefacts: dict[str, Path],
    ) -> None:
        checkout = place / "work"
        failed: subprocess.CompletedProcess[str] | None = None
        for step in job["steps"]:
            condition = step.get("if", "")
            if (failed and condition != "always()") or not self._holds(condition, event):
                continue
            match step.get("uses", "").partition("@")[0]:
                case "actions/checkout":
                    source = str(step["with"].get("ref", ref))
                    git(self.folder, "clone", "-q", "-b", source, str(self.repository), checkout)
                case "actions/upload-artifact":
                    kept = artefacts[step["with"]["name"]] = place / "artefact"
                    kept.mkdir()
                    found = list(checkout.glob(step["with"]["path"]))
                    for path in found:
                        copy = shutil.copytree if path.is_dir() else shutil.copy
                        copy(path, kept / path.name)
                case "":
                    failed = self._run_step(step, place, event)
        assert not failed, f"{failed.stdout}\n{failed.stderr}"

    def _run_step(
        self, step: Mapping[str, Any], place: Path, event: Mapping[str, Any]
    ) -> subprocess.CompletedProcess[str] | None:
        tools = place / "bin"
        if not tools.exists():
            tools.mkdir()
            # The program is this one, whatever version of it pip would install.
            for name, line in {
                "aioregistry": self.program,
                "pip": f'echo "$@" >> {self.folder}/packages',
            }.items():
                (tools / name).write_text(f"#!/bin/sh\n{line}\n")
                (tools / name).chmod(0o755)
        given = {key: self._filled(text, event) for key, text in step.get("env", {}).items()}
        state = {"AIOREGISTRY_STATE_DIR": str(place / "state"), "HOME": str(place)}
        summary = {"GITHUB_STEP_SUMMARY": str(self.folder / "summary.md")}
        # Only gh goes by a proxy.
        api = {"GH_HOST": "github.localhost"}
        api |= {"HTTP_PROXY": self.comments.url} if "GH_TOKEN" in given else {}
        path = f"{tools}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-e", "-c", self._filled(step["run"], event)],
            cwd=place / "work",
            env={**self.variables, **state, **summary, **api, **given, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done if done.returncode else None

    def _holds(self, condition: str, event: Mapping[str, Any]) -> bool:
        if condition in {"", "always()"}:
            return True
        left, sign, right = condition.split(" ")
        values = [one[1:-1] if one[0] == "'" else self._value(one, event) for one in (left, right)]
        return (values[0] == values[1]) == (sign == "==")

    def _filled(self, text: str, event: Mapping[str, Any]) -> str:
        return _EXPRESSION.sub(lambda found: str(self._value(found[1], event)), text)

    def _value(self, name: str, event: Mapping[str, Any]) -> Any:
        kind, _, rest = name.partition(".")
        if kind == "secrets":
            # A request from a fork is given none; of one that does not exist there is no text.
            return "" if event.get("is_fork") else self.secrets.get(rest, "")
        assert kind == "github", name
        value: Any = {"token": "github-token", "repository": "owner/name", **event}
        for part in rest.split("."):
            value = value[part]
        return value


def pull_request(number: int, *, fork: bool = False) -> dict[str, Any]:
    """The event of a change in a pull request."""
    head = {"repo": {"full_name": "stranger/name" if fork else "owner/name"}}
    request = {"pull_request": {"number": number, "head": head}}
    return {"event_name": "pull_request", "event": request, "is_fork": fork, "base": "main"}


def git(folder: Path, *words: str | Path) -> None:
    """Run git."""
    who = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    subprocess.run(["git", *who, *map(str, words)], cwd=folder, check=True, capture_output=True)
