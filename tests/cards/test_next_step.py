"""The main button of a card leads to what helps, and no card contradicts itself."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from bot.activity import Card
from bot.cards.access import admins
from bot.cards.health.expiry import RENEWED_DAYS, about_renewal
from bot.cards.people.person import detail_words
from bot.languages import Language, load_texts
from sync.credentials.rotation_store import ROTATE_BEFORE_EXPIRY
from sync.domain.errors import Fault
from tests.cards.gallery.gallery import gallery_in
from tests.support.bot.fakes import buttons, parts, words

TEXTS = load_texts()[Language.ENGLISH]
FAULTY = {
    "import_faulty": ["import_people.show"],
    "import_faulty_more": ["import_people.show"],
    "import_pasted": ["import_people.paste"],
    "import_preview": ["import_people.apply"],
}
"""The main button of an import's preview."""


@pytest.fixture
def cards() -> Mapping[str, Card]:
    return gallery_in(Language.ENGLISH)


@pytest.mark.parametrize(
    ("card", "verb"),
    [
        ("notice_expiry_7", "rotate.ask"),
        ("notice_expiry_certificate", "certificate.show"),
        ("notice_rotation_failed", "rotate.ask"),
        ("notice_people", "people.left_out"),
        ("notice_rotation_forbidden", "certificate.show"),
        (f"notice_{Fault.ENTRA_SECRET_MISSING}", "rotate.ask"),
        (f"notice_{Fault.CLOUDLINK_LIST_TOO_LONG}", "test.run"),
    ],
)
def test_the_main_button_leads_to_the_remedy(cards: Mapping[str, Card], card: str, verb: str) -> None:
    others = {"rotate.ask", "certificate.show", "edit.cloudlink", "edit.teams", "test.run"} - {verb}
    assert verb in buttons(cards[card])
    assert others.isdisjoint(buttons(cards[card]))


@pytest.mark.parametrize(
    ("card", "verbs"),
    [
        ("notice_expiry_unknown", ["edit.save_expiry"]),
        (f"notice_{Fault.ENTRA_HOST_NOT_ALLOWED}", ["rotate.ask"]),
        (f"notice_{Fault.ENTRA_FEDERATION_UNREADABLE}", ["test.run"]),
        (f"notice_{Fault.CLOUDLINK_WAY_IN_NAME}", ["test.run"]),
        ("tested_failing", ["rotate.ask"]),
        ("opt_out", ["opt_out.stop"]),
        ("opt_out_shown", []),
        ("opt_out_outside", []),
        ("why_me_opted_out", ["opt_out.show"]),
    ],
)
def test_the_main_button_does_what_the_text_says(cards: Mapping[str, Card], card: str, verbs: list[str]) -> None:
    main = [part for part in parts(cards[card]) if part.get("style") == "positive" and "verb" in part]
    assert [part["verb"] for part in main] == verbs


def test_what_is_fixed_at_mitel_can_be_checked_again(cards: Mapping[str, Card]) -> None:
    notice = cards[f"notice_{Fault.CLOUDLINK_FORBIDDEN}"]
    assert "test.run" in buttons(notice)
    assert "edit.cloudlink" not in buttons(notice)


def test_who_lacks_a_role_without_named_owners_sees_whom_to_ask(cards: Mapping[str, Card]) -> None:
    assert TEXTS("refused.nobody_named") in words(cards["not_for_role_nobody"])


def test_the_old_secret_of_monitors_is_not_said_to_be_removed(cards: Mapping[str, Card]) -> None:
    """The steps of a rotation end before it: the old one stays for the monitors."""
    removal = TEXTS("rotate.step.remove")
    assert removal in words(cards["rotate_for_me"])
    assert removal not in words(cards["rotate_for_me_monitors"])


def test_where_secrets_are_forbidden_none_is_asked_for(cards: Mapping[str, Card]) -> None:
    asked = TEXTS("notice.rotation.failed.replace")
    assert asked in words(cards["notice_rotation_failed"])
    assert asked not in words(cards["notice_rotation_forbidden"])


