"""The main button of a card leads to what helps, and no card contradicts itself."""

import pytest

from bot.languages import Language, load_texts
from sync.domain.errors import Fault
from tests.cards.gallery.gallery import gallery
from tests.support.bot.fakes import buttons, words

TEXTS = load_texts()[Language.ENGLISH]
CARDS = gallery(TEXTS)


@pytest.mark.parametrize(
    ("card", "verb"),
    [
        ("notice_expiry_7", "rotate.ask"),
        ("notice_expiry_certificate", "certificate.show"),
        ("notice_rotation_failed", "rotate.ask"),
        ("notice_rotation_forbidden", "certificate.show"),
        (f"notice_{Fault.ENTRA_SECRET_MISSING}", "rotate.ask"),
        (f"notice_{Fault.CLOUDLINK_LIST_TOO_LONG}", "test.run"),
    ],
)
def test_the_main_button_leads_to_the_remedy(card: str, verb: str) -> None:
    others = {"rotate.ask", "certificate.show", "edit.cloudlink", "edit.teams", "test.run"} - {verb}
    assert verb in buttons(CARDS[card])
    assert others.isdisjoint(buttons(CARDS[card]))


def test_who_lacks_a_role_without_named_owners_sees_whom_to_ask() -> None:
    assert TEXTS("refused.nobody_named") in words(CARDS["not_for_role_nobody"])


def test_the_old_secret_of_monitors_is_not_said_to_be_removed() -> None:
    """The steps of a rotation end before it: the old one stays for the monitors."""
    removal = TEXTS("rotate.step.remove")
    assert removal in words(CARDS["rotate_for_me"])
    assert removal not in words(CARDS["rotate_for_me_monitors"])


def test_where_secrets_are_forbidden_none_is_asked_for() -> None:
    asked = TEXTS("notice.rotation.failed.replace")
    assert asked in words(CARDS["notice_rotation_failed"])
    assert asked not in words(CARDS["notice_rotation_forbidden"])


def test_an_excluded_person_has_no_button_to_show_them() -> None:
    assert "person.resend" in buttons(CARDS["person"])
    assert "person.resend" not in buttons(CARDS["person_excluded"])


def test_a_title_has_no_missing_fact() -> None:
    """A fact that is missing in a problem is shown as a dash."""
    titles = [words(card)[:90] for name, card in CARDS.items() if name.startswith("notice_")]
    assert [title for title in titles if " – " in title or title.startswith("– ")] == []
