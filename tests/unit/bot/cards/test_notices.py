"""A notice says what works again, and what to do in one order."""

import pytest

from bot.activity import Card
from bot.cards.health.own_problems import own_problem
from bot.cards.parts import card
from bot.languages import Texts
from sync.domain.errors import Fault
from sync.problems.incidents import LISTS
from tests.cards.gallery.notice import samples
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT

NOTICES = dict(samples(EN))
IN_PORTUGUESE = dict(samples(PT))
NOTIFIED = [fault for fault in Fault if f"notice_{fault}" in NOTICES]
LONGEST = 90
"""Letters of a title: five lines on a narrow telephone."""

CONSEQUENCES = {
    texts.language: {texts(f"notice.problem.{how}") for how in ("wrong", "unwell", "slow")} for texts in (EN, PT)
}


def boxed(card: Card) -> list[str]:
    """The lines of a notice's box."""
    lines = card["body"][1]["items"][0]["columns"][1]["items"]
    return [str(line["inlines"][0]["text"]) for line in lines]


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.CLOUDLINK_WAY_IN_NAME, "notice.clear.way_in"),
        (Fault.CLOUDLINK_WAY_IN_CERTIFICATE, "notice.clear.way_in"),
        (Fault.CLOUDLINK_WAY_IN_CLOSED, "notice.clear.way_in"),
        (Fault.CLOUDLINK_WAY_IN_ANSWER, "notice.clear.way_in"),
        (Fault.SECRET_UNREADABLE, "notice.clear.unreadable"),
    ],
)
def test_the_all_clear_names_what_was_wrong_on_our_side(fault: Fault, key: str) -> None:
    assert EN(key) in words(NOTICES[f"notice_clear_{fault}"])
    assert PT(key) in words(IN_PORTUGUESE[f"notice_clear_{fault}"])


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.startswith("cloudlink.way_in")])
def test_a_closed_way_in_delays_changes_and_is_tested_again(fault: Fault) -> None:
    card = NOTICES[f"notice_{fault}"]
    assert EN("notice.problem.slow") in words(card)
    assert [action["verb"] for action in card["actions"]][:2] == ["test.run", "status.show"]
    assert card["actions"][0]["style"] == "positive"


@pytest.mark.parametrize("texts", [EN, PT])
def test_a_title_is_the_event_and_the_notification_says_what_it_means(texts: Texts) -> None:
    """A long title hides the remedy on a telephone: what it means is the first line of the box."""
    notices = dict(samples(texts))
    for fault in NOTIFIED:
        notice = notices[f"notice_{fault}"]
        title, consequence = str(notice["body"][0]["items"][0]["columns"][1]["items"][0]["text"]), boxed(notice)[0]
        assert len(title) <= LONGEST, title
        assert notice["fallbackText"] == f"{title}. {consequence}"
        assert consequence in CONSEQUENCES[texts.language]


def test_a_renewal_that_failed_gives_one_order() -> None:
    outage = words(NOTICES["notice_rotation_failed"])
    assert EN("notice.rotation.failed.replace") in outage
    assert EN("fault.graph.unreachable.remedy") not in outage
    lacks = words(NOTICES["notice_rotation_not_permitted"])
    first, then = EN("notice.rotation.failed.permit"), EN("fault.graph.rotation_forbidden.remedy")
    assert lacks.index(first) < lacks.index(then)


def test_an_old_secret_is_said_to_be_removed_only_if_it_was() -> None:
    removed = EN("notice.rotation.old_removed")
    assert removed in words(NOTICES["notice_rotation"])
    left = words(NOTICES["notice_rotation_old_left"])
    assert removed not in left
    assert EN("rotate.old_left.keep", day="21 May 2027") in left


@pytest.mark.parametrize("texts", [EN, PT], ids=["en", "pt"])
def test_a_list_is_corrected_in_the_service_that_is_named(texts: Texts) -> None:
    box = own_problem(texts, LISTS, {"people": 12, "before": 15, "side": "entra"})
    assert texts("notice.problem.lists.remedy", side=texts("service.entra")) in words(card(texts, "", [box]))
