"""Every card in every distinct state, with sample data, the largest included: for tests and for pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType

from bot.activity import Card
from bot.cards import help as help_cards
from bot.cards import welcome
from bot.cards.credentials import certificate
from bot.cards.credentials import rotation as rotation_cards
from bot.cards.field_errors import FormError, Link, Links, form_error
from bot.cards.health import connection_test
from bot.cards.health.remedies import CHANGES_CREDENTIAL, ON_THE_SERVER
from bot.cards.health.status import StatusView, status_card
from bot.cards.help import HelpLine
from bot.cards.integrations import listing as integrations
from bot.cards.parts import with_banner
from bot.cards.presence import preview
from bot.cards.setup import forms as setup_forms
from bot.cards.setup import steps as setup
from bot.cards.validation import failed_check
from bot.cards.welcome import Existing
from bot.commands import COMMANDS
from bot.commands.help import GROUPS, LINES
from bot.commands.setup.steps import REFUSED_SECRETS, REGION_MAY_HELP
from bot.languages import Language, Texts, load_texts
from sync.domain.errors import OUTAGES, CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import (
    CredentialKind,
    Delay,
    ExpirySource,
    Freshness,
    IntegrationView,
    Preview,
    Probe,
    Proof,
    Service,
    ServiceHealth,
    Status,
    Unmatched,
    UnmatchedPerson,
    WouldSend,
)
from sync.domain.presence import Effect, LineState, Presence
from sync.domain.rotation import CredentialChoices
from tests.cards.gallery import access, management, notice, people, report, rotation, scope, update
from tests.cards.gallery.names import LONG_INTEGRATION

NOT_IN_SETUP = frozenset(
    {Fault.GRAPH_SECRETS_FORBIDDEN, Fault.GRAPH_SECRET_TOO_LONG, Fault.GRAPH_ROTATION_FORBIDDEN}
)
"""What only a rotation by the bot meets."""

SEEN_WHILE_SENDING = Fault.GRAPH_EVERYONE_REFUSED
"""No form meets it: it shows when the presence of several people in a row was refused."""

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINKS = Links()
LONG = "Ş" * 400
GUID = "1b2c3d4e-0000-4000-8000-1234567890ab"
TENANT = "6f7a8b9c-0000-4000-8000-ba0987654321"
SEEN = Proof(NOW, 88, 87, ((Effect.CHOSEN, "DoNotDisturb", 1),))
PROOF = Proof(
    NOW,
    88,
    83,
    (
        (Effect.CHOSEN, "DoNotDisturb", 1),
        (Effect.OUTRANKED, "InAMeeting", 2),
        (Effect.PERHAPS_CHOSEN, "Available", 1),
        (Effect.NOT_SHOWN, "Offline", 1),
    ),
)
"""Everything that Teams can show but what was sent."""

VALUES = {
    "region": "eu",
    "account_id": "1000200030",
    "cloudlink_client_id": "presence-reader",
    "account_name": "Contoso Telephony",
    "people": "27",
    "name": "Head office",
    "tenant_id": TENANT,
    "client_id": GUID,
    "expires_on": "2027-05-31",
}


@cache
def gallery_in(language: Language) -> Mapping[str, Card]:
    """The cards by name, made once; no test changes them."""
    return gallery(load_texts()[language])


def gallery(texts: Texts) -> dict[str, Card]:
    """The cards by name, in the language of ``texts``."""
    return dict(
        [
            *_meeting(texts),
            *_setup(texts),
            *_faults(texts),
            *_enabling(texts),
            *_health(texts),
            *_things(texts),
            *people.samples(texts, integration(), _typed("why", texts)),
            *scope.samples(texts, integration()),
            *report.samples(texts, integration()),
            *management.samples(texts, integration(), _every_field(texts)),
            *notice.samples(texts),
            *update.samples(texts, integration()),
            *access.samples(texts),
            *rotation.samples(texts, integration(), _forbidden(texts)),
        ]
    )


def _forbidden(texts: Texts) -> FormError:
    return replace(form_error(example(Fault.GRAPH_ROTATION_FORBIDDEN), texts, LINKS, GUID), field="")


def _meeting(texts: Texts) -> Iterator[tuple[str, Card]]:
    lines = {
        one.key: HelpLine(one.key, one.titles[texts.language], one.descriptions[texts.language]) for one in COMMANDS
    }
    groups = [(group, [lines[key] for key in keys if key in lines]) for group, keys in GROUPS.items()]
    yield "welcome", welcome.welcome(texts)
    scoped = Existing("Porto office", True, False, 3, 3, is_scoped=True)
    yield "welcome_scoped", welcome.welcome(texts, [scoped])
    running = [Existing("Porto office", True, False, 87, 92), Existing(LONG_INTEGRATION, True, True, 0, 14_000)]
    yield "welcome_existing", welcome.welcome(texts, [*running, Existing("Lisbon", False, False, 3, 4)], more=2)
    yield "help", help_cards.help_card(texts, [(key, each[:LINES]) for key, each in groups], more=True)
    yield "help_more", help_cards.more_card(texts, [(key, each[LINES:]) for key, each in groups if each[LINES:]])
    yield "unknown", help_cards.unknown(texts, [])
    yield (
        "unknown_near",
        help_cards.unknown(texts, [lines["status"], lines["setup"]]),
    )
    for remark, (_, keys) in help_cards.REMARKS.items():
        yield f"remark_{remark}", help_cards.remark_card(texts, remark, [lines[key] for key in keys])
    yield "cancelled", help_cards.cancelled(texts)
    yield "refused", welcome.refused(texts, ["admin@contoso.example"])
    yield "refused_nobody", welcome.refused(texts, [])
    yield "not_recognised", welcome.not_recognised(texts, "command.status")
    yield "limited", welcome.limited(texts)
    yield "personal", welcome.meet_in_personal(texts, Link(texts("personal.open"), LINKS.personal_chat("28:bot")))
    yield "personal_no_link", welcome.meet_in_personal(texts, None)
    yield "stale", welcome.stale(texts)
    pressed_by = texts("pressed.by", who="Ana Lima", ago=texts.relative(NOW - timedelta(minutes=2), NOW))
    yield (
        "pressed_before",
        with_banner(integrations.already_enabled(texts, integration()), pressed_by, texts("pressed.once")),
    )
    yield "apology", welcome.apology(texts, "4f1d2c3b")
    yield "apology_disk", welcome.apology(texts, "4f1d2c3b", "disk")
    yield "apology_database", welcome.apology(texts, "4f1d2c3b", "database")
    yield "languages", welcome.languages(texts, changed=False)
    yield "language_changed", welcome.languages(texts, changed=True)


def _setup(texts: Texts) -> Iterator[tuple[str, Card]]:
    yield "setup_cloudlink", setup_forms.cloudlink_form(texts, "draft", {}, LINKS)
    asked = {**VALUES, "ask_region": "yes"}
    yield "setup_cloudlink_kept", setup_forms.cloudlink_form(texts, "draft", asked, LINKS, kept=True)
    yield "setup_full", setup.too_many(texts, 20)
    yield "setup_equal", setup.already_set_up(texts, integration(), "Head office", "draft")
    yield "setup_equal_removed", setup.already_set_up(texts, None, "Head office", "draft")
    yield "checking", setup.checking(texts, 0, "people")
    yield "setup_checking", setup.checking(texts, 1, "cloudlink")
    yield "setup_checking_teams", setup.checking(texts, 2, "teams")
    yield "setup_checking_new_secret", setup.checking(texts, 2, "teams", attempt=4)
    yield "setup_checking_people", setup.checking(texts, 3, "people")
    new = {"tenant_id": TENANT, **dict.fromkeys(("name", "account_name"), "Contoso Telephony"), "people": "27"}
    yield "setup_microsoft", setup_forms.microsoft_form(texts, "draft", new, LINKS)
    yield "setup_microsoft_no_users", setup_forms.microsoft_form(texts, "draft", {**new, "people": "0"}, LINKS)
    yield "setup_microsoft_kept", setup_forms.microsoft_form(texts, "draft", VALUES, LINKS, kept=True)
    wrong = {**VALUES, "tenant_id": "contoso", "client_id": "1b2c3d4e", "expires_on": "2026-05-31"}
    yield (
        "setup_microsoft_all_wrong",
        setup_forms.microsoft_form(texts, "draft", wrong, LINKS, form_errors=_every_field(texts)),
    )
    yield "setup_resume", setup.resume(texts, "draft", 2, "Contoso Telephony")
    yield "setup_cancelled", setup.cancelled(texts)
    yield "setup_ended", setup.ended(texts)


def _typed(key: str, texts: Texts) -> str:
    """What is typed for a command."""
    return next(one.titles[texts.language] for one in COMMANDS if one.key == key)


def _every_field(texts: Texts) -> list[FormError]:
    checks = {"name": "name_taken", "tenant_id": "guid", "client_id": "guid"}
    checks |= {"client_secret": "secret_is_id", "expires_on": "past"}
    return [failed_check(texts, check, field) for field, check in checks.items()]


def _faults(texts: Texts) -> Iterator[tuple[str, Card]]:
    one, region = integration(), {**VALUES, "ask_region": "yes"}
    for fault in (each for each in Fault if each is not SEEN_WHILE_SENDING):
        error = example(fault)
        said = form_error(error, texts, LINKS, GUID)
        if fault in NOT_IN_SETUP:
            failed = replace(rotation.FAILED, error=error)
            yield f"fault_{fault}", rotation_cards.failed(texts, one, failed, said)
        elif fault in CHANGES_CREDENTIAL | ON_THE_SERVER | {Fault.ENTRA_HOST_NOT_ALLOWED}:
            is_refused = fault is Fault.ENTRA_HOST_NOT_ALLOWED
            of = replace(one, credential=CredentialKind.CERTIFICATE) if is_refused else one
            yield f"fault_{fault}", certificate.choose(texts, of, CredentialChoices(True, True), said)
        elif fault.startswith("cloudlink.way_in"):
            tried = [Probe(Service.CLOUDLINK, "way_in", 3.2, error)]
            yield f"fault_{fault}", connection_test.tested(texts, one, tried, {0: said}, "")
        elif fault.startswith("cloudlink."):
            values = region if fault in REGION_MAY_HELP else VALUES
            form = setup_forms.cloudlink_form(texts, "draft", values, LINKS, kept=True, form_errors=[said])
            yield f"fault_{fault}", form
        else:
            kept = fault not in {*REFUSED_SECRETS, Fault.ENTRA_SECRET_MISSING, Fault.SECRET_UNREADABLE}
            form = setup_forms.microsoft_form(texts, "draft", VALUES, LINKS, kept=kept, form_errors=[said])
            yield f"fault_{fault}", form
    yield (
        "failed",
        integrations.failed(texts, form_error(example(Fault.GRAPH_THROTTLED), texts, LINKS), "status.show", {}),
    )


def example(fault: Fault) -> SyncError:
    """An error of a service, with all the context it can have."""
    if fault in OUTAGES or fault.value.endswith("list_too_long"):
        status = 400 if fault is Fault.GRAPH_REFUSED else 503
        return ServiceUnavailable(
            fault, 30.0, status=status, error="BadRequest", address="https://bot.contoso.example"
        )
    context: dict[Fault, dict[str, str | int]] = {
        Fault.GRAPH_CONSENT_MISSING: {"permissions": "User.Read.All, Presence.ReadWrite.All"},
        Fault.ENTRA_CERTIFICATE_UNKNOWN: {"code": 700027, "thumbprint": "ABABABAB"},
        Fault.ENTRA_CERTIFICATE_EXPIRED: {"code": 1000502, "thumbprint": "ABABABAB"},
    }
    return CredentialsWrong(fault, **context.get(fault, {"code": 7000215}))


def _enabling(texts: Texts) -> Iterator[tuple[str, Card]]:
    one, bens = integration(enabled=False), tuple(f"Ben Example {number}" for number in range(1, 14_001))
    small = Preview(25, _people(2, "Ada Example"), _on_the_phone(1, "Ben Example"), bens[:25])
    large = Preview(14_000, _people(1_000, "Ada Example"), _on_the_phone(400, "Ben Example"), bens)
    worst = Preview(14_000, _people(1_000, LONG), _on_the_phone(400, LONG), (LONG,) * 14_000)
    yield "preview", preview.preview_card(texts, one, small, wizard=True)
    yield "preview_everybody", preview.preview_card(texts, one, Preview(25, (), ()))
    newest = replace(one, feature_version=3)
    yield "preview_newest", preview.preview_card(texts, newest, small, wizard=True)
    read = replace(one, expiry_source=ExpirySource.GRAPH)
    yield "preview_expiry_read", preview.preview_card(texts, read, small, wizard=True)
    yield "preview_nobody", preview.preview_card(texts, one, Preview(0, (), ()))
    yield "preview_large_first", preview.preview_card(texts, one, large, wizard=True)
    yield "preview_worst", preview.preview_card(texts, one, worst, wizard=True)
    yield "preview_large_middle", preview.preview_card(texts, one, large, page=50, wizard=True)
    yield "preview_large_last", preview.preview_card(texts, one, large, page=99)
    yield (
        "preview_failed",
        preview.preview_failed(texts, one, form_error(example(Fault.GRAPH_UNREACHABLE), texts, LINKS), wizard=True),
    )
    closed = replace(one, closed=True, turns_at=NOW + timedelta(hours=21))
    yield "preview_closed", preview.preview_card(texts, closed, small)
    yield "enabled", preview.enabled_card(texts, one, NOW, "UTC")
    yield "enabled_closed", preview.enabled_card(texts, closed, NOW, "UTC")
    yield "later", preview.later_card(texts, one)


def _health(texts: Texts) -> Iterator[tuple[str, Card]]:
    yield "status", _status(texts, [None, None, None])
    yield (
        "status_disabled",
        _status(texts, [None, None, None], enabled=False, expires=None, freshness=Freshness.NO_URL),
    )
    away = example(Fault.GRAPH_UNREACHABLE)
    yield "status_disabled_away", _status(texts, [None, None, away], enabled=False, many=WAITING)
    for freshness in Freshness:
        yield f"status_{freshness}", _status(texts, [None, None, None], freshness=freshness)
    yield "status_scoped", _status(texts, [None, None, None], many=SCOPED)
    yield "status_waiting", _status(texts, [None, None, None], many=WAITING)
    yield "status_read_back", _status(texts, [None, None, None], many=MANY)
    yield "status_read_back_all", _status(texts, [None, None, None], many=replace(MANY, proof=PROOF))
    failed = replace(MANY, proof=replace(SEEN, read_at=NOW - timedelta(minutes=11), failed=True))
    yield "status_read_back_failed", _status(texts, [None, None, None], many=failed)
    refused = replace(MANY, proof=Proof(NOW, refused=True))
    yield "status_read_back_refused", _status(texts, [None, None, None], many=refused)
    wrong, unavailable = example(Fault.ENTRA_SECRET_EXPIRED), example(Fault.CLOUDLINK_UNREACHABLE)
    yield "status_list_unread", _status(texts, [None, None, None], unread=True)
    yield "status_disk_full", _status(texts, [None, None, None], store_fault="disk")
    yield "status_lists_shrunk", _status(texts, [None, None, None], shrunk=True)
    yield "status_checking", _status(texts, [None, ServiceUnavailable(Fault.ENTRA_SECRET_EXPIRED), None])
    yield "status_answered", _status(texts, [None, None, None], answered=ANSWERED)
    yield "status_closed", _status(texts, [None, None, None], closed=True)
    yield "status_closed_delayed", _status(texts, [unavailable, None, None], closed=True)
    yield "status_closed_expired", _status(texts, [None, wrong, None], closed=True)
    yesterday, polled = NOW.date() - timedelta(days=1), Freshness.NOT_SUBSCRIBED
    yield "status_in_trouble", _status(texts, [unavailable, wrong, None], expires=yesterday, freshness=polled)
    consent = example(Fault.GRAPH_CONSENT_MISSING)
    states = tuple((f"{LONG}{number}", number) for number in range(1, 51))
    worst = replace(MANY, left_out=tuple((reason, 2) for reason in Unmatched), states=states)
    yield (
        "status_worst",
        _status(texts, [unavailable, wrong, consent], freshness=polled, many=worst, name=LONG),
    )
    yield "testing", connection_test.testing(texts, integration())
    steps = [
        Probe(Service.CLOUDLINK, "token", 0.21),
        Probe(Service.CLOUDLINK, "users", 12.6),
        Probe(Service.GRAPH, "presence", 0.1),
    ]
    yield "tested", connection_test.tested(texts, integration(), steps, {}, "")
    untried = [*steps[:2], Probe(Service.CLOUDLINK, "way_in", tried=False), steps[2]]
    yield "tested_some", connection_test.tested(texts, integration(), untried, {}, "")
    empty = [replace(steps[1], count=0), steps[2]]
    yield (
        "tested_unproven",
        connection_test.tested(texts, integration(), empty, {}, texts("status.polling.no_event")),
    )
    closed = example(Fault.CLOUDLINK_WAY_IN_CLOSED)
    at_home = [*steps[:2], Probe(Service.CLOUDLINK, "way_in", 3.2, closed), steps[2]]
    in_words = {2: form_error(closed, texts, LINKS)}
    yield "tested_way_in_closed", connection_test.tested(texts, integration(), at_home, in_words, "")
    down = example(Fault.CLOUDLINK_UNREACHABLE)
    errors = (down, wrong, wrong)
    failing = [Probe(service, "token", 10.0, error) for service, error in zip(Service, errors, strict=True)]
    failing += [Probe(Service.CLOUDLINK, step, 10.0, down) for step in ("users", "way_in")]
    form_errors = {
        place: form_error(probe.error, texts, LINKS, GUID) for place, probe in enumerate(failing) if probe.error
    }
    yield "tested_failing", connection_test.tested(texts, integration(), failing, form_errors, "")


@dataclass(frozen=True, slots=True)
class Figures:
    """How many people a sample status is about, and what was read of them."""

    matched: int
    in_a_call: int
    waiting: int
    proof: Proof
    delay: Delay
    left_out: tuple[tuple[Unmatched, int], ...] = ()
    states: tuple[tuple[str, int], ...] = ()

    @property
    def people(self) -> int:
        return self.matched + sum(count for _, count in self.left_out)


ANSWERED = {Service.CLOUDLINK: NOW - timedelta(minutes=4), Service.GRAPH: NOW - timedelta(minutes=9)}
FEW = Figures(25, 3, 0, Proof(NOW, 3, 3), Delay(0.14, 0.42, 88))
WAITING = replace(FEW, in_a_call=4, waiting=1, proof=Proof(NOW))
SCOPED = replace(FEW, matched=3, left_out=((Unmatched.OUTSIDE, 24), (Unmatched.NOT_FOUND, 1)))
MANY = Figures(400, 88, 0, SEEN, Delay(0.14, 0.42, 1_240))


def _status(
    texts: Texts,
    errors: list[SyncError | None],
    *,
    enabled: bool = True,
    expires: date | None = date(2027, 5, 31),
    freshness: Freshness = Freshness.LIVE,
    many: Figures = FEW,
    name: str = "Head office",
    closed: bool = False,
    shrunk: bool = False,
    unread: bool = False,
    store_fault: str = "",
    answered: Mapping[Service, datetime] = MappingProxyType({}),
) -> Card:
    """A fault began 12 minutes ago, after the last change."""
    since, is_faulty = NOW - timedelta(minutes=12), any(errors)
    service_health = tuple(
        ServiceHealth(service, error, since if error else None)
        for service, error in zip(Service, errors, strict=True)
    )
    changed = NOW - timedelta(minutes=14 if is_faulty else 3) if enabled or many.waiting else None
    one = integration(enabled=enabled, expires=expires, name=name)
    sample = Status(
        replace(one, closed=closed, turns_at=NOW + timedelta(hours=21) if closed else None),
        service_health,
        many.people,
        many.matched,
        many.in_a_call,
        many.waiting,
        changed,
        freshness,
        1 if freshness is Freshness.LIVE else 30,
        many.states,
        not_shown=many.left_out,
        proof=many.proof,
        delay=many.delay,
        shown_since=NOW - timedelta(days=8) if enabled and not is_faulty else None,
        shown_now=many.in_a_call - many.waiting if enabled and not closed else 0,
        missing=many.waiting if enabled and not closed else 0,
        lists_shrunk=({"people": 12, "before": 25, "side": "cloudlink"},) if shrunk else (),
        lists_unread=({"side": "graph", "read_at": NOW.isoformat()},) if unread else (),
        groups_unread=({"groups": 2, "names": "Sales, Vendas & Marketing"},) if shrunk else (),
        day=report.day() if enabled and not closed else (),
        answered=answered,
        store_fault=store_fault,
    )
    return status_card(texts, StatusView(sample, LINKS, NOW, "Europe/Lisbon", "29:reader", may_edit=True))


def _away(fault: Fault) -> ServiceHealth:
    return ServiceHealth(Service(fault.value.partition(".")[0]), example(fault), NOW)


def _things(texts: Texts) -> Iterator[tuple[str, Card]]:
    one, off = integration(), integration(enabled=False, expires=None, name="Porto office", identity="f" * 32)
    names = [f"Branch {number}, Vale Verde contact centre in Lisbon" for number in range(1, 201)]
    many = [integration(name=name, identity=f"{number:032}") for number, name in enumerate(names)]
    yield "none_yet", integrations.none_yet(texts)
    service_health = tuple(ServiceHealth(service) for service in Service)
    dark = tuple(ServiceHealth(service, example(Fault.ENTRA_SECRET_EXPIRED), NOW) for service in Service)
    yield "listed", integrations.listed(texts, [one, off], {one.id: service_health}, 2)
    page = many[: integrations.SHOWN]
    yield "listed_many", integrations.listed(texts, page, {view.id: dark for view in page}, 200, page=3)
    yield "integration", integrations.one(texts, sample_status(one, service_health), NOW)
    yield (
        "integration_paused",
        integrations.one(texts, sample_status(off, (service_health[0], dark[1], service_health[2])), NOW),
    )
    yield "pick", integrations.pick(texts, [one, off], "status.show", _typed("status", texts))
    yield "pick_many", integrations.pick(texts, many, "status.show", _typed("status", texts))
    purpose = _typed("status", texts)
    yield "pick_unknown", integrations.pick(texts, [off], "status.show", purpose, unknown_name="Lisboa")
    yield (
        "pick_unknown_many",
        integrations.pick(texts, many, "status.show", purpose, unknown_name="Vale"),
    )
    yield "disable_asked", integrations.disable_asked(texts, one)
    yield "disabled", integrations.disabled(texts, off, 3)
    yield "disabled_away", integrations.disabled(texts, off, 3, [_away(Fault.GRAPH_UNREACHABLE)])
    yield "not_enabled", integrations.not_enabled(texts, off)
    yield "already_enabled", integrations.already_enabled(texts, one)
    yield "kept", integrations.kept(texts, one)
    yield "remove_asked", integrations.remove_asked(texts, one)
    wrong = FormError(texts("remove.other_name"), texts("remove.other_name.remedy"), field="typed_name")
    yield "remove_wrong_name", integrations.remove_asked(texts, integration(name=LONG_INTEGRATION), wrong)
    yield "removing", integrations.removed(texts, "1" * 32, "Head office", None)
    yield "removed", integrations.removed(texts, "1" * 32, "Head office", 0)
    yield "removed_left", integrations.removed(texts, "1" * 32, "Head office", 3)


def integration(
    *,
    enabled: bool = True,
    expires: date | None = date(2027, 5, 31),
    name: str = "Head office",
    identity: str = "0123456789abcdef0123456789abcdef",
) -> IntegrationView:
    """A sample integration."""
    return IntegrationView(
        identity, name, enabled, "", "1000200030", "presence-reader", TENANT, GUID, expires, NOW - timedelta(days=9)
    )


def sample_status(view: IntegrationView, service_health: tuple[ServiceHealth, ...]) -> Status:
    return Status(view, service_health, 27, 25, 3, 0, NOW - timedelta(minutes=3), Freshness.LIVE, 1, ())


def _people(count: int, name: str) -> tuple[UnmatchedPerson, ...]:
    reasons = sorted(Unmatched)
    return tuple(
        UnmatchedPerson(
            f"{name} {number + 1}",
            f"{name.lower().replace(' ', '.')}.{number + 1}@contoso.example",
            reasons[number * len(reasons) // count],
        )
        for number in range(count)
    )


def _on_the_phone(count: int, name: str) -> tuple[WouldSend, ...]:
    return tuple(
        WouldSend(f"{name} {number + 1}", LineState.ON_CALL, Presence.IN_A_CALL) for number in range(count)
    )
