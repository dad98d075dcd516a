"""What others are told after a run: by a command's stdin, or by a webhook."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
from http.client import BadStatusLine, InvalidURL
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import aioregistry.cli
from aioregistry.cli.cleanup.notifying import Notifications
from aioregistry.cli.cleanup.options import Notice
from aioregistry.cli.cleanup.template import fill_template
from aioregistry.sandbox import Fault, Faults, Phases
from tests.cli.programs import Program

RUN = ("cleanup", "run", "--policy", "policy.toml", "--yes")
README = Path(aioregistry.cli.__file__).with_name("README.md").read_text()
KEEP = "sh -c 'cat > told.json'"


@pytest.fixture
def filled(shell):
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag, days=300)
    shell.told = lambda: json.loads((shell.folder / "told.json").read_text())
    return shell


class Webhook:
    def __init__(self, server):
        self.bodies = []
        self.status = 200
        self.url = f"http://127.0.0.1:{server.server_port}/a-secret"


@pytest.fixture
def webhook():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            hook.bodies.append(json.loads(self.rfile.read(length)))
            self.send_response(hook.status)
            self.send_header("Location", hook.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hook
        server.shutdown()
        thread.join()


def test_a_command_gets_the_summary_with_how_to_undo(filled):
    assert filled.run(*RUN, "--notify", KEEP).exit_code == 0
    told = filled.told()
    (run,) = told["runs"]
    assert (told["command"], told["exit_code"], told["problem"]) == ("cleanup run", 0, None)
    assert run["outcomes"]["deleted"] == 2
    assert run["skipped"] == []
    name = filled.plans()[0].parent.name
    assert told["text"].splitlines() == [
        "example: 2 of 2 deleted",
        f"example: a garbage collection frees {run['frees_bytes'] / 1e6:.1f} MB",
        f"to restore what was deleted: aioregistry cleanup undo {name}",
    ]


def test_a_webhook_gets_the_same(filled, webhook):
    filled.run(*RUN, "--notify", webhook.url, "--notify", KEEP)
    assert webhook.bodies == [filled.told()]


def test_a_chat_gets_text_without_markup_or_mentions(filled, webhook):
    result = filled.run(*RUN, "--max-deletes", "1", "--notify", webhook.url, "--notify-as", "chat")
    assert result.exit_code == 4
    (body,) = webhook.bodies
    assert list(body) == ["text"]
    assert body["text"].startswith("aioregistry cleanup run: exit code 4\n")
    filled.run("cleanup", "run", "--policy", "<!channel>@all", "--notify", webhook.url)
    filled.sandbox.faults = Faults(
        Fault(kind="status", status=418, body='{"message": "<!x> @all"}')
    )
    filled.run(*RUN, "--notify", webhook.url, "--notify-as", "chat")
    assert not set("<>") & set(webhook.bodies[-1]["text"])
    assert "@a" not in webhook.bodies[-1]["text"]


def test_the_text_alone_is_what_a_command_gets_as_chat(filled):
    filled.run(*RUN, "--notify", "sh -c 'cat > told.txt'", "--notify-as", "chat")
    assert (filled.folder / "told.txt").read_text().startswith("example: 2 of 2 deleted\n")


DISCORD = re.search("`({.*allowed_mentions.*})`", README)


def test_a_template_says_what_a_chat_gets(filled, webhook):
    assert DISCORD is not None
    (filled.folder / "discord.json").write_text(DISCORD[1])
    words = ("--notify", webhook.url, "--notify", KEEP, "--notify-template", "discord.json")
    assert filled.run(*RUN, *words).exit_code == 0
    (body,) = webhook.bodies
    assert body == filled.told()
    assert body["allowed_mentions"] == {"parse": []}
    assert body["content"].startswith("example: 2 of 2 deleted\nexample: a garbage collection")


def test_what_is_filled_in_stays_a_text_and_mentions_nobody(filled, webhook):
    template = {
        "a": ["{exit_code}: {problem}", {"{text}": 1}, "{text}"],
        "n": None,
        "other": "{nothing}",
    }
    (filled.folder / "t.json").write_text(json.dumps(template))
    policy = 'a "quote" @all <!x> ' + "x" * 3000
    words = ("--notify", webhook.url, "--notify-template", "t.json")
    filled.run("cleanup", "run", "--policy", policy, *words)
    (body,) = webhook.bodies
    assert body["a"][0].startswith("2: ")
    for text in (body["a"][0], body["a"][2]):
        assert "@\u200ball <\u200b!x>" in text
        assert len(text) <= 1903
    assert (body["a"][1], body["n"], body["other"]) == ({"{text}": 1}, None, "{nothing}")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{text}", "not JSON"),
        ('{"a": "b"}', "no {text} in a text"),
        ('{"{text}": 1}', "no {text} in a text"),
        ('{"a": ["{exit_code}", {"{text}": "{problem}"}]}', "no {text} in a text"),
        (None, "No such file"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused_first(filled, template, said):
    if template is not None:
        (filled.folder / "t.json").write_text(template)
    result = filled.run(*RUN, "--notify", KEEP, "--notify-template", "t.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--notify-template: {'t.json: ' * (template is None)}{said}" in result.stderr
    assert filled.sandbox.request_count == 0


SAID = 'a & b <!x> @all [a](https://b) "c"'


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("sh -c 'cat > told.json'", SAID),
        (
            "https://discord.com/api/webhooks/1",
            'a & b <\u200b!x> @\u200ball [a]\u200b(https://b) "c"',
        ),
        ("https://notslack.com/x", 'a & b <\u200b!x> @\u200ball [a]\u200b(https://b) "c"'),
        ("https://hooks.slack.com/x", 'a &amp; b &lt;!x&gt; @\u200ball [a](https://b) "c"'),
    ],
)
def test_what_is_filled_in_is_escaped_for_whom_it_goes_to(target, said):
    notes = Notifications("cleanup run", (target,), Notice.JSON, None, ["{problem}|{text}"])
    document = {"text": SAID, "problem": SAID}
    assert json.loads(notes._given(document, target)) == [f"{said}|{said}"]


def test_what_is_too_long_is_cut_between_characters_of_the_text():
    (shown,) = fill_template(["{text}"], {"text": "x" + "&" * 3000}, {ord("&"): "&amp;"})
    assert shown == "x" + "&amp;" * 379 + "…"
    assert fill_template("{text}", {"text": "x" * 1900}) == "x" * 1900
    assert fill_template("{text}", {"text": "x" * 1901}) == "x" * 1899 + "…"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--notify-template", "t.json"), "--notify-template is for --notify"),
        (("--notify-as", "json"), "--notify-as is for --notify"),
        (
            ("--notify", KEEP, "--notify-template", "t.json", "--notify-as", "json"),
            "--notify-template and --notify-as exclude each other",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused_first(filled, options, said):
    (filled.folder / "t.json").write_text('"{text}"')
    result = filled.run(*RUN, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert filled.sandbox.request_count == 0


def test_a_line_that_continues_a_run_can_be_run_though_it_has_no_address(filled, webhook):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    words = ("cleanup", "apply", "plan.json", "--yes", "--deadline", "0s")
    result = filled.run(*words, "--notify", webhook.url, "--notify-as", "chat")
    (line,) = re.findall("to try again: aioregistry (.*)", result.stderr)
    again = [word for word in shlex.split(line) if word not in {"--deadline", "0s"}]
    assert filled.run(*again, "--yes").exit_code == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_while_it_asks_what_is_in_use_is_told(filled, tmp_path, sent):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        document = {
            "current-context": "c",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": server},
                }
            ],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "me"}}],
            "users": [{"name": "me", "user": {"token": "t"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(document))
        environment = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig")}
        words = (*RUN, "--in-use", "kubernetes", "--notify", KEEP)
        with Program(*words, env=environment, stderr=subprocess.PIPE) as process:
            silent.settimeout(60)
            connection, _ = silent.accept()
            with connection:
                # Python complains where a connection is made in the moment of its cancellation.
                connection.recv(1)
                process.send_signal(sent)
                _, errors = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent]
    assert errors == "aioregistry: interrupted\n"
    assert (filled.told()["exit_code"], filled.told()["problem"]) == (130, "interrupted")


def test_an_error_that_nobody_expects_is_told_by_its_kind(filled, monkeypatch):
    def fail(*_, **__):
        raise TypeError("s3cret")

    monkeypatch.setattr("aioregistry.cli.cleanup.planning.read_rules", fail)
    result = filled.run(*RUN, "--notify", KEEP)
    assert isinstance(result.exception, TypeError)
    assert (filled.told()["exit_code"], filled.told()["problem"]) == (1, "TypeError")


@pytest.mark.slow(3)
def test_an_answer_that_drips_is_given_up_in_time(filled, monkeypatch):
    # The other one, which is a process, has as long.
    monkeypatch.setattr("aioregistry.cli.cleanup.notifying._TIMEOUT_SECONDS", 3)
    ended = threading.Event()

    def drip():
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(3000):
                connection.sendall(b"x")
                if ended.wait(0.02):
                    break
            connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a-secret"
        result = filled.run(*RUN, "--notify", url, "--notify", KEEP)
        ended.set()
        thread.join()
    assert result.exit_code == 0
    assert "notification failed: webhook at 127.0.0.1: not finished after 3 s\n" in result.stderr
    assert filled.told()["exit_code"] == 0


def test_nothing_of_an_error_that_nobody_expects_is_printed(filled, monkeypatch, capfd):
    def fail(*_, **__):
        raise TypeError("s3cret")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", fail)
    result = filled.run(*RUN, "--notify", "https://host/s3cret")
    assert "notification failed: webhook at host: TypeError\n" in result.stderr
    assert "s3cret" not in result.stderr + capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (("--max-deletes", "1"), 4, "2 DELETEs"),
        (("--policy", "nix.toml"), 2, "nix.toml: No such file"),
        (("--token-file", "nix"), 2, "nix"),
        (("--repository", "nix"), 1, "nix"),
    ],
)
def test_a_run_that_failed_or_was_refused_is_told_with_why(filled, options, code, problem):
    result = filled.run(*RUN, *options, "--notify", KEEP)
    told = filled.told()
    assert (result.exit_code, told["exit_code"]) == (code, code)
    assert problem in told["problem"]
    assert told["problem"] in result.stderr
    assert told["text"].splitlines()[0] == f"aioregistry cleanup run: exit code {code}"


def test_what_was_skipped_is_told(filled):
    fault = Fault(kind="status", status=404, route="/v2/*/manifests/*")
    filled.sandbox.faults = Faults(fault)
    filled.run(*RUN, "--notify", KEEP)
    (run,) = filled.told()["runs"]
    assert [one["repository"] for one in run["skipped"]] == ["web"]
    assert "example: skipped: web: " in filled.told()["text"]


def test_several_registries_are_told_at_once(filled):
    filled.sandbox.state.add_registry("second")
    filled.run(*RUN, "--all-registries", "--notify", KEEP)
    assert [run["registry"] for run in filled.told()["runs"]] == ["example", "second"]


def test_apply_tells_what_a_collection_freed(filled):
    filled.sandbox.state.phases = Phases(*[0] * 6)
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    words = ("cleanup", "apply", "plan.json", "--yes", "--gc", "--notify", KEEP)
    assert filled.run(*words).exit_code == 0
    told = filled.told()
    assert told["runs"][0]["undo"] is None
    assert told["text"].endswith("MB freed")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("false", "false: exit code 1"),
        ("no-such-command", "no-such-command: No such file or directory"),
        ("http://127.0.0.1:1/secret", "webhook at 127.0.0.1: [Errno 111] Connection refused"),
    ],
)
def test_one_that_fails_is_told_and_changes_no_exit_code(filled, target, said):
    result = filled.run(*RUN, "--notify", target, "--notify", KEEP)
    assert result.exit_code == 0
    assert f"notification failed: {said}\n" in result.stderr
    assert "secret" not in result.stderr
    assert filled.told()["exit_code"] == 0


@pytest.mark.parametrize("status", [302, 307, 404, 500])
def test_an_answer_that_is_none_of_success_is_a_failure(filled, webhook, status):
    webhook.status = status
    result = filled.run(*RUN, "--notify", webhook.url)
    assert f"notification failed: webhook at 127.0.0.1: the answer was {status}\n" in result.stderr
    assert len(webhook.bodies) == 1


@pytest.mark.parametrize("target", ["", "  ", "'", "https://"])
def test_what_is_neither_a_command_nor_an_address_is_refused_first(filled, target):
    result = filled.run(*RUN, "--notify", target)
    assert result.exit_code == 2
    assert "--notify: " in result.stderr
    assert filled.sandbox.request_count == 0


@pytest.mark.parametrize(
    "target",
    [
        "https://[s3cret/",
        "https://user:s3cret@host/",
        "https://s3cret@host/",
        "https://host:s3cret/",
        "https://host/s3cret s3cret",
        "https://host/s3cret\ts3cret",
        "https://host/s3cret\u00e9",
    ],
)
def test_an_address_that_cannot_be_sent_to_is_refused_without_its_secret(filled, target):
    result = filled.run(*RUN, "--notify", target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("aioregistry cleanup run: --notify: ")
    assert "s3cret" not in result.stderr
    assert filled.sandbox.request_count == 0


@pytest.mark.parametrize(
    "error", [InvalidURL("a s3cret"), BadStatusLine("s3cret"), ValueError("s3cret")]
)
def test_an_error_that_may_quote_the_address_is_told_by_its_kind(filled, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("urllib.request.OpenerDirector.open", fail)
    result = filled.run(*RUN, "--notify", "https://host/s3cret")
    assert f"notification failed: webhook at host: {type(error).__name__}\n" in result.stderr
    assert "s3cret" not in result.stderr


def test_an_address_may_be_kept_in_the_configuration(filled, webhook, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_NOTIFY", webhook.url)
    assert filled.run(*RUN).exit_code == 0
    assert len(webhook.bodies) == 1
    shown = filled.run("config", "show").stdout
    assert "a-secret" not in shown
    assert "http://127.0.0.1:" in shown


@pytest.mark.parametrize(
    "target", ["https://[s3cret/", "https://user:s3cret@host/", "https://host:s3cret/"]
)
def test_the_configuration_is_shown_without_the_secret_of_an_address(shell, monkeypatch, target):
    monkeypatch.setenv("AIOREGISTRY_NOTIFY", target)
    result = shell.run("config", "show")
    assert result.exit_code == 0, result.output
    assert "s3cret" not in result.output


def test_a_variable_that_is_empty_names_nobody(filled, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_NOTIFY", "")
    result = filled.run(*RUN)
    assert (result.exit_code, result.stderr) == (0, "")


def test_an_address_is_in_no_line_that_is_printed(filled, webhook):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    words = ("cleanup", "apply", "plan.json", "--yes", "--deadline", "0s")
    result = filled.run(*words, "--notify", webhook.url, "--notify", KEEP)
    assert "to try again: " in result.stderr
    assert "a-secret" not in result.stderr
    assert "cat > told.json" in result.stderr
