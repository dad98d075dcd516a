"""What the clean-up commands print: tables for people, JSON for programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from attrs import define, field
from rich.console import Console

from aioregistry.cli.display.plan_documents import documents_of_run
from aioregistry.cli.display.plan_tables import (
    lines_of_plan,
    problems_of,
    table_of_plan,
    table_of_report,
)
from aioregistry.cli.display.tables import print_table
from aioregistry.cli.options import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioregistry.cleanup.garbage import CollectedGarbage
    from aioregistry.cleanup.plan.plan import Plan
    from aioregistry.cleanup.records.report import CleanupReport

__all__ = ["CleanupOutput"]


@define
class CleanupOutput:
    """Prints a plan and its outcome; beside JSON, everything for people is on stderr.

    Attributes:
        form: The format.
        several: Whether there are several plans: their JSON is one list, which `end` prints.
        on_finish: Is told what each plan came to, in any format.
        on_problem: Is told why there is no plan of a registry, or why it was refused.
    """

    form: ReportFormat
    several: bool = False
    on_finish: "Callable[..., object]" = lambda *_: None
    on_problem: "Callable[[str, str], object]" = lambda *_: None
    _documents: list[dict[str, Any]] = field(factory=list, init=False)

    def say(self, text: str) -> None:
        """Print a line for people."""
        typer.echo(text, err=self._is_json)

    def show_plan(self, plan: "Plan") -> None:
        """Print a plan for people."""
        if next(plan.condemned, None) is None:
            self.say("nothing to delete")
        elif not self._is_json:
            print_table(table_of_plan(plan, Console().width))
        for line in lines_of_plan(plan):
            self.say(line)

    def say_recalled(self, plan: "Plan") -> None:
        """Say how many repositories of a plan were not listed."""
        recalled = sum(repository.recalled is not None for repository in plan.repositories)
        if recalled:
            self.say(
                f"not listed, as unchanged since an earlier plan: {recalled:,} of"
                f" {len(plan.repositories):,} repositories; apply lists them first (--full: list"
                " all)"
            )

    def show_report(self, report: "CleanupReport") -> None:
        """Print the outcome of a plan for people."""
        if not self._is_json:
            print_table(table_of_report(report))
        for problem in problems_of(report):
            typer.echo(problem, err=True)

    def finish(
        self,
        plan: "Plan",
        path: Path | None,
        report: "CleanupReport | None" = None,
        collected: "CollectedGarbage | None" = None,
    ) -> None:
        """Print everything for programs, where they are to read it.

        Args:
            plan: The plan.
            path: Its file.
            report: The outcomes; None for a plan that was not carried out.
            collected: The garbage collection after it.
        """
        self.on_finish(plan, path, report, collected)
        if not self._is_json:
            return
        documents = documents_of_run(plan, path, report, collected)
        if self.form is ReportFormat.NDJSON:
            for document in documents:
                typer.echo(json.dumps(document))
            return
        *items, summary = documents
        document = {**summary, "items": items}
        if self.several:
            self._documents.append(document)
        else:
            typer.echo(json.dumps(document, indent=2))

    def end(self) -> None:
        """Print what several plans came to, if it is one document."""
        if self.several and self.form is ReportFormat.JSON:
            typer.echo(json.dumps(self._documents, indent=2))

    @property
    def _is_json(self) -> bool:
        return self.form is not ReportFormat.TABLE
