"""The files that links lead to: who may read each, and its content in parts, read slice by slice."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from bot.cards.access import history as history_lines
from bot.cards.health import report_file as report_lines
from bot.cards.people import export as people_lines
from bot.chat.context import Services
from bot.chat.exports.csv_lines import csv_line
from bot.chat.exports.diagnostics import DiagnosticsFile
from bot.chat.exports.links import DIAGNOSTICS, HISTORY, PEOPLE, REPORT, ExportRequest
from bot.languages import Texts
from storage.database import Database
from storage.queries import history
from storage.tables.history import HistoryEntry
from sync.domain.people import ExportedPerson
from sync.domain.roles import Role
from sync.people.roster import Roster
from sync.reports.reports import Reports

BYTE_ORDER_MARK = "\ufeff"
"""Excel reads a file as UTF-8 only if it begins with this."""

SLICE = 200
"""So many acts are read and sent together."""

Row = TypeVar("Row")


class ExportFile(Protocol):
    """``name`` begins the file's name; ``least`` is the role that may read it."""

    name: str
    extension: str
    least: Role
    content_type: str

    def parts(self, texts: Texts, request: ExportRequest) -> AsyncIterator[str]:
        """The content. Raises ``UnknownIntegration`` when the tenant has no such integration."""
        ...


class CsvFile:
    extension = "csv"
    content_type = "text/csv; charset=utf-8"
    least = Role.VIEWER


class HistoryFile(CsvFile):
    """The acts of a tenant, or of one of its integrations, newest first."""

    name = "cloudlink-presence"

    def __init__(self, database: Database) -> None:
        self._database = database

    def parts(self, texts: Texts, request: ExportRequest) -> AsyncIterator[str]:
        async def after(last: HistoryEntry | None) -> Sequence[HistoryEntry]:
            async with self._database.session() as session:
                return await history.slice_after(session, request.tenant, request.integration_id, last, SLICE)

        return csv_parts(texts, history_lines.columns(texts), after, history_lines.line)


class PeopleFile(CsvFile):
    """Everyone of an integration, in the order of their names."""

    name = "cloudlink-presence-people"

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def parts(self, texts: Texts, request: ExportRequest) -> AsyncIterator[str]:
        async def after(last: ExportedPerson | None) -> Sequence[ExportedPerson]:
            key = last.key if last else None
            return await self._roster.slice_after(request.tenant, request.integration_id, key)

        return csv_parts(texts, people_lines.columns(texts), after, people_lines.line)


class ReportFile(CsvFile):
    """The last day or week of an integration: a line an hour, then a line a fault."""

    name = "cloudlink-presence-report"

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def parts(self, texts: Texts, request: ExportRequest) -> AsyncIterator[str]:
        counted = await self._reports.hours(request.tenant, request.integration_id, request.days)
        lines = [report_lines.columns(texts), *report_lines.lines(texts, counted)]
        yield BYTE_ORDER_MARK + "".join(csv_line(line, texts.language) for line in lines)


async def csv_parts(
    texts: Texts,
    columns: Sequence[str],
    after: Callable[[Row | None], Awaitable[Sequence[Row]]],
    line: Callable[[Texts, Row], Sequence[str]],
) -> AsyncIterator[str]:
    """A header line, then slices of rows. The first slice is read before anything is given."""
    rows = await after(None)
    yield BYTE_ORDER_MARK + csv_line(columns, texts.language)
    while rows:
        yield "".join(csv_line(line(texts, row), texts.language) for row in rows)
        rows = await after(rows[-1])


def export_files(services: Services, settings: Mapping[str, Any]) -> Mapping[str, ExportFile]:
    """Every file by the name that links give it; ``settings`` are those of ``settings_facts``."""
    return {
        HISTORY: HistoryFile(services.database),
        PEOPLE: PeopleFile(services.operations.roster),
        DIAGNOSTICS: DiagnosticsFile(services, settings),
        REPORT: ReportFile(services.operations.reports),
    }
