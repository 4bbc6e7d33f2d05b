"""Mappings for some people: made, changed, put in an order, removed. By rules, or chosen for someone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sync.domain.model import FurtherMapping, IntegrationView
from sync.engine import Engine
from sync.integrations.mapping_editor import WantedRules
from sync.presence.mapping import overrides_of
from tests.simulation.acts.administrator import ADMIN, TENANT
from tests.simulation.acts.people import PeopleActs, standard
from tests.simulation.rules.choices import IN_ORDER, MAPPED, SOME_MAPPINGS, Choice, Value
from tests.simulation.rules.selection import OWN

NAMES = ("Reception", "Sales", "Board")

Described = list[dict[str, Any]]


@dataclass
class MappingActs:
    """``acts`` picks people and rules, and keeps what was chosen."""

    acts: PeopleActs

    async def act(self, engine: Engine) -> None:
        """Make, change, order or remove one, or choose one for someone."""
        if not (view := await self.acts.integration(engine, "some mappings")):
            return
        dice = self.acts.world.dice("some mappings")
        missing = [name for name in NAMES if name not in {each.name for each in view.further}]
        if missing and (not view.further or dice.random() < 0.25):
            await self._add(engine, view, dice.choice(missing))
            return
        further = dice.choice(view.further)
        await dice.choice((self._show, self._select, self._select, self._choose, self._choose, self._remove))(
            engine, view, further
        )

    async def _add(self, engine: Engine, view: IntegrationView, name: str) -> None:
        wanted = [*described_all(view.further), {"name": name, "shows": standard(view.mapping), "rules": []}]
        await self._store(view, wanted, engine.mappings.add(TENANT, view.id, view.revision, name, ADMIN))

    async def _show(self, engine: Engine, view: IntegrationView, further: FurtherMapping) -> None:
        chosen = self.acts.anything(self.acts.world.dice("some mappings"))
        shows = standard(overrides_of(chosen))
        wanted = [
            {**each, "shows": shows} if each["name"] == further.name else each
            for each in described_all(view.further)
        ]
        save = engine.mappings.save(TENANT, view.id, view.revision, chosen, ADMIN, further.id)
        await self._store(view, wanted, save)

    async def _select(self, engine: Engine, view: IntegrationView, further: FurtherMapping) -> None:
        """Other rules, or none, at another place in the order; tried before, as the card does."""
        dice = self.acts.world.dice("some mappings")
        rules = await self.acts.rules(engine, view, dice) if dice.random() < 0.85 else ()
        place = dice.randint(1, len(view.further))
        others = [each for each in view.further if each is not further]
        others.insert(place - 1, FurtherMapping(further.id, further.name, further.overrides, rules))
        rule = WantedRules(further.id, rules, place)
        await engine.mappings.try_rules(TENANT, view.id, rule)
        save = engine.mappings.save_rules(TENANT, view.id, view.revision, rule, ADMIN)
        await self._store(view, described_all(others), save)

    async def _remove(self, engine: Engine, view: IntegrationView, further: FurtherMapping) -> None:
        choices = self.acts.choices
        theirs = choices.having(MAPPED, view.cloudlink_account_id, further.name)
        choices.doubted |= set(theirs)
        choices.contest(MAPPED, view.cloudlink_account_id)
        wanted = described_all(each for each in view.further if each is not further)
        await self._store(view, wanted, engine.mappings.remove(TENANT, view.id, view.revision, further.id, ADMIN))
        for choice in theirs:
            choices.agree(choice, "")

    async def _choose(self, engine: Engine, view: IntegrationView, further: FurtherMapping) -> None:
        """This one for someone, the one of all, or what the rules say."""
        dice = self.acts.world.dice("some mappings")
        if not (known := await self.acts.known(engine, view)):
            return
        person, user_id = dice.choice(known)
        name, mapping_id = dice.choice(
            ((further.name, further.id), (further.name, further.id), (OWN, OWN), ("", ""))
        )
        choice, line = (MAPPED, view.cloudlink_account_id, user_id), person.line
        self.acts.begin(choice, name)
        if self.acts.choices.is_under_way((SOME_MAPPINGS, view.cloudlink_account_id, "")):
            self.acts.choices.contested.add(choice)
        await engine.people.choose_mapping(TENANT, view.id, line.id, line.choices, mapping_id, ADMIN)
        self.acts.choices.agree(choice, name)

    async def _store(self, view: IntegrationView, wanted: Described, act: Any) -> None:
        await self.acts.choose(SOME_MAPPINGS, view, {IN_ORDER: wanted}, act)

    def seen(self, views: Sequence[IntegrationView]) -> dict[Choice, Value]:
        """What the product shows an administrator of the mappings."""
        return {
            (SOME_MAPPINGS, view.cloudlink_account_id, ""): {IN_ORDER: described_all(view.further)}
            for view in views
        }


def described_all(further: Iterable[FurtherMapping]) -> Described:
    """Each mapping in its order, as the oracle knows it."""
    return [
        {
            "name": each.name,
            "shows": standard(each.overrides),
            "rules": [{"kind": rule.kind.value, "value": rule.value} for rule in each.rules],
        }
        for each in further
    ]
