"""``alerts``: which notices a person receives and when, who else does, and the buttons of notices."""

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.cards.health.alerts import INTEGRATIONS_SHOWN, AlertsView, Listener, alerts_card, recipients_card
from bot.cards.health.notices import NoticeView, can_wait, reminded
from bot.cards.welcome import stale
from bot.chat.context import Command, TurnContext
from bot.languages.quiet_hours import ZONES, is_time, local, zone_of
from storage.queries import integrations
from storage.queries.chat import conversations
from storage.queries.health import alerts, notices
from storage.queries.health.alerts import ANY_INTEGRATION, CHANNEL_PREFIX
from storage.queries.health.notices import REMINDED_AFTER, REPETITION, State
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from sync.audit import Act
from sync.domain.reports import Cadence
from sync.domain.roles import Role
from sync.integrations.views import integration_view
from sync.problems.notice_plan import original_stage

STATES = {
    State.WAITING: "waiting",
    State.SENDING: "waiting",
    State.SENT: "told",
    State.CLOSING: "told",
    State.CLOSED: "told",
    State.UNREACHABLE: "unreachable",
    State.DROPPED: "muted",
}
"""The name of each notice state on cards."""


async def open_alerts(context: TurnContext) -> None:
    await context.show(alerts_card(context.texts, await _view(context)))


async def save(context: TurnContext) -> None:
    """Save the form. Toggles of foreign integrations, and of those not shown, are ignored."""
    data = context.data
    begin, end = data.get("quiet_from", ""), data.get("quiet_until", "")
    view = await _view(context)
    zone = data.get("time_zone", "")
    if bool(begin) != bool(end) or not all(is_time(typed) for typed in (begin, end) if typed):
        return await context.show(alerts_card(context.texts, view, "alerts.both_times"))
    if zone not in {*view.zones, view.zone}:
        return await context.show(alerts_card(context.texts, view, "alerts.unknown_zone"))
    known = {one.id: one for one in await context.operations.integrations.list(context.tenant)}
    async with context.services.database.writing() as session:
        await alerts.set_quiet_hours(session, context.tenant, context.person, begin, end, zone)
        if (begin, end, zone) != (view.quiet_from, view.quiet_until, view.zone):
            await context.record(session, None, Act.ALERTS_QUIET, hours=f"{begin}-{end}", time_zone=zone)
        digest = data.get("digest", view.digest).replace("never", "")
        if digest != view.digest and digest in set(Cadence):
            await alerts.set_digest(session, context.tenant, context.person, digest, context.now)
            await context.record(session, None, Act.ALERTS_DIGEST, digest=digest or "never")
        for key, _, was_on in view.integrations[:INTEGRATIONS_SHOWN]:
            is_on = data.get(f"on_{key}", str(was_on).lower()) == "true"
            if is_on != was_on:
                await alerts.set_muted(session, context.tenant, context.person, key, not is_on)
                await context.record(session, known.get(key), Act.ALERTS_ON if is_on else Act.ALERTS_OFF)
    return await context.show(alerts_card(context.texts, await _view(context), "alerts.saved"))


async def remind(context: TurnContext) -> None:
    """Repeat the notice tomorrow, for this person only; pressed twice, it is still repeated once."""
    found = await _notice(context)
    if found is None or not can_wait(found[0].topic, found[0].facts, context.now.date()):
        return await context.show(stale(context.texts))
    notice, integration = found
    at = context.now + REMINDED_AFTER
    again = Notice(
        integration_id=notice.integration_id,
        owner_tenant=notice.owner_tenant,
        topic=notice.topic,
        stage=f"{original_stage(notice.stage)}{REPETITION}{at.date().isoformat()}",
        audience=context.person,
        facts={key: value for key, value in notice.facts.items() if key != "closed"},
        created_at=context.now,
        due_at=at,
    )
    async with context.services.database.writing() as session:
        await notices.add_new(session, [again])
        person = await conversations.find(session, context.tenant, context.person)
        chosen = (await alerts.preferences_by_integration(session, context.tenant, context.person)).get(
            ANY_INTEGRATION
        )
    zone = zone_of(chosen.time_zone if chosen else "", person.time_zone if person else "", context.texts.language)
    view = NoticeView(
        notice.id, notice.topic, notice.facts, integration_view(integration), context.services.links, zone
    )
    return await context.show(reminded(context.texts, view, local(at, zone).date(), context.now))


