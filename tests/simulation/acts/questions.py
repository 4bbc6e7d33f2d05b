"""*Why*, asked about people: what the models and rules say at that moment, and whether the answer is true."""

from dataclasses import dataclass

from sync.domain.model import IntegrationView
from sync.domain.people import ExportedPerson
from sync.engine import Engine
from tests.simulation.acts.administrator import CLIENT_ID, TENANT
from tests.simulation.acts.people import LONGEST_TURN, PeopleActs
from tests.simulation.models.cloudlink import CloudLinkModel
from tests.simulation.rules.choices import SCHEDULE
from tests.simulation.rules.hours import is_open, turned_lately
from tests.simulation.rules.oracle import right, showable, wish
from tests.simulation.rules.reasons import Question, Situation, refuted
from tests.simulation.rules.selection import Member
from tests.simulation.world import QUIET, Kind

SET_UP, SETTLES = 40.0, 8.0
"""Seconds after which everything is known on a quiet day: since the morning, and since something happened."""


@dataclass(frozen=True)
class Questions:
    """``acts`` picks people, and knows what was done when."""

    acts: PeopleActs

    async def ask_why(self, engine: Engine) -> None:
        """About anyone, at any time: what is answered must be true."""
        if found := await self.acts.person(engine, "questions"):
            await self._ask(engine, *found, is_settled=False)

    async def ask_of_all(self, engine: Engine, *, is_settled: bool) -> None:
        """Of everyone, when everything is shown; ``is_settled``: and known."""
        for view in await engine.integrations.list(TENANT):
            for person, user_id in await self.acts.known(engine, view):
                await self._ask(engine, view, person, user_id, is_settled=is_settled)

    async def _ask(
        self, engine: Engine, view: IntegrationView, person: ExportedPerson, user_id: str, *, is_settled: bool
    ) -> None:
        known = (user_id, person.teams_user_id or "")
        before = await self._situation(engine, view.id, known, is_settled=is_settled)
        answer = await engine.roster.explain(TENANT, view.id, person.line.id)
        after = await self._situation(engine, view.id, known, is_settled=is_settled)
        self.acts.world.counts["why"] += 1
        self.acts.world.note("why", user_id, answer.reason, answer.facts)
        if before and after:
            heard_at = self.acts.cloudlinks[view.cloudlink_account_id].heard.get(user_id, -1.0)
            if text := refuted(Question(self.acts.world, self.acts.graph, answer, before, after, heard_at)):
                self.acts.world.fail(f"why of {user_id} is {answer.reason}: {text}")

    async def _situation(
        self, engine: Engine, integration_id: str, known: tuple[str, str], *, is_settled: bool
    ) -> Situation | None:
        """``known`` are the user id, and the Teams user whom the product takes them for."""
        user_id, taken_for = known
        acts, graph, choices = self.acts, self.acts.graph, self.acts.choices
        views = {view.id: view for view in await engine.integrations.list(TENANT)}
        view = views.get(integration_id)
        phones = acts.cloudlinks[view.cloudlink_account_id].phones if view else None
        if view is None or phones is None or not (colleague := phones.colleagues.get(user_id)):
            return None
        teams_id = choices.teams_user(phones, colleague, graph.users)
        member = Member(colleague, graph.groups_of(teams_id) if teams_id else None)
        further, schedule = choices.further(phones, member), choices.of_account(SCHEDULE, phones.account_id)
        enabled = [acts.cloudlinks[each.cloudlink_account_id].phones for each in views.values() if each.enabled]
        others = showable([each for each in enabled if each is not phones], graph, choices, acts.world.clock())
        is_doubted = self._is_doubted() or turned_lately(schedule, acts.world.clock(), LONGEST_TURN)
        cloudlink = acts.cloudlinks[view.cloudlink_account_id]
        is_known = not (is_doubted or self._is_unsure(cloudlink, user_id))
        return Situation(
            teams_id=teams_id,
            unmatched=choices.unmatched(phones, colleague, graph.users),
            hidden=choices.hidden(phones, colleague, member.groups),
            further=further["name"] if further else "",
            is_open=is_open(schedule, acts.world.clock()),
            is_enabled=view.enabled,
            has_phone=bool(colleague.extension),
            is_heard=user_id in cloudlink.heard or not acts.world.has(Kind.NO_POLLS),
            is_doubted=is_doubted,
            is_settled=is_known and teams_id not in graph.refused and (is_settled or self._is_quiet(user_id)),
            is_refused=not {teams_id, taken_for}.isdisjoint(graph.refused),
            wish=wish(phones, user_id, choices.mapping(phones, member)),
            others=right(others, graph, choices).get(teams_id or ""),
            session=graph.shown(CLIENT_ID, taken_for),
            seen=graph.seen(CLIENT_ID, taken_for),
            chosen=graph.chosen.get(taken_for),
            client=graph.clients.get(taken_for),
        )

    def _is_unsure(self, cloudlink: CloudLinkModel, user_id: str) -> bool:
        """Whether it is not known what the product knows of this person's phones."""
        is_unanswered = user_id in cloudlink.offered and user_id not in cloudlink.heard
        return user_id in cloudlink.missed or is_unanswered or cloudlink.is_out_of_sight(user_id)

    def _is_doubted(self) -> bool:
        """Whether it is not known what was stored, or everybody is being judged by other rules."""
        acts = self.acts
        is_judged = acts.world.time.seconds > acts.ruled_at + LONGEST_TURN
        return bool(acts.choices.doubted) or acts.world.has(Kind.POWER_CUTS) or not is_judged

    def _is_quiet(self, user_id: str) -> bool:
        """Whether, on a quiet day, nothing happened for some seconds that has to do with this person."""
        acts, number = self.acts, user_id.rpartition("-")[2]
        here = [each.phones for each in acts.cloudlinks.values()]
        times = [phones.reported.get(f"{phones.account_id}-user-{number}", 0.0) for phones in here]
        return acts.world.kinds <= QUIET and acts.world.time.seconds > SETTLES + max(*times, acts.acted_at, SET_UP)
