"""Rules that an administrator changes: who is shown, when, as what, with which words. And what people choose."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.domain.model import Actor, IntegrationView
from sync.domain.people import OptOutForbidden
from sync.domain.presence import BUSY_LINES, LineState
from sync.domain.schedule import Period, Schedule, as_stored
from sync.engine import Engine
from sync.people.imports.values import Wish
from sync.people.scope.rules import Scope, ScopeMode
from tests.simulation.acts.administrator import ADMIN, TENANT
from tests.simulation.acts.people import PeopleActs
from tests.simulation.rules.choices import (
    ACCOUNT,
    EXCLUDED,
    OPTED_OUT,
    SCHEDULE,
    SCOPE,
    TEXTS,
    Choice,
    Value,
)
from tests.simulation.world import Kind

ZONES = ("Europe/Lisbon", "America/Los_Angeles", "America/Denver", "Asia/Kolkata")

MATCHED_WITHIN = 30.0
"""Seconds within which a scope that was saved takes effect, also where the process ends in between."""


@dataclass
class RuleActs:
    """``acts`` picks people and integrations, and keeps what was chosen.

    ``_forbidden_at`` is when opting out was last forbidden, by account: that takes effect with the next match.
    """

    acts: PeopleActs
    _forbidden_at: dict[str, float] = field(default_factory=dict)

    async def limit(self, engine: Engine) -> None:
        """Everyone, only some, or everyone but some, by rules."""
        dice = self.acts.world.dice("scopes")
        if view := await self.acts.integration(engine, "rule acts"):
            mode = dice.choice(list(ScopeMode))
            rules = () if mode is ScopeMode.EVERYONE else await self.acts.rules(engine, view, dice)
            wanted = Scope(mode, rules, may_opt_out=dice.random() < 0.8)
            save = engine.scopes.save(TENANT, view.id, view.revision, wanted, ADMIN)
            account_id, now = view.cloudlink_account_id, self.acts.world.time.seconds
            if not wanted.may_opt_out or now - self._forbidden_at.get(account_id, -MATCHED_WITHIN) < MATCHED_WITHIN:
                self.acts.choices.doubt_all(OPTED_OUT, account_id)
            await self.acts.choose(SCOPE, view, wanted.as_json(), save)
            if not wanted.may_opt_out:
                self._forbidden_at[account_id] = now
                self.acts.choices.forget_all(OPTED_OUT, account_id, False)

    async def opt_out(self, engine: Engine) -> None:
        """Someone decides not to be shown, or to be shown again."""
        if (found := await self.acts.person(engine)) and found[1].teams_user_id:
            person, choices = found[1], self.acts.choices
            teams_id, opted_out = person.teams_user_id, not person.line.opted_out
            before = await self._who_is(engine, teams_id)
            allowed = {choice: self._may_opt_out(choice) for choice in before}
            for choice in before:
                self.acts.begin(choice, opted_out)
            with suppress(OptOutForbidden):
                await engine.opt_out.choose(TENANT, teams_id, Actor(teams_id, "Someone"), opted_out=opted_out)
            is_same = before == await self._who_is(engine, teams_id)
            for choice in before if is_same else ():
                if self._may_opt_out(choice) == allowed[choice]:
                    choices.agree(choice, opted_out and allowed[choice])

    def _may_opt_out(self, choice: Choice) -> bool:
        return bool(self.acts.choices.of_account(SCOPE, choice[1]).get("may_opt_out", True))

    async def _who_is(self, engine: Engine, teams_id: str) -> list[Choice]:
        """The people whom the product takes for this Teams user, also those who have just left the company."""
        return [
            (OPTED_OUT, view.cloudlink_account_id, user_id)
            for view in await engine.integrations.list(TENANT)
            for person in await engine.roster.slice_after(TENANT, view.id, None)
            if person.teams_user_id == teams_id
            and (user_id := self.acts.phones(view).addresses.get(person.line.address))
        ]

    async def set_hours(self, engine: Engine) -> None:
        """Hours that begin and end about now, in some time zone; or no hours."""
        if view := await self.acts.integration(engine, "rule acts"):
            schedule = self._schedule()
            stored = as_stored(schedule) if schedule else {}
            await self.acts.choose(
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
        if not (view := await self.acts.integration(engine, "rule acts")) or not (
            known := await self.acts.known(engine, view)
        ):
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
        if view := await self.acts.integration(engine, "rule acts"):
            number = dice.randrange(100)
            texts = {line: f"{line} {number}" if dice.random() < 0.7 else "" for line in BUSY_LINES}
            texts[LineState.ON_HOLD] = texts[LineState.ON_CALL]
            stored = {line.value: text for line, text in texts.items()}
            await self.acts.choose(
                TEXTS, view, stored, engine.messages.save(TENANT, view.id, view.revision, texts, ADMIN)
            )

    async def seen(self, engine: Engine, views: Sequence[IntegrationView]) -> dict[Choice, Value]:
        """What the product shows an administrator of the rules."""
        found: dict[Choice, Value] = {}
        for view in views:
            account_id = view.cloudlink_account_id
            found[SCHEDULE, account_id, ""] = as_stored(view.schedule) if view.schedule else {}
            found[TEXTS, account_id, ""] = dict(view.status_texts)
            if self.acts.world.has(Kind.SCOPES):
                found[SCOPE, account_id, ""] = (await engine.scopes.view(TENANT, view.id)).scope.as_json()
        return found


def _minute(local: datetime, minutes: int) -> time:
    return (local + timedelta(minutes=minutes)).time().replace(second=0, microsecond=0)
