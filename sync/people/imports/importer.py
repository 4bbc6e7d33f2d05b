"""Exclusions and matches by hand from a file: compared with the people as they are, shown, and applied as one.

A file is compared in slices and what its lines would change is stored: a crash loses nothing that was shown. All of
it is applied in one transaction, or nothing: a person who was changed since is compared again and shown again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people import directory
from storage.queries.people import imports as rows
from storage.tables.directory import DirectoryUser
from storage.tables.imports import PeopleImport, PeopleImportLine
from storage.tables.people import Person
from sync.audit import EDITED_MEANWHILE, Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import MATCH, POLL_NOW, PUSH
from sync.domain.model import Actor, Unmatched
from sync.domain.people import NoImport
from sync.people.imports.comparing import Known, Lines, is_match_wished, key_of, looked_for
from sync.people.imports.values import (
    Changed,
    Figures,
    ImportLine,
    ImportView,
    LineFault,
    Matched,
    Wish,
)
from sync.people.scope.judge import judge
from sync.tenancy import owned

SLICE = 200
"""Lines that are compared together: for so long nobody else is served."""

PAGE = 10
MAX_FAULTS = 1000
"""Faulty lines that are kept; of others only the number."""

RECOMPARED = 200
"""People changed since the preview who are compared again at a time."""

WISHED = ("excluded", "account", "by_hand")
LINE_FIELDS = tuple(field.name for field in fields(ImportLine))
WAITING, READING, READY, DONE = "waiting", "reading", "ready", "done"


class PeopleImporter:
    """Every method raises ``UnknownIntegration``, and ``NoImport`` where it takes an import's id."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def expect(self, owner_tenant: str, integration_id: str, by: Actor) -> None:
        """The administrator's next file is for this integration."""
        await self._begin(owner_tenant, integration_id, by, WAITING)

    async def expected(self, owner_tenant: str, by: Actor) -> str:
        """The integration of the administrator's newest import; empty if there is none."""
        async with self._database.session() as session:
            row = await rows.of_administrator(session, owner_tenant, by.id)
        return row.integration_id if row else ""

    async def compare(
        self, owner_tenant: str, integration_id: str, by: Actor, wishes: Sequence[Wish], file: str = ""
    ) -> ImportView:
        """Compare the lines of a file with the people of the integration, and keep what they would change."""
        row = await self._begin(owner_tenant, integration_id, by, READING, file)
        lines, faulty, unchanged = Lines(), 0, 0
        for start in range(0, len(wishes), SLICE):
            part = wishes[start : start + SLICE]
            async with self._database.session() as session:
                known = await _known(session, integration_id, part)
            made = [lines.judge(wish, known) for wish in part]
            kept = [each for each in zip(part, made, strict=True) if not each[1].fault or faulty < MAX_FAULTS]
            faulty += sum(one.fault is not None for one in made)
            unchanged += sum(not one.changes and not one.fault for one in made)
            async with self._database.writing() as session:
                await _mine(session, owner_tenant, by, row.id)
                await rows.add_lines(session, [_row(row.id, *each) for each in kept])
        async with self._database.writing() as session:
            mine = await _mine(session, owner_tenant, by, row.id, lock=True)
            found = await rows.figures(session, row.id)
            mine.state, mine.figures = READY, {**found, "unchanged": unchanged, "faulty": faulty}
        return await self.show(owner_tenant, by, row.id)

    async def newest(self, owner_tenant: str, by: Actor) -> ImportView | None:
        """The administrator's import that waits to be applied; None if there is none."""
        async with self._database.session() as session:
            row = await rows.of_administrator(session, owner_tenant, by.id)
            return await _view(session, row) if row and row.state == READY else None

    async def show(
        self, owner_tenant: str, by: Actor, import_id: str, after: int = 0, before: int = 0
    ) -> ImportView:
        """A page of an import's lines: after the line ``after``, or before ``before``."""
        async with self._database.session() as session:
            return await _view(session, await _mine(session, owner_tenant, by, import_id), after, before)

    async def cancel(self, owner_tenant: str, by: Actor) -> None:
        """Forget the administrator's import."""
        async with self._database.writing() as session:
            await rows.delete_of(session, owner_tenant, by.id)

    async def apply(self, owner_tenant: str, by: Actor, import_id: str) -> ImportView:
        """Apply all of it, or nothing: when people changed since, the view has them and what is to change now."""
        async with self._database.session() as session:
            row = await _mine(session, owner_tenant, by, import_id)
        if row.state == DONE:
            return await self.show(owner_tenant, by, import_id)
        subject = Subject(owner_tenant, row.integration_id)
        async with self._audit.attempt(Act.PEOPLE_IMPORT, by, subject), self._database.writing() as session:
            row = await _mine(session, owner_tenant, by, import_id, lock=True)
            integration = await owned(session, owner_tenant, row.integration_id, lock=True)
            if row.state != READY or Figures(**row.figures).faulty:
                return await _view(session, row)
            await rows.lock_people(session, row.id)
            changed = await self._recompare(session, row)
            if changed:
                row.figures = {**row.figures, **await rows.figures(session, row.id)}
                facts = {"changed": len(changed)}
                await self._audit.record(session, Act.PEOPLE_IMPORT, by, integration, facts, EDITED_MEANWHILE)
                return replace(await _view(session, row), changed=changed)
            now, figures = self._clock(), Figures(**row.figures)
            await rows.apply(
                session, row, (by.id, by.name), now, (Unmatched.NO_EXTENSION, Unmatched.SHARED_EXTENSION)
            )
            await directory.count_change(session, row.integration_id)
            await rows.read_phones(session, row, now)
            await judge(session, integration, self._clock, rows.is_matched_by(row))
            await rows.delete_lines(session, row.id)
            row.state = DONE
            facts = {name: count for name, count in asdict(figures).items() if count}
            await self._audit.record(session, Act.PEOPLE_IMPORT, by, integration, facts)
            view = await _view(session, row)
        for job in (PUSH, *([POLL_NOW] if figures.matched else []), *([MATCH] if figures.unmatched else [])):
            await self._jobs.defer(job, row.integration_id)
        return view

    async def _begin(
        self, owner_tenant: str, integration_id: str, by: Actor, state: str, file: str = ""
    ) -> PeopleImport:
        row = PeopleImport(
            owner_tenant=owner_tenant,
            user_object_id=by.id,
            integration_id=integration_id,
            state=state,
            file=file,
            at=self._clock(),
        )
        async with self._database.writing() as session:
            await owned(session, owner_tenant, integration_id)
            await rows.replace(session, row)
        return row

    async def _recompare(self, session: AsyncSession, row: PeopleImport) -> list[Changed]:
        """Compare again what changed since the preview; returns it."""
        changed: list[Changed] = []
        while not changed and (found := await rows.changed_people(session, row, RECOMPARED)):
            revived = await _revived(session, row, [line for line, _ in found if not _has_change(line)])
            for line, person in found:
                if _has_change(line):
                    changed.append(Changed(line.name, person.changed_by_name if person else ""))
                if person is None:
                    line.fault = LineFault.UNKNOWN
                elif line.number not in revived and _has_change(line) and not _recompared(line, person):
                    await session.delete(line)
            row.figures = {**row.figures, "unchanged": row.figures["unchanged"] - len(revived)}
            await session.flush()
        for line, account in await rows.unusable_accounts(session, row, RECOMPARED):
            changed.append(Changed(line.name, ""))
            line.fault, line.detail = _fault_of(account), line.account
        for line, other in await rows.taken_accounts(session, row, RECOMPARED):
            changed.append(Changed(line.name, other.changed_by_name))
            line.fault, line.detail = LineFault.TAKEN, other.name or other.address
        await session.flush()
        return changed


