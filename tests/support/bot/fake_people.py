"""People of no integration: every list is empty, and everyone asked for is unknown."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from storage.queries.people.directory_people import PeopleQuery
from sync.domain.model import Actor, Concerned, IntegrationView, Replay, UnknownIntegration
from sync.domain.people import Explanation, ExportedPerson, Found, NoImport, PeoplePage, PersonCard, PersonLine
from sync.integrations.mapping_editor import MappingEditor, RulesTrial
from sync.integrations.message_editor import MessageEditor
from sync.integrations.schedule_editor import ScheduleEditor
from sync.people.imports.importer import PeopleImporter
from sync.people.imports.values import ImportView
from sync.people.person_editor import PersonEditor
from sync.people.roster import Roster
from sync.people.scope.rules import Changes, Someone
from sync.phones.poller import Poller


@dataclass
class FakeMappings(MappingEditor):
    """``calls`` are the names of the calls that would have changed something; nobody is concerned."""

    calls: list[str] = field(default_factory=list)

    async def preview(self, *_: Any) -> tuple[int, list[Concerned]]:
        return 0, []

    async def replay(self, *_: Any) -> Replay:
        return Replay(date(2026, 11, 21))

    async def counts(self, *_: Any) -> dict[str, int]:
        return {}

    async def save(self, *_: Any) -> tuple[IntegrationView, int]:
        self.calls.append("save")
        raise UnknownIntegration("i1")

    async def add(self, *_: Any) -> IntegrationView:
        self.calls.append("add")
        raise UnknownIntegration("i1")

    async def try_rules(self, *_: Any) -> RulesTrial:
        return RulesTrial(Changes(0, 0, 0), 0)

    async def trial_page(self, *_: Any) -> tuple[tuple[Someone, ...], bool]:
        return (), False

    async def save_rules(self, *_: Any) -> tuple[IntegrationView, int]:
        self.calls.append("save_rules")
        raise UnknownIntegration("i1")

    async def remove(self, *_: Any) -> tuple[IntegrationView, int]:
        self.calls.append("remove")
        raise UnknownIntegration("i1")


class FakeImports(PeopleImporter):
    """Nothing is ever imported."""

    def __init__(self) -> None:
        pass

    async def newest(self, owner_tenant: str, by: Actor) -> ImportView | None:
        return None

    async def expect(self, owner_tenant: str, integration_id: str, by: Actor) -> None:
        raise UnknownIntegration(integration_id)

    async def compare(self, *_: Any) -> ImportView:
        raise UnknownIntegration

    async def show(self, *_: Any, **__: Any) -> ImportView:
        raise NoImport

    async def apply(self, *_: Any) -> ImportView:
        raise NoImport

    async def cancel(self, owner_tenant: str, by: Actor) -> None:
        pass


@dataclass
class FakeSchedules(ScheduleEditor):
    """``calls`` are the names of the calls that would have changed something."""

    calls: list[str] = field(default_factory=list)

    async def preview(self, *_: Any) -> int:
        return 0

    async def save(self, *_: Any) -> IntegrationView:
        self.calls.append("save")
        raise UnknownIntegration("i1")


@dataclass
class FakeMessages(MessageEditor):
    """``calls`` are the names of the calls that would have changed something."""

    calls: list[str] = field(default_factory=list)

    async def save(self, *_: Any) -> IntegrationView:
        self.calls.append("save")
        raise UnknownIntegration("i1")


@dataclass
class FakePeople(Roster, PersonEditor, Poller):
    """``calls`` are the names of the calls that would have changed something."""

    calls: list[str] = field(default_factory=list)

    async def page(self, owner_tenant: str, integration_id: str, query: PeopleQuery) -> PeoplePage:
        return PeoplePage(())

    async def slice_after(
        self, owner_tenant: str, integration_id: str, after: tuple[str, str] | None
    ) -> list[ExportedPerson]:
        raise UnknownIntegration(integration_id)

    async def find(
        self, owner_tenant: str, typed: str, within: Collection[str] = (), *, is_guess: bool = False
    ) -> Found:
        return Found()

    async def card(self, owner_tenant: str, integration_id: str, person_id: str) -> PersonCard:
        raise UnknownIntegration(integration_id)

    async def explain(self, *_: Any, **__: Any) -> Explanation:
        raise UnknownIntegration

    async def is_cleared(self, *_: Any) -> bool:
        return False

    async def ask(self, *_: Any) -> bool | None:
        return None

    async def of_user(self, tenant: str, user_id: str) -> list[PersonLine]:
        return []

    async def exclude(self, *_: Any) -> None:
        self._change("exclude")

    async def include(self, *_: Any) -> None:
        self._change("include")

    async def resend(self, *_: Any) -> None:
        self._change("resend")

    async def clear(self, *_: Any) -> None:
        self._change("clear")

    async def match(self, *_: Any) -> None:
        self._change("match")

    async def unmatch(self, *_: Any) -> None:
        self._change("unmatch")

    async def choose_mapping(self, *_: Any) -> None:
        self._change("choose_mapping")

    def _change(self, name: str) -> None:
        self.calls.append(name)
        raise UnknownIntegration
