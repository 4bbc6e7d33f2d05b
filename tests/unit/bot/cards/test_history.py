import pytest

from bot.languages import Language, load_texts
from sync.audit import Act


@pytest.mark.parametrize("language", Language)
def test_every_act_has_a_sentence_and_every_sentence_an_act(language: Language) -> None:
    sentences = {key for key in load_texts()[language].keys if key.startswith("act.")}
    assert sentences == {f"act.{act}" for act in Act}