async def _known(session: AsyncSession, integration_id: str, wishes: Sequence[Wish]) -> Known:
    """What these lines are compared with."""
    state = await directory.get_state(session, integration_id)
    known = Known(await rows.people_named(session, integration_id, looked_for(wishes)))
    given = {
        key_of(wish.account)
        for wish in wishes
        if wish.account and any(is_match_wished(wish, one) for one in known.named(wish))
    }
    if not given:
        return known
    accounts = await rows.accounts_named(session, integration_id, given)
    owners = await rows.owners_of(session, integration_id, {one.user_id for one in accounts})
    return Known(known.people, accounts, owners, is_read=bool(state and state.whole_at))


async def _revived(session: AsyncSession, row: PeopleImport, same: Sequence[PeopleImportLine]) -> set[int]:
    """Compare lines that changed nothing again; returns the numbers of those that do now, or cannot any more."""
    wishes = [Wish(line.number, line.person_id, **json.loads(line.detail)) for line in same]
    known, lines, revived = await _known(session, row.integration_id, wishes), Lines(), set[int]()
    for line, wish in zip(same, wishes, strict=True):
        made = lines.judge(wish, known)
        line.choices = made.choices
        if made.changes or made.fault:
            values = _row(row.id, wish, made)
            line.sqlmodel_update(
                {name: values[name] for name in ("excluded", "match", "user_id", "account", "fault", "detail")}
            )
            revived.add(line.number)
    return revived


