"""What set-up says of the people it found at CloudLink."""

import pytest

from bot.cards.field_errors import Links
from bot.cards.setup.forms import microsoft_form
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN


@pytest.mark.parametrize("people", [0, 1, 27])
def test_an_account_without_users_is_no_success(people: int) -> None:
    said = words(microsoft_form(EN, "draft", {"account_name": "Vale Verde", "people": str(people)}, Links()))
    assert EN.plural("setup.found", people, account="Vale Verde") in said
    assert (EN("cloudlink.no_users") in said) == (people == 0)
    assert ("⚠️" in said, "✅" in said) == (people == 0, people > 0)