@pytest.mark.parametrize(
    ("card", "verb"),
    [
        ("person", "person.resend"),
        ("person_disabled", "enable.preview"),
        ("person_closed", "schedule.show"),
        ("person_excluded", "person.include"),
        ("person_opted_out", "scope.show"),
        ("person_worst", "person.match"),
    ],
)
def test_a_person_is_shown_again_only_where_that_can_be(cards: Mapping[str, Card], card: str, verb: str) -> None:
    """Elsewhere the card offers what helps first, and promises no call."""
    offered, promised = buttons(cards[card]), TEXTS("person.next.clear") in words(cards[card])
    assert verb in offered
    assert ("person.resend" in offered, promised) == (card == "person", card == "person")


def test_what_we_set_can_be_cleared_and_nothing_else(cards: Mapping[str, Card]) -> None:
    clear = {
        name for name in ("person", "person_excluded", "person_closed") if "person.clear" in buttons(cards[name])
    }
    assert clear == {"person"}


def test_who_is_left_out_has_the_remedy_on_their_card(cards: Mapping[str, Card]) -> None:
    assert TEXTS("preview.remedy.ambiguous") in words(cards["person_worst"])


def test_do_not_disturb_is_offered_until_it_is_chosen(cards: Mapping[str, Card]) -> None:
    offered = {name: "mapping.quiet" in buttons(cards[name]) for name in ("mapping", "mapping_quiet")}
    assert offered == {"mapping": True, "mapping_quiet": False}
    assert TEXTS("mapping.quiet.chosen") in words(cards["mapping_quiet"])


def test_a_free_phone_that_looks_busy_is_pointed_out(cards: Mapping[str, Card]) -> None:
    said = TEXTS("mapping.idle_shown", shown="").partition("“")[0]
    assert [name for name in ("mapping", "mapping_more") if said in words(cards[name])] == ["mapping_more"]


def test_a_scope_without_most_people_is_pointed_out(cards: Mapping[str, Card]) -> None:
    dry_runs = ("scope_dry_run", "scope_dry_run_most", "scope_dry_run_nobody")
    assert [name for name in dry_runs if TEXTS("scope.most_go") in words(cards[name])] == ["scope_dry_run_most"]


def test_pages_of_a_list_name_the_whole_file(cards: Mapping[str, Card]) -> None:
    assert "export people" in words(cards["preview_large_middle"])
    assert "export people" not in words(cards["preview"])
    assert "export.link" in buttons(cards["export_text_worst"])
    assert "export.link" not in buttons(cards["export_text"])


def test_a_title_has_no_missing_fact(cards: Mapping[str, Card]) -> None:
    """A fact that is missing in a problem is shown as a dash."""
    titles = [words(card)[:90] for name, card in cards.items() if name.startswith("notice_")]
    assert [title for title in titles if " – " in title or title.startswith("– ")] == []


def test_no_reminder_is_offered_for_the_day_after_the_last(cards: Mapping[str, Card]) -> None:
    offered = {days: "alerts.remind" in buttons(cards[f"notice_expiry_{days}"]) for days in (1, 0, -1)}
    assert offered == {1: True, 0: False, -1: True}


@pytest.mark.parametrize("card", ["notice_rotation_not_permitted", f"fault_{Fault.GRAPH_ROTATION_FORBIDDEN}"])
def test_an_application_that_may_not_change_its_secrets_is_shown_how_to_permit_it(
    cards: Mapping[str, Card], card: str
) -> None:
    assert "auto_rotate.show" in buttons(cards[card])


@pytest.mark.parametrize("card", ["rotate_for_me_old_left_unknown", "notice_rotation_old_left", "rotate_proven"])
def test_what_is_to_be_deleted_in_azure_has_the_link_there(cards: Mapping[str, Card], card: str) -> None:
    assert "/~/Credentials/appId/" in str(cards[card])


def test_a_link_to_the_list_of_applications_is_not_called_one_of_their_pages(cards: Mapping[str, Card]) -> None:
    for name, card in cards.items():
        named: dict[str, set[str]] = {}
        for part in parts(card):
            if part.get("type") == "Action.OpenUrl":
                named.setdefault(part["title"], set()).add(part["url"])
        assert all(len(urls) == 1 for urls in named.values()), name


