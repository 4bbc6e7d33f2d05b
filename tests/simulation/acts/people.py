"""What an administrator does about people and states: excluded, matched by hand, shown again, mapped otherwise."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from sync.domain.model import IntegrationView, Rule, RuleKind, Rules
from sync.domain.people import ExportedPerson
from sync.domain.presence import LineState
from sync.domain.services import Group
from sync.engine import Engine
from sync.presence.mapping import MAPPABLE, QUIET, Chosen, Leave, choices_of, chosen_by, overrides_of
from tests.simulation.acts.administrator import ADMIN, TENANT
from tests.simulation.company import SITES
from tests.simulation.models.cloudlink import CloudLinkModel
from tests.simulation.models.graph import GraphModel
from tests.simulation.models.phones import PhoneSystem
from tests.simulation.rules.choices import (
    ACCOUNT,
    EXCLUDED,
    MAPPED,
    MAPPING,
    OPTED_OUT,
    SCHEDULE,
    SCOPE,
    SOME_MAPPINGS,
    Choice,
    Choices,
    Value,
)
from tests.simulation.rules.selection import OWN
from tests.simulation.world import Kind, World

RULES = (
    *(Rule(RuleKind.EXTENSIONS, value) for value in ("2001-2004", "2003", "2005-2009", "2010-2020", "5100-5999")),
    *(Rule(RuleKind.ADDRESS, value) for value in ("person1*@example.com", "*2@example.com", "*@elsewhere.example")),
    Rule(RuleKind.ADDRESS, "*@sales.example.com"),
    *(Rule(RuleKind.SITE, site) for site in SITES),
)

LONGEST_TURN = 50.0
"""Seconds within which other rules apply to everybody, also after a kill."""


@dataclass
class PeopleActs:
    """``choices`` are kept as the product answers.

    ``ruled_at`` is when a rule for everybody was last changed, ``acted_at`` when anything was last done.
    """

    world: World
    graph: GraphModel
    cloudlinks: Mapping[str, CloudLinkModel]
    choices: Choices
    ruled_at: float = -LONGEST_TURN
    acted_at: float = 0.0

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
            self.acted_at = self.world.time.seconds
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
            chosen: Chosen = chosen_by({})
            match dice.randrange(4):
                case 0:
                    chosen = {**chosen, **QUIET}
                case 1 | 2:
                    chosen = self.anything(dice)
            choice, value = (MAPPING, view.cloudlink_account_id, ""), standard(overrides_of(chosen))
            self.begin(choice, value)
            if value["idle"] != view.mapping.get("idle"):
                self.ruled_at = self.world.time.seconds
            await engine.mappings.save(TENANT, view.id, view.revision, chosen, ADMIN)
            self.choices.agree(choice, value)

    def anything(self, dice: Random) -> Chosen:
        """Whatever can be chosen for each state; for a free phone mostly nothing.

        Always nothing, or as a free one, where the product may not know whether a phone is there.
        """
        chosen = {line: dice.choice(choices_of(line)) for line in MAPPABLE}
        if self.world.kinds & {Kind.NO_POLLS, Kind.PEOPLE_MOVE, Kind.LISTS_SHRINK} or dice.random() < 0.7:
            chosen[LineState.IDLE] = None
        if self.world.kinds & {Kind.HOT_DESKS, Kind.PEOPLE_MOVE, Kind.LISTS_SHRINK}:
            chosen[LineState.OFFLINE] = Leave.ALONE
        return chosen

    def begin(self, choice: Choice, value: Value) -> None:
        self.world.note("administrator", choice, value)
        self.acted_at = self.world.time.seconds
        if choice[0] in (SCOPE, SCHEDULE, SOME_MAPPINGS):
            self.ruled_at = self.world.time.seconds
        self.choices.begin(choice)

    async def choose(self, kind: str, view: IntegrationView, value: Value, act: Awaitable[object]) -> None:
        """For everybody of an account."""
        choice = (kind, view.cloudlink_account_id, "")
        self.begin(choice, value)
        await act
        self.choices.agree(choice, value)

    async def rules(self, engine: Engine, view: IntegrationView, dice: Random) -> Rules:
        """Some rules; those by a group as the product finds the group by its name."""
        known: list[Rule | Group] = [*RULES, *self.graph.groups]
        wanted = dice.sample(known, dice.randint(1, 3))
        return tuple(
            [
                rule if isinstance(rule, Rule) else await engine.scopes.group(TENANT, view.id, rule.name)
                for rule in wanted
            ]
        )

    async def integration(self, engine: Engine, dice: str) -> IntegrationView | None:
        views = await engine.integrations.list(TENANT)
        return self.world.dice(dice).choice(views) if views else None

    async def person(
        self, engine: Engine, name: str = "people acts"
    ) -> tuple[IntegrationView, ExportedPerson, str] | None:
        dice = self.world.dice(name)
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

    def phones(self, view: IntegrationView) -> PhoneSystem:
        return self.cloudlinks[view.cloudlink_account_id].phones

    def _user_ids(self, view: IntegrationView) -> dict[str, str]:
        """Those of the company by every address that they have had."""
        phones = self.phones(view)
        return {address: user_id for address, user_id in phones.addresses.items() if user_id in phones.colleagues}

    async def seen(self, engine: Engine, views: Sequence[IntegrationView]) -> dict[Choice, Value]:
        """What the product shows an administrator of all choices."""
        found: dict[Choice, Value] = {}
        for view in views:
            account_id, users = view.cloudlink_account_id, self._user_ids(view)
            names = {each.id: each.name for each in view.further} | {OWN: OWN}
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
    return {state.value: choice.value if choice else None for state, choice in chosen_by(overrides).items()}
