"""Tokens are asked for anew each time, and what their source writes is never shown."""

import asyncio
import os
import stat
import sys

import pytest

from aioregistry.fleet import TokenSource, TokenSourceError


async def test_a_token_is_read_from_a_variable(monkeypatch):
    source = TokenSource("env", "ACME_TOKEN")
    monkeypatch.setenv("ACME_TOKEN", "secret-1\n")
    assert await source.read() == "secret-1"
    monkeypatch.setenv("ACME_TOKEN", "secret-2")
    assert await source.read() == "secret-2"


async def test_a_token_is_read_from_a_file(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    assert await TokenSource("file", str(tmp_path / "token")).read() == "secret"


async def test_a_token_is_printed_by_a_command():
    command = f"{sys.executable} -c \"print('secret')\""
    assert await TokenSource("command", command).read() == "secret"


@pytest.mark.parametrize("text", ["", "two words", "\n"])
async def test_what_is_no_token_is_refused_and_not_shown(monkeypatch, text):
    monkeypatch.setenv("ACME_TOKEN", text)
    with pytest.raises(TokenSourceError) as caught:
        await TokenSource("env", "ACME_TOKEN").read()
    assert str(caught.value) == "token from env ACME_TOKEN: there is no token, or more than that"


async def test_a_command_that_fails_says_its_exit_code_and_nothing_that_it_printed(tmp_path):
    program = tmp_path / "vault"
    program.write_text("#!/bin/sh\necho secret\necho secret >&2\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(TokenSourceError) as caught:
        await TokenSource("command", f"{program} --key=secret").read()
    assert str(caught.value) == f"token from command {program}: failed with exit code 3"


async def test_a_command_that_is_missing_is_told(tmp_path):
    with pytest.raises(TokenSourceError, match="cannot be run: No such file"):
        await TokenSource("command", f"{tmp_path}/missing").read()


async def test_a_command_whose_own_command_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.tokens._SECONDS", 0.1)
    async with asyncio.timeout(40):
        with pytest.raises(TokenSourceError, match="no answer within"):
            await TokenSource("command", "sh -c 'sleep 60; echo'").read()


async def test_a_command_that_does_not_answer_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr("aioregistry.fleet.tokens._SECONDS", 1.0)
    program = tmp_path / "vault"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(TokenSourceError, match="no answer within"):
        await TokenSource("command", str(program)).read()
    # On a busy machine it may not have come so far.
    if pid := (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
