"""Limits how often people may speak, before the store is touched: a crowd without a role must not slow down owners.

Each person has a rate. All people of a tenant who are not known to have a role share one more, and so do those who
have one: no tenant's administrators slow down another's. Tenants share none.
What exceeds a rate gets one polite answer, then silence; of many in a tenant only some get it, for an answer costs
more than all the rest. All of it is in memory, of bounded size, for each process.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import structlog

from bot.activity import Action, Message
from bot.cards import welcome as cards
from bot.chat.context import Proceed, TurnContext
from bot.chat.turn_metrics import Outcome
from bot.languages import Language
from bot.roles.admins_setting import AdminsSetting
from core.coalescing import BatchLoader
from core.rates import MAX_KEYS, Buckets, Rate
from storage.database import Database
from storage.queries.chat import roles
from sync.domain.roles import Role

log = structlog.get_logger()

Person = tuple[str, str]
"""Tenant and object id."""


@dataclass(frozen=True, slots=True)
class CrowdRates:
    """``strangers`` is for all people of a tenant who are not known to have a role, ``known`` for the others.

    ``answers`` is how often a person gets the polite answer, ``all_answers`` how often a tenant's strangers do;
    ``lookups`` is how often it is read whether a person has a role while they are refused.
    """

    person: Rate = Rate(30, 1.0)
    strangers: Rate = Rate(20, 2.0)
    known: Rate = Rate(200, 20.0)
    answers: Rate = Rate(1, 1 / 600)
    all_answers: Rate = Rate(20, 0.5)
    lookups: Rate = Rate(1, 1 / 60)


class CrowdLimit:
    """A middleware. ``now`` is a monotonic clock in seconds."""

    def __init__(
        self, database: Database, access: AdminsSetting, now: Callable[[], float], rates: CrowdRates | None = None
    ) -> None:
        rates = rates or CrowdRates()
        self._database = database
        self._access = access
        self._people, self._strangers = Buckets(rates.person, now), Buckets(rates.strangers, now)
        self._members = Buckets(rates.known, now)
        self._answers, self._lookups = Buckets(rates.answers, now), Buckets(rates.lookups, now)
        self._all_answers = Buckets(rates.all_answers, now)
        self._known: dict[Person, Language] = {}
        self._roles: BatchLoader[Person, bool] = BatchLoader(self._find)

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        person = (context.tenant, context.person)
        if await self._may_speak(person):
            await proceed()
            return self._remember(person, context)
        context.measured.outcome = Outcome.REFUSED
        if isinstance(context.turn.incoming.event, Message | Action) and self._is_answered(person):
            log.info("sender_limited", tenant=context.tenant, person=context.person)
            texts = context.services.languages[self._known.get(person, context.texts.language)]
            await context.turn.replace(cards.limited(texts), texts("limited.title"))
        return None

    def _is_answered(self, person: Person) -> bool:
        """Once each. A stranger left out because so many of the tenant were answered is answered later."""
        if not self._answers.has(person):
            return False
        return (person in self._known or self._all_answers.take(person[0])) and self._answers.take(person)

    async def _may_speak(self, person: Person) -> bool:
        if not self._people.take(person):
            return False
        if person in self._known:
            return self._members.take(person[0])
        if self._strangers.take(person[0]):
            return True
        return self._lookups.take(person) and await self._has_role(person)

    async def _has_role(self, person: Person) -> bool:
        tenant, object_id = person
        return object_id.casefold() in self._access.entries_of(tenant) or bool(await self._roles.load(person))

    async def _find(self, people: Collection[Person]) -> Mapping[Person, bool]:
        async with self._database.session() as session:
            return dict.fromkeys(await roles.known_among(session, people), True)

    def _remember(self, person: Person, context: TurnContext) -> None:
        """Whether the person has a role, if this turn has shown it, and in which language they are answered."""
        if context.role is not Role.EVERYONE:
            self._known.pop(person, None)
            self._known[person] = context.texts.language
            if len(self._known) > MAX_KEYS:
                del self._known[next(iter(self._known))]
        elif context.recognised and context.turn.incoming.personal:
            self._known.pop(person, None)
