"""Outside the hours, and while presence is disabled, no card speaks as if calls were shown."""

from dataclasses import replace

import pytest

from bot.cards.integrations import listing as integrations
from bot.cards.people import listing as people
from bot.cards.people import opt_out
from bot.cards.welcome import Existing, welcome
from bot.languages import Texts
from sync.domain.people import Explanation, PeoplePage, Reason
from tests.cards.gallery.gallery import integration
from tests.cards.gallery.people import line
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT

OPEN = integration()
CLOSED = replace(OPEN, closed=True)
DISABLED = replace(CLOSED, enabled=False)


@pytest.mark.parametrize("texts", [EN, PT], ids=["en", "pt"])
def test_the_welcome_and_the_list_of_integrations_say_so(texts: Texts) -> None:
    for view, is_closed in ((OPEN, False), (CLOSED, True), (DISABLED, False)):
        existing = Existing("Head office", view.enabled, False, 21, 28, closed=view.closed)
        greeting, listed = words(welcome(texts, [existing])), words(integrations.listed(texts, [view], {}, 1))
        assert (texts("hours.closed") in greeting, texts("hours.closed") in listed) == (is_closed, is_closed)


def test_the_list_of_people_says_why_nobody_is_shown() -> None:
    page = PeoplePage((line(),))
    for view, expected in ((OPEN, set()), (CLOSED, {"hours.closed"}), (DISABLED, {"disabled.already"})):
        said = words(people.listed(EN, people.Search(view), page))
        assert {key for key in ("hours.closed", "disabled.already") if EN(key) in said} == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(Reason.CLOSED, "opt_out.later"), (Reason.PAUSED, "opt_out.later"), (Reason.SHOWN, "opt_out.shown")],
)
def test_who_asks_about_their_own_calls_sees_what_is_so_now(reason: Reason, expected: str) -> None:
    said = words(opt_out.choice(EN, [Explanation(line(), (), reason)]))
    assert [key for key in ("opt_out.later", "opt_out.shown") if EN(key) in said] == [expected]


def test_a_disabled_integration_names_no_people_where_none_is_cleared() -> None:
    for cleared in (0, 1):
        said = words(integrations.disabled(EN, OPEN, cleared))
        assert (EN.plural("disabled.cleared", cleared) in said) == bool(cleared)
