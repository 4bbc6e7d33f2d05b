"""The main task as a person does it: clicking and typing in the Playground's window and on the switchboard."""

from pathlib import Path

import pytest

from bot.cards.welcome import LANGUAGES
from tests.e2e.film import Film
from tests.e2e.journeys import NAME, PORTUGUESE, WORDINGS, Wording
from tests.e2e.person import PICTURES, Person, open_person
from tests.e2e.playground import running_playground
from tests.e2e.product import becomes, running_product
from tests.support.browsers import chromium
from tests.support.services.sandboxes import Switchboard
from tests.support.tools import require

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(240)]

ANA, BRUNO, CATARINA = "2001", "2002", "2003"
IN_A_CALL = {"en-US": "In a call", "pt-PT": "Numa chamada"}
WRONG = "a-secret-typed-by-mistake"
MOST_CLICKS, MOST_PASTES = 12, 5
PRESENTING = {"en-US": "Presenting", "pt-PT": "A apresentar"}
OTHER_WORDS = {"en-US": "ajuda", "pt-PT": "help"}
LANGUAGE = {"en-US": "idioma", "pt-PT": "language"}
AVAILABLE = {"en-US": "Available", "pt-PT": "Disponível"}


@pytest.mark.parametrize("wording", WORDINGS, ids=["english", "portuguese"])
async def test_a_person_connects_a_phone_system_and_sees_a_call_in_teams(tmp_path: Path, wording: Wording) -> None:
    require("chromium")
    async with (
        running_product(tmp_path) as (sandbox, bot),
        running_playground(bot.url, tmp_path / "logs", wording.locale) as playground,
        chromium() as browser,
        open_person(browser, playground.url, sandbox.url, wording.locale) as person,
    ):
        await is_answered_in_their_words(person, wording)
        await sets_up_cloudlink(person, wording)
        await connects_the_application(person, sandbox, wording)
        await takes_a_call(person, sandbox, wording)
        await switches_it_off(person, sandbox, wording)


async def is_answered_in_their_words(person: Person, wording: Wording) -> None:
    """Who begins in Portuguese is answered in Portuguese, whatever the client says, and who has a Portuguese client
    whatever they say, until they choose a language.

    What it costs is not counted.
    """
    await person.sees(wording("welcome.title"))
    await person.says(OTHER_WORDS[wording.locale])
    await person.sees(PORTUGUESE("help.title"))
    await person.captures_chat(f"help.{wording.texts.language}", PORTUGUESE("help.title"))
    await person.says(LANGUAGE[wording.locale])
    await person.sees(PORTUGUESE("language.title"))
    await person.presses(LANGUAGES[wording.texts.language])
    await person.sees(wording("language.changed"))
    person.clicks = 0


async def sets_up_cloudlink(person: Person, wording: Wording) -> None:
    await person.sees(wording("welcome.title"))
    await person.captures_chat(f"welcome.{wording.texts.language}")
    await person.presses(wording("button.setup"))
    await person.sees(wording.step(1))
    await person.pastes("accountId", wording("field.account_id"))
    await person.pastes("cloudlinkClientId", wording("field.cloudlink_client_id"))
    await is_asked_for_the_region(person, wording)
    await person.pastes("cloudlinkClientSecret", wording("field.cloudlink_secret"))
    await person.quotes(wording("field.account_id"))
    await person.captures_chat(f"cloudlink.{wording.texts.language}")
    await person.presses(wording("button.check"))
    await person.sees(wording.step(2))
    await person.captures_chat(f"microsoft.{wording.texts.language}")


async def is_asked_for_the_region(person: Person, wording: Wording) -> None:
    """Only after a failure. One that cannot be is named as such, and letter case does not matter.

    What it costs is not counted.
    """
    done = person.clicks, person.pastes_done
    await person.types(wording("field.cloudlink_secret"), WRONG)
    await person.presses(wording("button.check"))
    await person.sees(wording("fault.cloudlink.refused"))
    await person.types(wording("field.cloudlink_secret"), WRONG)
    await person.types(wording("field.region"), "m@rs")
    await person.presses(wording("button.check"))
    await person.sees(wording("fault.cloudlink.region_invalid"))
    await person.captures_chat(f"region.{wording.texts.language}")
    await person.types(wording("field.region"), "EU")
    person.clicks, person.pastes_done = done


