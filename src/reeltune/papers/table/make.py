"""Makes a table by its name: trains what is missing and writes the pages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from reeltune.errors import ConfigError, counted
from reeltune.evaluation.remarks import all_said
from reeltune.papers.table.contract import Beside, Found, Section, Table
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.missing import train_missing
from reeltune.papers.table.plan import Job, Plan
from reeltune.papers.table.written import write_files
from reeltune.registry import find, given, names

KIND = "papers"  # the folder in which tables are found


class Made(NamedTuple):
    """A table as it was made."""

    text: str  # Markdown
    pages: list[Path]  # the files that were written
    incomplete: bool  # whether a report in it lacks something of its test split


def table_named(family: str) -> Table:
    """The table of a file in papers/, or of a module elsewhere by its dotted name.

    Errors: `ConfigError` for a name that there is not, and for a module without a table.
    """
    found = getattr(find(KIND, given(family)), "TABLE", None)
    if not isinstance(found, Table):
        raise ConfigError(
            f"{family} has no table: its TABLE is to be a reeltune.papers.table.contract.Table; "
            "write one there, or give the name of another file"
        )
    return found


def make_table(plan: Plan, sweep: bool, said: Callable[[str], None]) -> Made:
    """Train what is missing, and write the pages."""
    for section in _all_sections(plan):
        _say_unread(plan, section, said)
    swept = table_named(plan.family).sweep(plan) if sweep else ()
    train_missing(plan, [*jobs_of(plan), *swept], said)
    return write_pages(plan, sweep, said)


def jobs_of(plan: Plan) -> list[Job]:
    """Every run of the rows, each once."""
    found = {
        job.folder: job
        for section in sections_of(plan)
        for entry in section.entries
        for job in entry.jobs(plan)
    }
    return list(found.values())


def sections_of(plan: Plan) -> list[Section]:
    """The sections of the table, with recipes of one's own as rows of the first.

    A row is left out if nothing reads its changes beside what is set for all rows: it would be
    another row, under a name of its own.
    """
    return [
        replace(section, entries=[one for one in section.entries if not _is_void(plan, one)])
        for section in _all_sections(plan)
    ]


def _is_void(plan: Plan, entry: Entry) -> bool:
    return 0 < len(entry.changes) == len(entry.unread(plan))


def _say_unread(plan: Plan, section: Section, said: Callable[[str], None]) -> None:
    """Say which changes of rows nothing reads beside those of the plan."""
    for entry in section.entries:
        if gone := entry.unread(plan):
            end = "so it is left out" if _is_void(plan, entry) else "so it is trained without"
            said(
                f"row {entry.name} changes {', '.join(gone)}, which nothing reads beside what is "
                f"set for all rows; {end}"
            )


def _all_sections(plan: Plan) -> list[Section]:
    table = table_named(plan.family)
    first, *more = table.sections(plan)
    if not plan.own:
        return [first, *more]
    if not table.takes_own:
        takers = [name for name in names(KIND) if table_named(name).takes_own]
        raise ConfigError(
            f"table {plan.family} has the rows of its paper alone; give --method to table "
            f"{' or '.join(takers)}"
        )
    own = plan.own_files()
    if len(own) < len(plan.own) or own.keys() & {entry.name for entry in first.entries}:
        raise ConfigError(
            f"rows are named after their files, and {', '.join(map(str, plan.own))} are not "
            "all of another name than each other and the methods of the table; rename one"
        )
    entries = [*first.entries, *(Entry(name=name, method=name) for name in own)]
    return [replace(first, entries=entries), *more]


def read_table(plan: Plan) -> list[Found]:
    """The sections from the runs on disk."""
    sections = sections_of(plan)
    rule = sections[0].entries[0].recipe(plan).v2t
    return [section.read(plan, rule) for section in sections]


def write_pages(plan: Plan, sweep: bool, said: Callable[[str], None]) -> Made:
    """Markdown, JSON and plots from the runs on disk, in the folder of the table."""
    table, found = table_named(plan.family), read_table(plan)
    beside = table.beside(found, sweep, said)
    text = markdown(plan, found, beside)
    facts = {
        f"{table.stem}.md": text,
        f"{table.stem}.json": content(table, found, beside),
        **beside.files,
    }
    pages = write_files(plan.out, facts, beside.plots)
    incomplete = any(row.remarks.incomplete for one in found for row in one.rows)
    return Made(text, pages, incomplete)


def markdown(plan: Plan, found: Sequence[Found], beside: Beside) -> str:
    """The page: the sections, what stands beside them, and the remarks on the figures below."""
    parts = [
        f"# {plan.family} on {plan.benchmark}",
        f"Means of {counted(plan.seeds, 'seed')}; {table_named(plan.family).said}",
        *[str(part) for one in found for part in one.page()],
        *beside.page,
    ]
    if notes := all_said([row.remarks for one in found for row in one.rows]):
        parts.append("\n".join(f"- {sentence}" for sentence in notes))
    return "\n\n".join(parts) + "\n"


def content(table: Table, found: Sequence[Found], beside: Beside) -> dict[str, Any]:
    """The content of the JSON file."""
    rows = {one.section.name: one.fields() for one in found}
    return {
        "v2t": found[0].rule,
        **({table.under: rows} if table.under else rows),
        **beside.fields,
    }
