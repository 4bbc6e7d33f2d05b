"""A person's card promises only what will be done."""

from datetime import timedelta

import pytest

from bot.cards.people.person import person_card
from bot.languages import Texts
from sync.domain.model import Unmatched
from sync.domain.people import PersonCard, PersonLine
from tests.cards.gallery.gallery import NOW
from tests.cards.gallery.people import line
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT

RESEND, CLOSED, NOTHING = "person.done.resend", "person.done.resend.closed", "person.nothing_sent"


@pytest.mark.parametrize("texts", [EN, PT], ids=["en", "pt"])
@pytest.mark.parametrize(
    ("person", "why"),
    [
        (line(excluded=True), "people.excluded"),
        (line(outside=True), "people.outside"),
        (line(opted_out=True), "people.opted_out"),
        (line(is_matched=False), "people.not_read"),
        (line(is_matched=False, left_out=Unmatched.GUEST), "unmatched.guest"),
    ],
)
def test_who_cannot_be_shown_is_not_shown_again_and_the_card_says_why(
    texts: Texts, person: PersonLine, why: str
) -> None:
    said = words(person_card(texts, PersonCard(person, (), ()), NOW, "UTC", "resend"))
    assert (texts(NOTHING) in said, texts(RESEND) in said) == (True, False)
    assert texts(why)[1:] in said


@pytest.mark.parametrize("texts", [EN, PT], ids=["en", "pt"])
def test_while_presence_is_disabled_nothing_is_sent(texts: Texts) -> None:
    said = words(person_card(texts, PersonCard(line(), (), (), is_enabled=False), NOW, "UTC", "resend"))
    assert (texts(NOTHING) in said, texts(RESEND) in said) == (True, False)
    assert texts("disabled.already") in said


def test_outside_the_hours_nothing_is_sent_before_they_begin() -> None:
    shown = PersonCard(line(), (), ())
    closed = PersonCard(line(), (), (), closed_until=NOW + timedelta(hours=21))
    for card, expected in ((shown, RESEND), (closed, CLOSED)):
        assert EN(expected) in words(person_card(EN, card, NOW, "UTC", "resend"))