async def connects_the_application(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    secret = (await sandbox.state())["registration"]["secrets"][0]
    await person.pastes("clientId", wording("field.client_id"))
    await person.presses(wording("button.use_ids"))
    await person.sees(wording("setup.microsoft.aimed"))
    await makes_mistakes(person, secret["keyId"], wording)
    await person.types(wording("field.name"), NAME)
    await person.types(wording("field.expires_on.instead"), secret["endDateTime"][:10])
    await person.presses(wording("button.save_and_check"))
    await person.sees(wording("preview.title"), wording("preview.saved"))
    await person.captures_chat(f"preview.{wording.texts.language}")
    await person.presses(wording("button.enable"))
    await person.sees(wording("enabled.title"), NAME)
    await person.captures_chat(f"enabled.{wording.texts.language}")
    assert person.clicks <= MOST_CLICKS
    assert person.pastes_done <= MOST_PASTES


async def makes_mistakes(person: Person, key_id: str, wording: Wording) -> None:
    """The secret's ID for its Value, which is pasted as the name too; a day beyond every secret's.

    What they cost is not counted, but for the paste of the right secret, which is then kept.
    """
    done = person.clicks, person.pastes_done
    await person.types(wording("field.name"), NAME)
    await person.pastes(f"secretId-{key_id}", wording("field.client_secret"))
    await person.presses(wording("button.save_and_check"))
    await person.sees(wording("fault.entra.secret_is_id"))
    await person.captures_chat(f"chat.{wording.texts.language}", down_to=wording("button.save_and_check"))
    await person.pastes(f"secretValue-{key_id}", wording("field.client_secret"))
    await person.pastes(f"secretValue-{key_id}", wording("field.name"))
    await person.types(wording("field.expires_on.instead"), "9999-12-31")
    await person.presses(wording("button.save_and_check"))
    await person.sees(wording("check.secret_here"), wording("check.far"))
    await person.sees_hint(wording("field.secret.kept"))
    await person.captures_chat(f"mistakes.{wording.texts.language}")
    person.clicks, person.pastes_done = done[0] + 1, done[1] + 1


async def takes_a_call(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    film = Film(still=2)
    await person.films(film, 2000, ANA, CATARINA)
    await person.clicks_switchboard(f"ring-{ANA}")
    await person.sees_control(f"answer-{ANA}")
    await person.films(film, 2000, ANA, CATARINA)
    await person.clicks_switchboard(f"answer-{ANA}")
    await person.sees_in_teams(ANA, IN_A_CALL[wording.locale])
    await person.films(film, 4000, ANA, CATARINA)
    film.save(PICTURES / f"call.{wording.texts.language}.png")
    await becomes(sandbox, ANA, "Busy/InACall")
    await person.clicks_switchboard(f"dnd-{CATARINA}")
    await person.clicks_switchboard(f"ring-{BRUNO}")
    await becomes(sandbox, CATARINA, "DoNotDisturb/Presenting")
    await person.sees_in_teams(CATARINA, PRESENTING[wording.locale])
    await person.sees_control(f"answer-{BRUNO}")
    await person.captures_switchboard(f"switchboard.{wording.texts.language}")
    await person.says(wording.status)
    await person.sees(wording("status.enabled"))
    await person.captures_chat(f"status.{wording.texts.language}")
    await person.clicks_switchboard(f"hangup-{ANA}")
    await person.sees_in_teams(ANA, AVAILABLE[wording.locale])


async def switches_it_off(person: Person, sandbox: Switchboard, wording: Wording) -> None:
    await person.says(wording.disable)
    await person.sees(wording("disable.title"))
    await person.presses(wording("button.disable"))
    await person.sees(wording("disabled.title"))
    await person.captures_chat(f"disabled.{wording.texts.language}")
    await becomes(sandbox, CATARINA, "Available/Available")
