"""An old secret that was left in Azure: which other integrations may use it."""

import pytest

from bot.cards.credentials.rotation import old_secret_left
from bot.cards.field_errors import Link
from bot.cards.parts import card
from bot.languages import Texts
from sync.domain.rotation import OldSecretLeft
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT

SHARING = ["Porto", "Lisboa", "Faro", "Braga", "Évora", "Coimbra", "Aveiro"]


@pytest.mark.parametrize(
    ("texts", "names"),
    [(EN, "Porto, Lisboa, Faro, Braga, Évora and 2 more"), (PT, "Porto, Lisboa, Faro, Braga, Évora e mais 2")],
    ids=["en", "pt"],
)
def test_of_many_integrations_five_are_named_and_the_others_counted(texts: Texts, names: str) -> None:
    box = old_secret_left(texts, OldSecretLeft.SHARED, None, Link("Azure", "https://portal.example"), SHARING)
    assert f": {names}. " in words(card(texts, "", [box]))
