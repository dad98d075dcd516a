"""Whatever the commands print, log or write, the token is not in it."""

import logging

import pytest

from aioregistry.sandbox import Fault, Faults

COMMANDS = (
    "registry get",
    "registry list",
    "repositories",
    "tags web --output json",
    "manifests web",
    "cleanup plan --policy policy.toml --plan-file plan.json",
    "cleanup apply plan.json --yes",
    "delete-tags web old --yes",
    "gc start --yes --interval 0.1",
    "gc list",
    "login",
    "options tiers",
    "subscription",
    "validate-name another",
    "quota",
    "config show",
)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(kind="status", status=401),
        Fault(kind="html", status=403),
        Fault(kind="body", body='{"registry": "x"}'),
        Fault(kind="truncate", chance=0.5),
    ],
)
def test_no_command_tells_the_token(shell, caplog, fault):
    caplog.set_level(logging.DEBUG, "aioregistry")
    token = shell.sandbox.token
    for tag in ("old", "main", "pr-1", "pr-2"):
        shell.builder.image(tag)
    shell.sandbox.faults = Faults(*([] if fault is None else [fault]))
    said = {}
    for command in COMMANDS:
        result = shell.run(*command.split())
        said[command] = result.output + repr(result.exception)
        if fault is None:
            assert result.exit_code == 0, result.output
    written = {
        str(path): path.read_bytes().decode(errors="replace")
        for path in shell.folder.rglob("*")
        if path.is_file()
    }
    if fault is None:
        assert {"config.json", "plan.json"} <= {path.name for path in shell.folder.rglob("*")}
    for where, text in {**said, **written, "log": caplog.text}.items():
        assert token not in text, where
