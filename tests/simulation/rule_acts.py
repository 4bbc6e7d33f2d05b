"""Rules that an administrator changes: who is shown, when, as what, with which words. And what people choose."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync.domain.model import Actor, IntegrationView, Rule, RuleKind
from sync.domain.people import OptOutForbidden
from sync.domain.presence import BUSY_LINES, LineState, Presence
from sync.domain.schedule import Period, Schedule, as_stored
from sync.engine import Engine
from sync.people.imports.values import Wish
from sync.people.scope.rules import Scope, ScopeMode
from sync.presence.mapping import CHOICES, MAPPABLE
from tests.simulation.administrator import ADMIN, TENANT
from tests.simulation.people_acts import PeopleActs, standard
from tests.simulation.rules.choices import (
    ACCOUNT,
    EXCLUDED,
    MAPPED,
    OPTED_OUT,
    SCHEDULE,
    SCOPE,
    SOME_MAPPINGS,
    TEXTS,
    Choice,
    Value,
)
from tests.simulation.world import Kind

ZONES = ("Europe/Lisbon", "America/Los_Angeles", "America/Denver", "Asia/Kolkata")
RULES = (
    *(Rule(RuleKind.EXTENSIONS, value) for value in ("2001-2004", "2003", "2005-2009", "2010-2020", "5100-5999")),
    *(Rule(RuleKind.ADDRESS, value) for value in ("person1*@example.com", "*2@example.com", "*@elsewhere.example")),
)
RECEPTION = "Reception"


@dataclass
class RuleActs:
    """``acts`` picks people and integrations, and keeps what was chosen."""

    acts: PeopleActs

    async def limit(self, engine: Engine) -> None:
        """Everyone, only some, or everyone but some, by rules."""
        dice = self.acts.world.dice("scopes")
        if view := await self._integration(engine):
            mode = dice.choice(list(ScopeMode))
            rules = () if mode is ScopeMode.EVERYONE else tuple(dice.sample(RULES, dice.randint(1, 3)))
            wanted = Scope(mode, rules, may_opt_out=dice.random() < 0.8)
            save = engine.scopes.save(TENANT, view.id, view.revision, wanted, ADMIN)
            if not wanted.may_opt_out:
                self.acts.choices.doubt_all(OPTED_OUT, view.cloudlink_account_id)
            await self._choose(SCOPE, view, wanted.as_json(), save)
            if not wanted.may_opt_out:
                self.acts.choices.forget_all(OPTED_OUT, view.cloudlink_account_id, False)

    async def opt_out(self, engine: Engine) -> None:
        """Someone decides not to be shown, or to be shown again."""
        if (found := await self.acts.person(engine)) and found[1].teams_user_id:
            person, choices = found[1], self.acts.choices
            teams_id, opted_out = person.teams_user_id, not person.line.opted_out
            before = await self._who_is(engine, teams_id)
            for choice in before:
                self.acts.begin(choice, opted_out)
            with suppress(OptOutForbidden):
                await engine.opt_out.choose(TENANT, teams_id, Actor(teams_id, "Someone"), opted_out=opted_out)
            is_same = before == await self._who_is(engine, teams_id)
            for choice in before if is_same else ():
                is_allowed = choices.of_account(SCOPE, choice[1]).get("may_opt_out", True)
                choices.agree(choice, opted_out and is_allowed)

    async def _who_is(self, engine: Engine, teams_id: str) -> list[Choice]:
        """The people whom the product takes for this Teams user."""
        return [
            (OPTED_OUT, view.cloudlink_account_id, user_id)
            for view in await engine.integrations.list(TENANT)
            for person, user_id in await self.acts.known(engine, view)
            if person.teams_user_id == teams_id
        ]

    async def set_hours(self, engine: Engine) -> None:
        """Hours that begin and end about now, in some time zone; or no hours."""
        if view := await self._integration(engine):
            schedule = self._schedule()
            stored = as_stored(schedule) if schedule else {}
            await self._choose(
                SCHEDULE, view, stored, engine.schedules.save(TENANT, view.id, view.revision, schedule, ADMIN)
            )

    def _schedule(self) -> Schedule | None:
        world = self.acts.world
        dice = world.dice("hours")
        if dice.random() < 0.2:
            return None
        zone = dice.choice(ZONES)
        local = world.clock().astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        period = Period(_minute(local, dice.randint(-4, 3)), _minute(local, dice.randint(-3, 5)))
        week = tuple((period,) if dice.random() < 0.8 else () for _ in range(7))
        holidays = frozenset({local.date()}) if dice.random() < 0.2 else frozenset()
        return Schedule(zone, week, holidays)

    async def bring(self, engine: Engine) -> None:
        """A file that excludes or includes some people, and gives one of them another account: all or nothing."""
        dice = self.acts.world.dice("imports")
        if not (view := await self._integration(engine)) or not (known := await self.acts.known(engine, view)):
            return
        people = dice.sample(known, min(3, len(known)))
        wished: dict[Choice, Value] = {}
        wishes = []
        for number, (person, user_id) in enumerate(people, 1):
            excluded = dice.random() < 0.3
            user = dice.choice(list(self.acts.graph.users.values())) if number == 1 else None
            wishes.append(
                Wish(
                    number,
                    person_id=person.line.id,
                    excluded=excluded,
                    account=user.principal_name if user else "",
                    by_hand=True if user else None,
                )
            )
            wished[EXCLUDED, view.cloudlink_account_id, user_id] = excluded
            if user:
                wished[ACCOUNT, view.cloudlink_account_id, user_id] = user.id
        before = await engine.imports.compare(TENANT, view.id, ADMIN, wishes)
        for choice, value in wished.items():
            self.acts.begin(choice, value)
        if (await engine.imports.apply(TENANT, ADMIN, before.id)).is_done:
            for choice, value in wished.items():
                self.acts.choices.agree(choice, value)

    async def word(self, engine: Engine) -> None:
        """Other status messages; some states have none."""
        dice = self.acts.world.dice("texts")
        if view := await self._integration(engine):
            number = dice.randrange(100)
            texts = {line: f"{line} {number}" if dice.random() < 0.7 else "" for line in BUSY_LINES}
            texts[LineState.ON_HOLD] = texts[LineState.ON_CALL]
            stored = {line.value: text for line, text in texts.items()}
            await self._choose(
                TEXTS, view, stored, engine.messages.save(TENANT, view.id, view.revision, texts, ADMIN)
            )

    async def map_some(self, engine: Engine) -> None:
        """Make, change or remove a mapping for some people, or have it apply to someone."""
        dice = self.acts.world.dice("some mappings")
        if not (found := await self.acts.person(engine)):
            return
        view, person, user_id = found
        account_id = view.cloudlink_account_id
        further = {each.name: each.id for each in view.further}
        if RECEPTION not in further:
            value = {RECEPTION: standard(view.mapping)}
            await self._choose(
                SOME_MAPPINGS,
                view,
                value,
                engine.mappings.add(TENANT, view.id, view.revision, RECEPTION, ADMIN),
            )
        elif (case := dice.random()) < 0.1:
            self.acts.choices.doubt_all(MAPPED, account_id)
            removal = engine.mappings.remove(TENANT, view.id, view.revision, further[RECEPTION], ADMIN)
            await self._choose(SOME_MAPPINGS, view, {}, removal)
            self.acts.choices.forget_all(MAPPED, account_id, "")
        elif case < 0.4:
            chosen: dict[LineState, Presence | None] = {line: dice.choice((None, *CHOICES)) for line in MAPPABLE}
            value = {RECEPTION: standard({line.value: shown for line, shown in chosen.items()})}
            save = engine.mappings.save(TENANT, view.id, view.revision, chosen, ADMIN, further[RECEPTION])
            await self._choose(SOME_MAPPINGS, view, value, save)
        else:
            name = "" if person.line.chosen_mapping else RECEPTION
            choice, line = (MAPPED, account_id, user_id), person.line
            self.acts.begin(choice, name)
            mapping_id = further[RECEPTION] if name else ""
            await engine.people.choose_mapping(TENANT, view.id, line.id, line.choices, mapping_id, ADMIN)
            self.acts.choices.agree(choice, name)

    async def _integration(self, engine: Engine) -> IntegrationView | None:
        views = await engine.integrations.list(TENANT)
        return self.acts.world.dice("rule acts").choice(views) if views else None

    async def _choose(self, kind: str, view: IntegrationView, value: Value, act: Any) -> None:
        choice = (kind, view.cloudlink_account_id, "")
        self.acts.begin(choice, value)
        await act
        self.acts.choices.agree(choice, value)

    async def seen(self, engine: Engine, views: Sequence[IntegrationView]) -> dict[Choice, Value]:
        """What the product shows an administrator of the rules."""
        found: dict[Choice, Value] = {}
        for view in views:
            account_id = view.cloudlink_account_id
            found[SCHEDULE, account_id, ""] = as_stored(view.schedule) if view.schedule else {}
            found[TEXTS, account_id, ""] = dict(view.status_texts)
            found[SOME_MAPPINGS, account_id, ""] = {each.name: standard(each.overrides) for each in view.further}
            if self.acts.world.has(Kind.SCOPES):
                found[SCOPE, account_id, ""] = (await engine.scopes.view(TENANT, view.id)).scope.as_json()
        return found


def _minute(local: datetime, minutes: int) -> time:
    return (local + timedelta(minutes=minutes)).time().replace(second=0, microsecond=0)
