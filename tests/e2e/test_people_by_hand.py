"""The help desk's question as a person asks it: find Sofia, see why, put it right, in the Playground's window."""

from pathlib import Path

import pytest

from bot.languages import Language
from tests.e2e.journeys import (
    WORDINGS,
    Wording,
    complete_cloudlink_steps,
    enable,
    install_bot,
    save,
    setup_values,
)
from tests.e2e.person import Person, open_person
from tests.e2e.playground import running_playground
from tests.e2e.product import becomes, running_product
from tests.e2e.rules import decides
from tests.support.browsers import chromium
from tests.support.services.sandboxes import Switchboard
from tests.support.tools import require

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(240)]

SOFIA, SIGN_IN = "2019", "sofia.marques@valeverde.example"
PEOPLE = {Language.ENGLISH: "people", Language.PORTUGUESE: "pessoas"}
WHY = {Language.ENGLISH: "why sofia", Language.PORTUGUESE: "porquê sofia"}
MOST_CLICKS = 5
UNMATCHED = {Language.ENGLISH: "unmatched", Language.PORTUGUESE: "quem não está sincronizado"}


@pytest.mark.parametrize("wording", WORDINGS, ids=["english", "portuguese"])
async def test_sofia_is_found_explained_and_shown_in_three_presses(tmp_path: Path, wording: Wording) -> None:
    require("chromium")
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", wording.locale) as playground,
    ):
        await install_bot(playground, wording)
        values = await setup_values(sandbox)
        await complete_cloudlink_steps(playground, wording, values)
        await save(playground, wording, values)
        await enable(playground, wording)
        async with (
            chromium() as browser,
            open_person(browser, playground.url, sandbox.url, wording.locale) as person,
        ):
            await corrects_sofia(person, sandbox, wording)
            assert person.clicks <= MOST_CLICKS
            await decides(person, sandbox, wording)


async def corrects_sofia(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    language = wording.texts.language
    await person.clicks_switchboard(f"ring-{SOFIA}")
    await person.clicks_switchboard(f"answer-{SOFIA}")
    await person.comes_back()
    await person.says(WHY[language])
    await person.sees(wording("why.title"), wording("button.match"))
    await person.captures_chat(f"why-left-out.{language}", wording("why.title"))
    await person.presses(wording("button.match"))
    await person.types(wording("person.match.name"), SIGN_IN)
    await person.presses(wording("button.check_match"))
    await person.sees(wording("person.done.match"))
    await becomes(sandbox, SOFIA, "Busy/InACall")
    await person.presses(wording("button.why"))
    await person.sees(wording("why.reason.shown"))
    await person.captures_chat(f"why-shown.{language}", wording("why.title"))
    await person.presses(wording("button.person"))
    await person.sees(wording("person.changes"))
    await person.captures_chat(f"person.{language}", wording("person.devices"))
    await person.says(PEOPLE[language])
    await person.sees("Ana Martins")
    await person.captures_chat(f"people.{language}", wording("people.title"))
    await person.says(UNMATCHED[language])
    await person.sees(wording("unmatched.guest"))
    await person.captures_chat(f"left-out.{language}", wording("people.filter.left_out"))
