"""What an administrator does about people and states: excluded, matched by hand, shown again, mapped otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.domain.model import IntegrationView
from sync.domain.people import ExportedPerson
from sync.domain.presence import LineState, Presence
from sync.engine import Engine
from sync.presence.mapping import CHOICES, DEFAULTS, MAPPABLE, QUIET
from tests.simulation.administrator import ADMIN, TENANT
from tests.simulation.models.cloudlink import CloudLinkModel
from tests.simulation.models.graph import GraphModel
from tests.simulation.rules.choices import (
    ACCOUNT,
    EXCLUDED,
    MAPPED,
    MAPPING,
    OPTED_OUT,
    SCHEDULE,
    SCOPE,
    Choice,
    Choices,
    Value,
)
from tests.simulation.rules.hours import is_open, turned_lately
from tests.simulation.rules.reasons import Situation, refuted
from tests.simulation.world import Kind, World

LONGEST_TURN = 50.0
"""Seconds within which other rules apply to everybody, also after a kill."""


@dataclass
class PeopleActs:
    """``choices`` are kept as the product answers. ``ruled_at`` is when a rule for everybody was last changed."""

    world: World
    graph: GraphModel
    cloudlinks: Mapping[str, CloudLinkModel]
    choices: Choices
    ruled_at: float = -LONGEST_TURN

    async def exclude(self, engine: Engine) -> None:
        """Or include who is excluded."""
        if found := await self.person(engine):
            view, person, user_id = found
            line, excluded = person.line, not person.line.excluded
            choice = (EXCLUDED, view.cloudlink_account_id, user_id)
            self.begin(choice, excluded)
            act = engine.people.exclude if excluded else engine.people.include
            await act(TENANT, view.id, line.id, line.choices, ADMIN)
            self.choices.agree(choice, excluded)

    async def match(self, engine: Engine) -> None:
        """Or leave it to the address again."""
        if found := await self.person(engine):
            view, person, user_id = found
            line, dice = person.line, self.world.dice("matches")
            account = None if line.by_hand else dice.choice(list(self.graph.users))
            choice = (ACCOUNT, view.cloudlink_account_id, user_id)
            self.begin(choice, account)
            if account:
                name = self.graph.users[account].principal_name
                await engine.people.match(TENANT, view.id, line.id, line.choices, name, ADMIN)
            else:
                await engine.people.unmatch(TENANT, view.id, line.id, line.choices, ADMIN)
            self.choices.agree(choice, account)

    async def show_again(self, engine: Engine) -> None:
        """Or clear now: then nothing is known of the phone until it is heard of."""
        if found := await self.person(engine):
            view, person, user_id = found
            if self.world.dice("shown again").random() < 0.5:
                await engine.people.resend(TENANT, view.id, person.line.id, ADMIN)
                return
            self.world.note("clear now", user_id)
            self.cloudlinks[view.cloudlink_account_id].missed.add(user_id)
            await engine.people.clear(TENANT, view.id, person.line.id, ADMIN)

    async def map(self, engine: Engine) -> None:
        """Quiet second call, Mitel's own, or anything for each state."""
        dice = self.world.dice("mappings")
        if views := await engine.integrations.list(TENANT):
            view = dice.choice(views)
            chosen: dict[LineState, Presence | None] = dict.fromkeys(MAPPABLE) | DEFAULTS
            match dice.randrange(4):
                case 0:
                    chosen |= QUIET
                case 1 | 2:
                    chosen = {state: dice.choice((None, *CHOICES)) for state in MAPPABLE}
            choice = (MAPPING, view.cloudlink_account_id, "")
            value = {state.value: presence.value if presence else None for state, presence in chosen.items()}
            self.begin(choice, value)
            await engine.mappings.save(TENANT, view.id, view.revision, chosen, ADMIN)
            self.choices.agree(choice, value)

    async def ask_why(self, engine: Engine) -> None:
        """About anyone, at any time: what is answered must be true."""
        if found := await self.person(engine):
            view, person, user_id = found
            before = await self._situation(engine, view.id, user_id)
            answer = await engine.roster.explain(TENANT, view.id, person.line.id)
            after = await self._situation(engine, view.id, user_id)
            self.world.counts["why"] += 1
            self.world.note("why", user_id, answer.reason, answer.facts)
            if before and after and (text := refuted(self.world, self.graph, answer, before, after)):
                self.world.fail(f"why of {user_id} is {answer.reason}: {text}")

    async def _situation(self, engine: Engine, integration_id: str, user_id: str) -> Situation | None:
        views = {view.id: view for view in await engine.integrations.list(TENANT)}
        if integration_id not in views:
            return None
        view = views[integration_id]
        phones = self.cloudlinks[view.cloudlink_account_id].phones
        colleague = phones.colleagues.get(user_id)
        if colleague is None:
            return None
        schedule, now = self.choices.of_account(SCHEDULE, phones.account_id), self.world.clock()
        return Situation(
            teams_id=self.choices.teams_user(phones, colleague, self.graph.users),
            hidden=self.choices.hidden(phones, colleague),
            is_open=is_open(schedule, now),
            is_enabled=view.enabled,
            is_doubted=self._is_doubted() or turned_lately(schedule, now, LONGEST_TURN),
        )

    def _is_doubted(self) -> bool:
        is_judged = self.world.time.seconds > self.ruled_at + LONGEST_TURN
        return bool(self.choices.doubted) or self.world.has(Kind.POWER_CUTS) or not is_judged

    def begin(self, choice: Choice, value: Value) -> None:
        self.world.note("administrator", choice, value)
        if choice[0] in (SCOPE, SCHEDULE):
            self.ruled_at = self.world.time.seconds
        self.choices.doubted.add(choice)

    async def person(self, engine: Engine) -> tuple[IntegrationView, ExportedPerson, str] | None:
        dice = self.world.dice("people acts")
        views = await engine.integrations.list(TENANT)
        if not views:
            return None
        view = dice.choice(views)
        known = await self.known(engine, view)
        return (view, *dice.choice(known)) if known else None

    async def known(self, engine: Engine, view: IntegrationView) -> list[tuple[ExportedPerson, str]]:
        """Those of the company whom the product has, with their user ids."""
        people, users = await engine.roster.slice_after(TENANT, view.id, None), self._user_ids(view)
        return [(each, users[each.line.address]) for each in people if each.line.address in users]

    def _user_ids(self, view: IntegrationView) -> dict[str, str]:
        colleagues = self.cloudlinks[view.cloudlink_account_id].phones.colleagues.values()
        return {each.address: each.user_id for each in colleagues}

    async def seen(self, engine: Engine, views: Sequence[IntegrationView]) -> dict[Choice, Value]:
        """What the product shows an administrator of all choices."""
        found: dict[Choice, Value] = {}
        for view in views:
            account_id, users = view.cloudlink_account_id, self._user_ids(view)
            names = {each.id: each.name for each in view.further}
            found[MAPPING, account_id, ""] = standard(view.mapping)
            for person in await engine.roster.slice_after(TENANT, view.id, None):
                if user_id := users.get(person.line.address):
                    found[EXCLUDED, account_id, user_id] = person.line.excluded
                    found[OPTED_OUT, account_id, user_id] = person.line.opted_out
                    found[MAPPED, account_id, user_id] = names.get(person.line.chosen_mapping, "")
                    if not person.line.by_hand:
                        found[ACCOUNT, account_id, user_id] = None
                    elif person.teams_user_id:
                        found[ACCOUNT, account_id, user_id] = person.teams_user_id
        return found


def standard(overrides: Mapping[str, str | None]) -> dict[str, str | None]:
    """What each state is shown as."""
    return {state.value: DEFAULTS.get(state) for state in MAPPABLE} | dict(overrides)
