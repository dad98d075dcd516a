"""Groups of commands that load quickly."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["CommandGroup"]


class CommandGroup(TyperGroup):
    """A group that reads no options of its own where a command follows.

    It has none there, and reading them would load pydantic, which takes as long as the rest of a
    command's help.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._reads_options = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options, unless a command comes first."""
        self._reads_options = not args or args[0] not in self.commands
        try:
            return super().parse_args(ctx, args)
        finally:
            self._reads_options = True

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options that are read."""
        return super().get_params(ctx) if self._reads_options else []