def test_a_refused_certificate_is_named_and_its_thumbprint_breaks(cards: Mapping[str, Card]) -> None:
    tried = TEXTS("fault.certificate_tried", start="ABABABAB")
    for card in ("certificate_all", "certificate_upload_wrong", f"notice_{Fault.ENTRA_CERTIFICATE_UNKNOWN}"):
        assert tried in words(cards[card])
    assert " ".join(["ABABABAB"] * 5) in words(cards["certificate_file"])


def test_a_certificate_that_azure_lacks_leads_there_and_can_be_checked(
    cards: Mapping[str, Card],
) -> None:
    notice = cards[f"notice_{Fault.ENTRA_CERTIFICATE_UNKNOWN}"]
    assert "/~/Credentials/appId/" in str(notice["actions"][0])
    assert [one["verb"] for one in notice["actions"][1:3]] == ["test.run", "certificate.show"]


def test_a_refusal_of_everyone_leads_to_where_licences_are(cards: Mapping[str, Card]) -> None:
    assert "https://admin.microsoft.com" in str(cards[f"notice_{Fault.GRAPH_EVERYONE_REFUSED}"]["actions"])


def test_the_question_about_monitors_has_a_button_of_its_own(cards: Mapping[str, Card]) -> None:
    """Those at the end of the card are about the list."""
    card = cards["monitors"]
    assert "monitors.ask" in buttons(card)
    assert [one["verb"] for one in card["actions"]] == ["monitors.add", "monitors.remove", "monitors.secret"]


def test_a_full_list_of_monitors_says_why_none_can_be_added(cards: Mapping[str, Card]) -> None:
    assert TEXTS("monitors.full", most="50") in words(cards["monitors_most"])


def test_no_service_is_said_to_work_while_nothing_can_be_stored(cards: Mapping[str, Card]) -> None:
    assert TEXTS("health.working") in words(cards["status"])
    assert TEXTS("health.working") not in words(cards["status_disk_full"])


def test_an_expired_credential_is_the_first_news_of_a_report(cards: Mapping[str, Card]) -> None:
    expired = TEXTS.plural("notice.expiry.past", 4, what=TEXTS("notice.what.certificate"))
    assert expired in words({"body": cards["report_most"]["body"][1:2]})


def test_expired_invitations_are_counted_apart(cards: Mapping[str, Card]) -> None:
    assert "3 people have a role · 1 invitation expired" in words(cards["admins"])


def test_owners_by_the_setting_who_are_not_listed_are_counted() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert "and 30 more" in words(admins.listed(TEXTS, ["Ana Martins"] * 40, [], 0, now))


def test_a_reminder_names_what_it_is_about(cards: Mapping[str, Card]) -> None:
    subject = TEXTS.plural("notice.expiry.soon", 7, what=TEXTS("notice.what.secret"))
    assert subject in words(cards["notice_reminded"])
    assert "Head office" in words(cards["notice_reminded"])


def test_people_who_were_removed_are_counted_and_their_list_is_named(cards: Mapping[str, Card]) -> None:
    assert "12 of 15 people are missing in Mitel CloudLink." in words(cards["notice_clear_lists"])
    assert "12 of 15 people have no e-mail address in Mitel CloudLink any more." in words(
        cards["notice_clear_lists_address"]
    )


def test_people_without_extension_are_not_said_to_be_missing(cards: Mapping[str, Card]) -> None:
    said = words(cards["notice_lists_extension"])
    assert "12 of 15 people have no extension in Mitel CloudLink any more." in said
    assert TEXTS("notice.problem.lists.lost.remedy", side="Mitel CloudLink") in said


def test_a_list_that_cannot_be_read_has_one_time(cards: Mapping[str, Card]) -> None:
    assert words(cards["notice_directory"]).lower().count("since ") == 1