def _has_change(line: PeopleImportLine) -> bool:
    return line.excluded is not None or bool(line.match or line.fault)


def _recompared(line: PeopleImportLine, person: Person) -> bool:
    """Compare a line with the person as they are now; returns whether it still changes something."""
    line.choices = person.choices
    if line.excluded == person.excluded:
        line.excluded = None
    is_done = (line.match == Matched.MATCH and person.chosen_user_id == line.user_id) or (
        line.match == Matched.UNMATCH and not person.chosen_user_id
    )
    if is_done:
        line.match = ""
    return line.excluded is not None or bool(line.match)


def _fault_of(account: DirectoryUser | None) -> LineFault:
    if account is None:
        return LineFault.NOT_FOUND
    return LineFault.GUEST if account.guest else LineFault.DISABLED


async def _mine(
    session: AsyncSession, owner_tenant: str, by: Actor, import_id: str, *, lock: bool = False
) -> PeopleImport:
    row = await rows.of_administrator(session, owner_tenant, by.id, lock=lock)
    if row is None or row.id != import_id:
        raise NoImport(import_id)
    return row


def _row(import_id: str, wish: Wish, line: ImportLine) -> dict[str, object]:
    """A line as it is stored: of one that changes nothing, with its wish."""
    values = {name: getattr(line, name) for name in LINE_FIELDS}
    if not line.changes and not line.fault:
        values["detail"] = json.dumps({name: getattr(wish, name) for name in WISHED})
    return {**values, "import_id": import_id, "match": line.match or "", "fault": line.fault or ""}


async def _view(session: AsyncSession, row: PeopleImport, after: int = 0, before: int = 0) -> ImportView:
    found, has_before, has_after = await rows.page(session, row.id, PAGE, after, before)
    return ImportView(
        id=row.id,
        integration_id=row.integration_id,
        file=row.file,
        at=row.at,
        figures=Figures(**row.figures),
        is_done=row.state == DONE,
        lines=[_line(one) for one in found],
        has_before=has_before,
        has_after=has_after,
    )


def _line(row: PeopleImportLine) -> ImportLine:
    return ImportLine(
        number=row.number,
        person_id=row.person_id,
        name=row.name,
        choices=row.choices,
        excluded=row.excluded,
        match=Matched(row.match) if row.match else None,
        user_id=row.user_id,
        account=row.account,
        fault=LineFault(row.fault) if row.fault else None,
        detail=row.detail,
    )
