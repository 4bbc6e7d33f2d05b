"""Each reason why someone is left out has a remedy, wherever it is shown: one that helps."""

import pytest

from bot.cards.people.why import own_card, why_card
from bot.cards.presence.preview import preview_card
from bot.languages import Texts
from sync.domain.model import Preview, Unmatched, UnmatchedPerson
from sync.domain.people import Explanation, Reason
from tests.cards.gallery.gallery import NOW, integration
from tests.cards.gallery.people import line
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT


@pytest.mark.parametrize("texts", [EN, PT], ids=["en", "pt"])
@pytest.mark.parametrize("reason", Unmatched)
def test_the_preview_has_a_remedy_for_each_reason(texts: Texts, reason: Unmatched) -> None:
    someone = UnmatchedPerson("Ada Example", "ada@contoso.example", reason)
    shown = words(preview_card(texts, integration(enabled=False), Preview(2, (someone,), ())))
    assert texts(f"preview.remedy.{reason}") in shown


@pytest.mark.parametrize("reason", Unmatched)
def test_why_offers_to_match_by_hand_only_where_that_helps(reason: Unmatched) -> None:
    found = Explanation(line(), (), Reason.LEFT_OUT, {"reason": reason.value})
    card = why_card(EN, found, NOW, "UTC")
    helps = reason not in {
        Unmatched.GUEST,
        Unmatched.NO_EXTENSION,
        Unmatched.SHARED_EXTENSION,
        Unmatched.REFUSED,
        Unmatched.EXCLUDED,
        Unmatched.OUTSIDE,
        Unmatched.OPTED_OUT,
    }
    verbs = [action.get("verb") for action in card["actions"]]
    assert ("person.match" in verbs) is helps
    assert verbs[0] == ("person.match" if helps else "why.show")
    assert EN(f"preview.remedy.{reason}") in words(card)
    assert (EN("why.reason.left_out.remedy") in words(card)) is helps


@pytest.mark.parametrize("code", ["401", "403 Forbidden", "404 NotFound", "412 PreconditionFailed"])
def test_why_names_the_licence_only_where_microsofts_answer_may_mean_it(code: str) -> None:
    found = Explanation(line(), (), Reason.REFUSED, {"code": code})
    helps = code[:3] in ("403", "404")
    for_administrators = words(why_card(EN, found, NOW, "UTC"))
    for said in (for_administrators, words(own_card(EN, [found], NOW, "UTC"))):
        assert ("licence" in said) is helps
    assert (EN("why.reason.refused.remedy.other") in for_administrators) is not helps