def test_a_long_form_says_at_its_top_which_fields_have_a_message(cards: Mapping[str, Card]) -> None:
    """On a telephone the field is below the first screen, and a green box above it would say that all is well."""
    card = cards[f"fault_{Fault.ENTRA_SECRET_WRONG}"]
    assert TEXTS("setup.see_fields", fields=f"“{TEXTS('field.client_secret')}”") in words(card)[:140]
    assert "27 people" in words(cards["setup_microsoft"])
    assert "27 people" not in words(card)


def test_groups_that_cannot_be_read_lead_to_the_rules_that_name_them(cards: Mapping[str, Card]) -> None:
    for card in ("status_lists_shrunk", "notice_groups"):
        assert cards[card]["actions"][0]["verb"] == "scope.show"
    assert "scope.show" not in buttons(cards["status"])


def test_a_removal_that_left_statuses_is_no_plain_success(cards: Mapping[str, Card]) -> None:
    assert "⚠️" in words(cards["removed_left"])
    assert "✅" not in words(cards["removed_left"])


def test_wrong_lines_of_a_file_are_to_be_sent_again(cards: Mapping[str, Card]) -> None:
    main = {
        card: [one["verb"] for one in cards[card]["actions"] if one.get("style") == "positive"] for card in FAULTY
    }
    assert main == FAULTY


def test_a_code_without_words_is_in_a_sentence(cards: Mapping[str, Card]) -> None:
    assert TEXTS("history.unknown_act", act="some_new_act") in words(cards["history_last"])


def test_the_region_is_asked_with_the_reason(cards: Mapping[str, Card]) -> None:
    why = TEXTS("setup.cloudlink.region.how")
    assert why in words(cards[f"fault_{Fault.CLOUDLINK_ACCOUNT_UNKNOWN}"])
    assert why not in words(cards["setup_cloudlink"])


def test_a_renewal_that_is_overdue_is_not_promised(cards: Mapping[str, Card]) -> None:
    late, early = TEXTS("notice.expiry.not_renewed"), TEXTS("notice.expiry.automatic")
    assert ROTATE_BEFORE_EXPIRY.days == RENEWED_DAYS
    assert about_renewal(TEXTS, RENEWED_DAYS) == early
    for card in ("report", "notice_expiry_long"):
        assert late in words(cards[card])
        assert early not in words(cards[card])


def test_what_microsofts_outage_stopped_can_be_tried_again(cards: Mapping[str, Card]) -> None:
    assert "rotate.for_me" in buttons(cards["rotate_for_me_failed"])


def test_a_refused_sign_in_leads_to_the_credentials_and_to_microsofts_explanation(
    cards: Mapping[str, Card],
) -> None:
    assert "edit.teams" in buttons(cards[f"notice_{Fault.ENTRA_REFUSED}"])
    assert "error?code=7000215" in str(cards[f"notice_{Fault.ENTRA_REFUSED}"])


def test_a_refusal_is_said_in_words(cards: Mapping[str, Card]) -> None:
    for card in ("person", "why_refused"):
        assert TEXTS("refusal.403") in words(cards[card])
        assert "Forbidden" not in words(cards[card])
    assert detail_words(TEXTS, "429 TooManyRequests") == TEXTS("refusal.other", code="429")
    assert detail_words(TEXTS, "4031") == "4031"


def test_a_closed_problem_is_named(cards: Mapping[str, Card]) -> None:
    assert "Admin consent is missing" in words(cards["notice_closed_healed"])


def test_an_alert_of_a_limit_asks_nothing_of_its_reader(cards: Mapping[str, Card]) -> None:
    for fault in (Fault.CLOUDLINK_THROTTLED, Fault.ENTRA_THROTTLED, Fault.ENTRA_TEMPORARY, Fault.GRAPH_THROTTLED):
        assert TEXTS("notice.retried") in words(cards[f"notice_{fault}"])


def test_a_person_without_the_notice_has_not_received_it(cards: Mapping[str, Card]) -> None:
    assert TEXTS("alerts.state.not_sent") in words(cards["notice_told"])
    assert TEXTS("alerts.state.listening") in words(cards["alerts_none"])
