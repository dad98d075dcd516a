"""Where the tokens of a fleet come from: the environment, a file or a command."""

import asyncio
import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Literal

from attrs import frozen

from aioregistry.errors import RegistryError

__all__ = ["TokenSource", "TokenSourceError"]

_SECONDS = 30.0
_MAX_BYTES = 10_000


class TokenSourceError(RegistryError):
    """A token cannot be had; what its source wrote is not told, as it may be secret."""


@frozen
class TokenSource:
    """Where a token comes from; it is asked anew for each step, so that tokens may be renewed.

    Attributes:
        kind: ``env``, a variable of the environment; ``file``, a file with a token and nothing
            else; ``command``, a program that prints one, run without a shell.
        value: The variable, the path or the command line.
    """

    kind: Literal["env", "file", "command"]
    value: str

    async def read(self) -> str:
        """Return the token.

        Raises:
            TokenSourceError: The source has none, or does not answer within 30 s.
        """
        if self.kind == "env":
            if self.value not in os.environ:
                raise TokenSourceError(f"{self}: the variable is not set")
            found = os.environ[self.value]
        elif self.kind == "file":
            found = await asyncio.to_thread(self._of_file)
        else:
            found = await self._of_command()
        token = found.strip()
        if not token or len(token.split()) != 1:
            raise TokenSourceError(f"{self}: there is no token, or more than that")
        return token

    def __str__(self) -> str:
        shown = shlex.split(self.value)[0] if self.kind == "command" else self.value
        return f"token from {self.kind} {shown}"

    def _of_file(self) -> str:
        try:
            with Path(self.value).expanduser().open(encoding="utf-8-sig") as file:
                return file.read(_MAX_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            raise TokenSourceError(f"{self}: {type(error).__name__}") from None

    async def _of_command(self) -> str:
        # By asyncio's own pipe one would wait as well for whatever the program has started.
        read, write = os.pipe()
        os.set_blocking(read, False)
        try:
            try:
                program = await asyncio.create_subprocess_exec(
                    *shlex.split(self.value),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=write,
                    stderr=asyncio.subprocess.DEVNULL,
                )
            except OSError as error:
                raise TokenSourceError(f"{self}: cannot be run: {error.strerror}") from None
            finally:
                os.close(write)
            try:
                async with asyncio.timeout(_SECONDS):
                    code = await program.wait()
            except TimeoutError:
                raise TokenSourceError(f"{self}: no answer within {_SECONDS:g} s") from None
            finally:
                if program.returncode is None:
                    with suppress(ProcessLookupError):
                        program.kill()
                    await program.wait()
            if code:
                raise TokenSourceError(f"{self}: failed with exit code {code}")
            try:
                return os.read(read, _MAX_BYTES).decode(errors="replace")
            except BlockingIOError:
                return ""
        finally:
            os.close(read)