async def show_recipients(context: TurnContext) -> None:
    """Show who else receives the notice, in a new card, so that the notice keeps its buttons."""
    found = await _notice(context)
    if found is None:
        await context.show(stale(context.texts))
        return
    notice, integration = found
    async with context.services.database.session() as session:
        about = {row.audience: row.state for row in await notices.list_same_subject(session, notice)}
        muted = await alerts.list_muted(session, context.tenant, notice.integration_id)
        recipients = await _recipients(session, context.tenant, muted, about)
    await context.send(recipients_card(context.texts, integration.name, recipients))


async def _notice(context: TurnContext) -> tuple[Notice, Integration] | None:
    """The notice the button names, and its integration; None if it is foreign or gone, or that is being removed."""
    async with context.services.database.session() as session:
        notice = await notices.get_owned(session, context.tenant, context.data.get("notice", ""))
        if notice is None:
            return None
        integration = await integrations.get_owned(session, context.tenant, notice.integration_id)
        return (notice, integration) if integration else None


async def _view(context: TurnContext) -> AlertsView:
    tenant, person = context.tenant, context.person
    async with context.services.database.session() as session:
        mine = await alerts.preferences_by_integration(session, tenant, person)
        known = await conversations.find(session, tenant, person)
        recipients = await _recipients(session, tenant, set(), {})
    views = await context.operations.integrations.list(tenant)
    general = mine.get(ANY_INTEGRATION)
    client_zone = known.time_zone if known else ""
    zone = zone_of(general.time_zone if general else "", client_zone, context.texts.language)
    return AlertsView(
        integrations=[(one.id, one.name, not (one.id in mine and mine[one.id].muted)) for one in views],
        quiet_from=general.quiet_from if general else "",
        quiet_until=general.quiet_until if general else "",
        digest=general.digest if general else "",
        zone=zone,
        zones=ZONES if not client_zone or client_zone in ZONES else (client_zone, *ZONES),
        listeners=recipients,
    )


async def _recipients(session: AsyncSession, tenant: str, muted: set[str], about: dict[str, str]) -> list[Listener]:
    """The tenant's administrators and channels, each with the state of the notice for them."""
    people = await conversations.list_administrators(session, tenant)
    found = [Listener(one.name, _state(one, muted, about.get(one.user_object_id))) for one in people]
    for channel in await alerts.list_channels(session, tenant):
        state = about.get(CHANNEL_PREFIX + channel.conversation_id)
        here = "unreachable" if channel.unreachable else STATES[State(state)] if state else "listening"
        found.append(Listener("", here, is_channel=True))
    return found


def _state(person: Conversation, muted: set[str], state: str | None) -> str:
    if state in (State.SENT, State.CLOSING, State.CLOSED):
        return "told"
    if person.unreachable:
        return "unreachable"
    if person.user_object_id in muted:
        return "muted"
    return STATES[State(state)] if state else "listening"


COMMAND = Command(
    key="alerts",
    titles={"en": "alerts", "pt": "alertas"},
    descriptions={
        "en": "What you are alerted about, and when",
        "pt": "Que alertas recebe e quando",
    },
    aliases=(
        *("notifications", "mute", "quiet hours", "alerts here"),
        *("notificações", "avisos", "horas de silêncio", "alertas aqui"),
    ),
    listed=False,
    open=open_alerts,
    least=Role.ADMINISTRATOR,
    actions={"alerts.save": save, "alerts.remind": remind, "alerts.told": show_recipients},
)
