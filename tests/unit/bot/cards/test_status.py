"""The status card says one thing: the fault first, its consequence, its remedy as the main button."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.activity import Card
from bot.cards.field_errors import Links, form_error
from bot.cards.health import connection_test
from bot.cards.health.freshness import doubt
from bot.cards.health.status import StatusView, status_card
from bot.cards.integrations import listing
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import (
    CredentialKind,
    Freshness,
    IntegrationView,
    Probe,
    Proof,
    Service,
    ServiceHealth,
    Status,
    Unmatched,
)
from tests.cards.gallery.gallery import integration
from tests.cards.gallery.notice import samples
from tests.support.bot.fakes import inputs, link_urls, words
from tests.support.bot.texts import EN, PT

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SINCE = datetime(2026, 11, 22, 10, 42, tzinfo=UTC)


def status(
    *errors: SyncError, freshness: Freshness = Freshness.LIVE, view: IntegrationView | None = None
) -> Status:
    """With these errors, each of the service it names."""
    of = {Service(error.fault.value.partition(".")[0]): error for error in errors}
    health = tuple(ServiceHealth(one, of.get(one), SINCE if one in of else None) for one in Service)
    return Status(view or integration(), health, 27, 25, 3, 1, SINCE, freshness, 30, ())


def made(shown: Status, *, zone: str = "UTC", may_edit: bool = True) -> Card:
    return status_card(EN, StatusView(shown, Links(), NOW, zone, "29:user", may_edit))


def titles(card: Card) -> list[str]:
    return [action["title"] for action in card["actions"]]


def test_an_expired_secret_is_one_truth() -> None:
    """Not "expired" above "expires in 180 days", and no service behind it is called working."""
    card = made(status(CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)))
    said = words(card)
    assert card["fallbackText"] == EN("status.no_calls", since="10:42")
    assert titles(card)[0] == EN("button.rotate")
    assert card["actions"][0]["verb"] == "rotate.ask"
    assert "expires in" not in said
    assert "31 May 2027" not in said
    assert EN("service.graph") not in said
    assert EN("status.enabled") not in said
    assert EN("status.live") not in said


CLOSED = replace(integration(), closed=True, turns_at=NOW + timedelta(hours=21))


@pytest.mark.parametrize("errors", [(), (ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE),)])
def test_outside_the_hours_it_says_until_when_and_nothing_that_contradicts_it(
    errors: tuple[SyncError, ...],
) -> None:
    card = made(status(*errors, view=CLOSED))
    said = words(card)
    assert card["fallbackText"] == EN("status.closed", until="Monday 09:00")
    assert said.count("Outside the scheduled hours") == 1
    for key in ("status.enabled", "status.live", "picture.people", "picture.missing"):
        assert EN(key) not in said
    assert EN("button.schedule") in titles(card)


def test_outside_the_hours_a_fault_that_needs_someone_comes_first() -> None:
    card = made(status(CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), view=CLOSED))
    assert card["fallbackText"] == EN("status.no_calls", since="10:42")
    assert EN("status.closed", until="Monday 09:00") in words(card)
    assert titles(card)[0] == EN("button.rotate")


@pytest.mark.parametrize(
    ("fault", "verb"),
    [
        (Fault.ENTRA_SECRET_WRONG, "rotate.ask"),
        (Fault.ENTRA_SECRET_IS_ID, "rotate.ask"),
        (Fault.CLOUDLINK_REFUSED, "edit.cloudlink"),
        (Fault.CLOUDLINK_ACCOUNT_UNKNOWN, "edit.cloudlink"),
        (Fault.ENTRA_TENANT_UNKNOWN, "edit.teams"),
        (Fault.ENTRA_CERTIFICATE_EXPIRED, "certificate.show"),
        (Fault.ENTRA_HOST_NOT_ALLOWED, "rotate.ask"),
        (Fault.ENTRA_FEDERATION_UNREADABLE, "test.run"),
    ],
)
def test_the_remedy_is_the_main_button(fault: Fault, verb: str) -> None:
    card = made(status(CredentialsWrong(fault)))
    assert (card["actions"][0]["verb"], card["actions"][0]["style"]) == (verb, "positive")
    assert [action.get("style") for action in card["actions"][1:]] == [None] * len(card["actions"][1:])


def test_a_remedy_in_azure_is_a_link_and_a_check_after_it() -> None:
    card = made(status(CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="User.Read.All")))
    assert [action["type"] for action in card["actions"]][:2] == ["Action.OpenUrl", "Action.Execute"]
    assert titles(card)[:2] == [EN("link.consent"), EN("button.check_again")]
    assert len(link_urls(card)) == 1


def test_that_everyone_is_refused_is_the_title_and_leads_to_who_is() -> None:
    refused = CredentialsWrong(Fault.GRAPH_EVERYONE_REFUSED, code="403 Forbidden")
    card = made(replace(status(refused), not_shown=((Unmatched.REFUSED, 5),)))
    said, verbs = words(card), [action.get("verb", "") for action in card["actions"]]
    assert card["fallbackText"] == EN("status.no_calls", since="10:42")
    assert "(403 Forbidden)" in said
    assert EN("service.graph") not in said
    assert (verbs[0], verbs.count("people.left_out")) == ("people.left_out", 1)


def test_a_list_that_cannot_be_read_is_said_below_that_presence_works() -> None:
    read_at = (NOW - timedelta(hours=2)).isoformat()
    card = made(replace(status(), lists_unread=({"side": "cloudlink", "read_at": read_at},)))
    assert card["fallbackText"] == EN("status.enabled")
    at = EN.since(NOW - timedelta(hours=2), NOW, "UTC")
    assert f"People who joined or left since {at} are not seen yet." in words(card)
    assert EN("notice.problem.directory.remedy") in words(card)


@pytest.mark.parametrize("fault", ["disk", "database"])
def test_that_nothing_can_be_stored_is_said_first(fault: str) -> None:
    card = made(replace(status(), store_fault=fault))
    said = words(card)
    assert card["fallbackText"] == EN("status.not_stored")
    assert EN(f"apology.{fault}") in said
    for unknown in (EN("status.live"), EN("status.in_a_call"), EN("picture.people")):
        assert unknown in words(made(status()))
        assert unknown not in said


def test_what_passes_is_retried_and_may_be_tried_now() -> None:
    card = made(status(ServiceUnavailable(Fault.GRAPH_UNREACHABLE)))
    assert card["fallbackText"] == EN("status.out_of_date", since="10:42")
    assert (card["actions"][0]["title"], card["actions"][0]["verb"]) == (EN("button.try_again"), "test.run")
    assert [action.get("verb") for action in card["actions"]].count("test.run") == 1


@pytest.mark.parametrize(
    ("freshness", "title"), [(Freshness.LIVE, "status.out_of_date"), (Freshness.NO_URL, "status.no_calls")]
)
def test_without_cloudlinks_credentials_only_its_events_may_still_arrive(freshness: Freshness, title: str) -> None:
    card = made(status(CredentialsWrong(Fault.CLOUDLINK_REFUSED), freshness=freshness))
    assert card["fallbackText"] == EN(title, since="10:42")


def test_of_several_faults_the_one_that_stops_teams_is_first_and_has_the_button() -> None:
    card = made(
        status(ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE), CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED))
    )
    said = words(card)
    assert card["actions"][0]["verb"] == "rotate.ask"
    assert said.index(EN("fault.entra.secret_expired")) < said.index(EN("fault.cloudlink.unreachable"))


def test_events_that_do_not_arrive_are_tested_first() -> None:
    card = made(status(freshness=Freshness.MISSED))
    verbs = [action["verb"] for action in card["actions"]]
    assert (verbs[0], verbs.count("test.run")) == ("test.run", 1)
    assert made(status(freshness=Freshness.NO_EVENT))["actions"][0]["verb"] == "status.show"
    assert dict(samples(EN))["notice_events"]["actions"][0]["verb"] == "test.run", "the notice has the same remedy"


def test_who_is_on_the_phone_is_not_said_while_cloudlink_does_not_answer() -> None:
    assert EN("status.in_a_call") in words(made(status()))
    assert EN("status.in_a_call") not in words(made(status(ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE))))


def test_a_failed_test_has_its_remedy_as_the_main_button() -> None:
    expired = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
    probes = [Probe(Service.CLOUDLINK, "users", 0.1), Probe(Service.ENTRA, "token", 0.1, expired)]
    card = connection_test.tested(EN, integration(), probes, {1: form_error(expired, EN, Links())}, "")
    assert [(one["verb"], one.get("style")) for one in card["actions"]] == [
        ("rotate.ask", "positive"),
        ("test.run", None),
        ("status.show", None),
    ]
    passed = connection_test.tested(EN, integration(), probes[:1], {}, "")
    assert [(one["verb"], one.get("style")) for one in passed["actions"]] == [
        ("test.run", "positive"),
        ("status.show", None),
    ]


def test_a_fault_while_presence_is_not_enabled_says_that_too() -> None:
    off = integration(enabled=False)
    card = made(status(CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), view=off))
    assert card["fallbackText"] == EN("status.disabled")
    assert card["actions"][0]["verb"] == "rotate.ask"
    assert EN("fault.entra.secret_expired") in words(card)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault.GRAPH_UNREACHABLE, EN.plural("disabled.still_shown", 1, service="Microsoft Graph")),
        (Fault.CLOUDLINK_UNREACHABLE, EN.plural("disabled.cleared", 1)),
    ],
)
def test_who_is_still_shown_while_presence_is_not_enabled_is_said(fault: Fault, sentence: str) -> None:
    shown = status(ServiceUnavailable(fault), view=integration(enabled=False))
    assert sentence in words(made(shown))
    assert sentence not in words(made(replace(shown, waiting=0)))


def test_a_date_that_passed_while_microsoft_accepts_the_secret_is_to_be_corrected() -> None:
    card = made(status(view=integration(expires=date(2026, 11, 20))))
    said = words(card)
    assert EN("expiry.past_but_works", day="20 November 2026") in said
    assert EN("notice.expiry.past.since", day="20 November 2026") not in said
    assert inputs(card)["expires_on"]


@pytest.mark.parametrize(
    ("days", "kind", "verb"),
    [
        (3, CredentialKind.SECRET, "rotate.ask"),
        (0, CredentialKind.SECRET, "rotate.ask"),
        (30, CredentialKind.CERTIFICATE, "certificate.show"),
        (31, CredentialKind.SECRET, "status.show"),
        (-1, CredentialKind.SECRET, "status.show"),
    ],
)
def test_what_expires_soon_is_replaced_by_the_main_button(days: int, kind: CredentialKind, verb: str) -> None:
    view = integration(expires=NOW.date() + timedelta(days=days))
    first, *others = made(status(view=replace(view, credential=kind)))["actions"]
    assert (first["verb"], first["style"]) == (verb, "positive")
    assert verb not in {other.get("verb") for other in others}


def test_a_list_of_integrations_calls_no_service_working_that_cannot_be_reached_without_a_token() -> None:
    refused = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
    line = listing.health_line(EN, status(refused).service_health)
    assert EN("service.graph") not in line
    assert EN("service.cloudlink") in line
    forbidden = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING)
    assert EN("service.graph") in listing.health_line(EN, status(refused, forbidden).service_health)


def test_an_unknown_expiry_brings_its_field_and_button() -> None:
    unknown = integration(expires=None)
    card = made(status(view=unknown))
    save = next(part for part in card["body"] if part["type"] == "ActionSet")["actions"][0]
    assert (save["verb"], save["associatedInputs"]) == ("edit.save_expiry", "auto")
    assert inputs(card)["expires_on"]
    viewers = made(status(view=unknown), may_edit=False)
    assert inputs(viewers) == {}
    certificate = replace(unknown, credential=CredentialKind.CERTIFICATE)
    assert inputs(made(status(view=certificate))) == {}


def test_it_refreshes_itself_when_its_reader_opens_it() -> None:
    card = made(status())
    assert card["refresh"]["userIds"] == ["29:user"]
    assert card["refresh"]["action"]["verb"] == "status.show"
    assert EN("button.refresh") in titles(card)


def test_times_are_the_readers() -> None:
    card = made(status(CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)), zone="America/New_York")
    assert EN("status.no_calls", since="05:42") == card["fallbackText"]


def test_what_began_on_another_day_has_its_date() -> None:
    assert EN.since(SINCE - timedelta(days=3), NOW, "UTC") == "19 Nov 2026, 10:42 UTC"
    assert EN.since(SINCE - timedelta(days=3), NOW, "Europe/Lisbon") == "19 Nov 2026, 10:42"
    assert PT.since(SINCE, NOW, "Europe/Lisbon") == "as 10:42"


@pytest.mark.parametrize("fault", [Fault.ENTRA_SECRET_EXPIRED, Fault.GRAPH_FORBIDDEN, Fault.CLOUDLINK_REFUSED])
def test_a_refusal_that_nothing_confirmed_is_being_checked_and_nothing_else(fault: Fault) -> None:
    """As stored problems become errors: what is not lasting is no ``CredentialsWrong``."""
    suspected = ServiceUnavailable(fault)
    card = made(status(suspected))
    said = words(card)
    service = EN(f"service.{fault.value.partition('.')[0]}")
    assert card["fallbackText"] == EN("status.checking", service=service)
    assert EN("status.checking.what") in said
    assert form_error(suspected, EN, Links()).sentence not in said
    assert (card["actions"][0]["verb"], card["actions"][0]["style"]) == ("status.show", "positive")
    assert ("expires in" in said) == (fault is not Fault.ENTRA_SECRET_EXPIRED)
    outage = made(status(suspected, ServiceUnavailable(Fault.GRAPH_UNREACHABLE)))
    if fault is not Fault.GRAPH_FORBIDDEN:
        assert outage["fallbackText"] == EN("status.out_of_date", since="10:42")


def test_what_teams_shows_is_said_as_of_when_it_was_read() -> None:
    read = replace(status(), proof=Proof(NOW - timedelta(seconds=50), 3, 3))
    assert EN("proof.as_of", when="50 seconds ago") in words(made(read))
    assert EN("proof.failed") not in words(made(read))
    assert EN("proof.failed") in words(made(replace(read, proof=replace(read.proof, failed=True))))


def test_live_and_working_are_said_as_of_the_last_answer() -> None:
    """CloudLink may have stopped answering since: it is asked every few minutes where events arrive."""
    fresh, old = NOW - timedelta(seconds=20), NOW - timedelta(minutes=4)
    said = words(made(replace(status(), answered={Service.CLOUDLINK: fresh, Service.GRAPH: old})))
    assert EN("status.live") in said
    assert EN("health.answered", service="Microsoft Graph", when="4 minutes ago") in said
    said = words(made(replace(status(), answered={Service.CLOUDLINK: old})))
    assert EN("status.live") not in said
    assert EN("status.live.as_of", when="4 minutes ago") in said
    assert EN("health.answered", service="Mitel CloudLink", when="4 minutes ago") in said


def test_without_an_event_though_people_are_on_the_phone_the_first_call_is_not_awaited() -> None:
    silent = status(freshness=Freshness.NO_EVENT)
    assert EN("status.polling.no_event_yet") in words(made(silent))
    assert EN("status.polling.no_event") in words(made(replace(silent, in_a_call=0)))


@pytest.mark.parametrize("freshness", [Freshness.LIVE, Freshness.NO_EVENT, Freshness.MISSED, Freshness.NO_URL])
@pytest.mark.parametrize("users", [0, 27])
def test_a_connection_test_says_what_its_steps_do_not_prove(freshness: Freshness, users: int) -> None:
    probes = [Probe(Service.CLOUDLINK, "users", 0.1, count=users), Probe(Service.CLOUDLINK, "way_in", 0.1)]
    said = words(connection_test.tested(EN, integration(), probes, {}, doubt(EN, status(freshness=freshness))))
    is_silent = freshness in (Freshness.NO_EVENT, Freshness.MISSED)
    assert (EN("test.passed") in said) == (users > 0 and not is_silent)
    assert (EN("cloudlink.no_users") in said) == (users == 0)
    assert (EN("status.polling.no_event_yet") in said) == (freshness is Freshness.NO_EVENT)
    assert (EN("status.polling.missed") in said) == (freshness is Freshness.MISSED)


def test_the_list_of_integrations_says_too_that_a_refusal_is_being_checked() -> None:
    card = listing.one(EN, status(ServiceUnavailable(Fault.ENTRA_SECRET_EXPIRED)), NOW)
    assert f"{EN('service.entra')}: {EN('health.checking')}" in words(card)
    assert "expires in" not in words(card)


def test_who_is_matched_is_counted_among_those_in_the_scope() -> None:
    shown = replace(status(), people=28, matched=3, not_shown=((Unmatched.OUTSIDE, 24),))
    assert EN.plural("status.matched.scope", 4) in words(made(shown))
    everyone = replace(shown, not_shown=((Unmatched.NOT_FOUND, 25),))
    assert EN.plural("status.matched", 28) in words(made(everyone))
