"""The switchboard as a person uses it: the real page, in a real browser, on the real sandbox."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Locator, Page, Route, expect

import sandbox
from sandbox.world.presence import Session
from tests.sandbox.callers import signed_in
from tests.support.browsers import chromium
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

PAGE = (Path(sandbox.__file__).parent / "switchboard.html").read_text(encoding="utf-8")
TEXTS: dict[str, dict[str, str]] = json.loads(
    PAGE.partition('<script type="application/json" id="texts">')[2].partition("</script>")[0]
)
WIDE, NARROW = (1440, 900), (390, 844)


@dataclass
class Board:
    """The open page beside the sandbox it shows. ``errors`` are the messages of the browser's console."""

    page: Page
    sandbox: SandboxHandle
    errors: list[str] = field(default_factory=list)

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    async def click(self, name: str) -> None:
        """Once the last press is answered: the page may show its effect earlier, and ignores another until then."""
        await expect(self.part(name)).not_to_have_attribute("aria-busy", "true")
        await self.part(name).click()

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def on_error(self, error: Error) -> None:
        self.errors.append(str(error))


OpenBoard = Callable[..., Awaitable[Board]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@dataclass
class Tabs:
    """One for each size and language, used again: a new one starts a process, which takes longer than the page."""

    browser: Browser
    pages: dict[tuple[tuple[int, int], str], Page] = field(default_factory=dict)

    async def page(self, size: tuple[int, int], language: str) -> Page:
        if (size, language) not in self.pages:
            context = await self.browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                locale=language,
                permissions=["clipboard-read", "clipboard-write"],
            )
            self.pages[size, language] = await context.new_page()
        return self.pages[size, language]


async def leave(board: Board) -> None:
    """Nothing of the test stays in the tab."""
    page = board.page
    page.remove_listener("console", board.on_console)
    page.remove_listener("pageerror", board.on_error)
    await page.unroute_all()
    await page.evaluate("localStorage.clear()")
    await page.context.clear_cookies()
    await page.mouse.move(0, 0)
    await page.goto("about:blank")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


@pytest_asyncio.fixture(loop_scope="module")
async def running() -> AsyncIterator[SandboxHandle]:
    async with running_sandbox() as handle:
        yield handle


@pytest_asyncio.fixture(loop_scope="module")
async def open_board(tabs: Tabs, running: SandboxHandle) -> AsyncIterator[OpenBoard]:
    """Opens the page; at the end the browser's console must be clean."""
    boards: list[Board] = []

    async def open_it(size: tuple[int, int] = WIDE, language: str = "en-US") -> Board:
        board = Board(await tabs.page(size, language), running)
        boards.append(board)
        board.page.on("console", board.on_console)
        board.page.on("pageerror", board.on_error)
        await board.page.goto(f"{running.url}/switchboard")
        await expect(board.part("person-2001")).to_be_attached()
        return board

    yield open_it
    for board in boards:
        await leave(board)
    assert [error for board in boards for error in board.errors] == []


@pytest_asyncio.fixture(loop_scope="module")
async def board(open_board: OpenBoard) -> Board:
    return await open_board()


async def clipboard(board: Board) -> str:
    return str(await board.page.evaluate("navigator.clipboard.readText()"))


INTRUDER = """() => {
    const script = document.createElement("script");
    script.append("window.ran = true");
    document.body.append(script);
    return window.ran === undefined;
}"""


async def test_a_script_of_others_does_not_run(board: Board) -> None:
    assert await board.page.evaluate(INTRUDER)
    assert board.errors
    assert [error for error in board.errors if "TrustedScript" not in error] == []
    board.errors.clear()


async def test_a_call_is_rung_answered_timed_and_hung_up(board: Board) -> None:
    await expect(board.part("answer-2001")).to_be_hidden()
    await board.click("ring-2001")
    await expect(board.part("phone-2001")).to_have_attribute("data-state", "ringing")
    await expect(board.part("ring-2001")).to_be_hidden()
    await board.click("answer-2001")
    await expect(board.part("timer-2001")).to_be_visible()
    await expect(board.part("timer-2001")).to_have_text(re.compile(r"^\d+:(?!00)\d\d$"))
    person = await board.sandbox.person("2001")
    assert [call["state"] for call in person["phone"]["calls"]] == ["connected"]
    await board.click("hangup-2001")
    await expect(board.part("phone-2001")).to_have_attribute("data-state", "idle")
    await expect(board.part("timer-2001")).to_be_hidden()
    assert (await board.sandbox.person("2001"))["phone"]["calls"] == []


async def test_hanging_up_ends_the_live_call_and_leaves_the_held_one(board: Board) -> None:
    held = await board.sandbox.call("2002")
    await board.click("call-2002")
    await expect(board.part("calls-2002")).to_have_text("2")
    await board.click("hangup-2002")
    await expect(board.part("phone-2002")).to_have_attribute("data-state", "held")
    calls = (await board.sandbox.person("2002"))["phone"]["calls"]
    assert [(call["callId"], call["state"]) for call in calls] == [(held, "held")]


async def test_a_second_ringing_call_is_declined_without_touching_the_first(board: Board) -> None:
    first = await board.sandbox.call("2002")
    await board.click("menu-2002")
    await board.click("ringmore-2002")
    await expect(board.part("phone-2002")).to_have_attribute("data-state", "ringing")
    await board.click("hangup-2002")
    await expect(board.part("phone-2002")).to_have_attribute("data-state", "call")
    assert [call["callId"] for call in (await board.sandbox.person("2002"))["phone"]["calls"]] == [first]


async def test_a_call_becomes_a_conference(board: Board) -> None:
    await board.sandbox.call("2003")
    await board.click("conference-2003")
    await expect(board.part("phone-2003")).to_have_attribute("data-state", "conference")
    await expect(board.part("conference-2003")).to_be_hidden()


async def test_hold_and_resume_and_hang_up_all_are_in_the_menu(board: Board) -> None:
    await board.sandbox.call("2004")
    for state in ("held", "call"):
        await board.click("menu-2004")
        await board.click("hold-2004")
        await expect(board.part("phone-2004")).to_have_attribute("data-state", state)
    await board.sandbox.call("2004")
    await board.click("menu-2004")
    await board.click("hangupall-2004")
    await expect(board.part("phone-2004")).to_have_attribute("data-state", "idle")


async def test_do_not_disturb_is_a_switch(board: Board) -> None:
    for on in (True, False):
        await board.click("dnd-2001")
        await expect(board.part("dnd-2001")).to_have_attribute("aria-checked", str(on).lower())
        assert (await board.sandbox.person("2001"))["phone"]["doNotDisturb"] is on


async def test_an_unplugged_phone_cannot_ring(board: Board) -> None:
    await board.click("menu-2001")
    await board.click("registered-2001")
    await expect(board.part("phone-2001")).to_have_attribute("data-state", "offline")
    await expect(board.part("ring-2001")).to_be_hidden()


async def test_what_happens_elsewhere_is_seen_without_reloading(board: Board) -> None:
    await board.sandbox.ring("2010")
    await expect(board.part("answer-2010")).to_be_visible()
    await expect(board.part("show-calling")).to_contain_text("1")


async def test_a_status_is_set_by_hand_and_taken_back(board: Board) -> None:
    presence = board.part("presence-2001")
    await expect(presence).to_contain_text("Teams app")
    await board.click("menu-2001")
    await board.click("chosen-2001-DoNotDisturb")
    await expect(presence).to_have_attribute("data-source", "hand")
    await expect(presence).to_contain_text("Do not disturb")
    await expect(presence).to_contain_text("set by hand")
    await board.click("menu-2001")
    await expect(board.part("chosen-2001-DoNotDisturb")).to_have_attribute("aria-checked", "true")
    await board.click("chosen-2001-None")
    await expect(presence).to_have_attribute("data-source", "client")
    assert (await board.sandbox.teams("2001"))["chosen"] is None


async def test_the_teams_app_is_signed_out_and_in_again(board: Board) -> None:
    presence = board.part("presence-2001")
    for choice, availability, source in (("SignedOut", "Offline", "none"), ("Busy", "Busy", "client")):
        await board.click("menu-2001")
        await board.click(f"client-2001-{choice}")
        await expect(presence).to_have_attribute("data-availability", availability)
        await expect(presence).to_have_attribute("data-source", source)


async def test_a_presence_that_comes_from_the_phone_is_marked(board: Board) -> None:
    user = board.sandbox.world.saved.people[0].teams_id or ""
    teams = board.sandbox.world.teams_user(user)
    assert teams is not None
    now = board.sandbox.world.now()
    teams.session = Session("Busy", "InAConferenceCall", now, now + timedelta(hours=1))
    board.sandbox.world.changed()
    await expect(board.part("presence-2001")).to_have_attribute("data-source", "phone")
    await expect(board.part("presence-2001")).to_contain_text("In a conference call")
    await expect(board.part("presence-2001")).to_contain_text("from the phone")


@pytest.mark.parametrize(
    ("extension", "match"),
    [
        ("2001", "yes"),
        ("2017", "yes"),
        ("2018", "yes"),
        ("2019", "otherAddress"),
        ("2020", "noTeamsUser"),
        ("2021", "noAddress"),
        ("2022", "accountDisabled"),
        ("2023", "sharedAddress"),
        ("2025", "refused"),
        ("2026", "guest"),
        ("2016", "yes"),
        ("2016-porto", "yes"),
    ],
)
async def test_an_unmatched_person_has_a_reason(board: Board, extension: str, match: str) -> None:
    presence = board.part(f"presence-{extension}")
    await expect(presence).to_have_attribute("data-match", match)
    if match != "yes":
        await expect(presence).to_contain_text(TEXTS["en"][match])
        await expect(presence).to_have_attribute("title", re.compile(re.escape(TEXTS["en"][f"{match}Why"])))


async def test_the_filter_finds_people_by_name_extension_and_address(board: Board) -> None:
    people = board.part("people").locator("li:visible")
    for wanted in ("ana martins", "2001", "ANA.MARTINS@"):
        await board.part("filter").fill(wanted)
        await expect(people).to_have_count(1)
        await expect(board.part("person-2001")).to_be_visible()
    await board.part("filter").fill("nobody at all")
    await expect(board.part("nobody")).to_be_visible()


async def test_only_people_who_will_not_match_are_shown_on_request(board: Board) -> None:
    await board.click("show-unmatched")
    await expect(board.part("person-2001")).to_be_hidden()
    await expect(board.part("person-2021")).to_be_visible()
    await expect(board.part("show-unmatched")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("accountId", ("cloudlink", "accountId")),
        ("cloudlinkClientId", ("cloudlink", "clientId")),
        ("cloudlinkClientSecret", ("cloudlink", "clientSecret")),
        ("tenantId", ("registration", "tenantId")),
        ("clientId", ("registration", "clientId")),
    ],
)
async def test_what_to_paste_is_copied_whole(board: Board, name: str, path: tuple[str, str]) -> None:
    await board.click(f"copy-{name}")
    await expect(board.page.get_by_role("status")).to_contain_text("copied")
    assert await clipboard(board) == (await board.sandbox.state())[path[0]][path[1]]


async def test_a_new_secret_appears_and_its_value_and_id_are_distinguished(board: Board) -> None:
    await board.part("secret-description").fill("For the chat")
    await board.part("secret-days").select_option("7")
    await board.click("new-secret")
    row = board.part("secrets").locator("li", has_text="For the chat")
    await expect(row).to_be_visible()
    secret = (await board.sandbox.state())["registration"]["secrets"][-1]
    await expect(row).to_contain_text("Value")
    await expect(row).to_contain_text("Secret ID")
    await board.click(f"copy-secretValue-{secret['keyId']}")
    await expect(board.page.get_by_role("status")).to_have_text("Value copied")
    assert await clipboard(board) == secret["value"]
    await board.click(f"copy-secretId-{secret['keyId']}")
    await expect(board.page.get_by_role("status")).to_have_text("Secret ID copied")
    assert await clipboard(board) == secret["keyId"]


async def test_a_secret_is_expired_then_deleted(board: Board) -> None:
    [secret] = (await board.sandbox.state())["registration"]["secrets"]
    row = board.part(f"secret-{secret['keyId']}")
    await board.click(f"expire-{secret['keyId']}")
    await expect(row).to_have_attribute("data-expired", "true")
    await expect(row).to_contain_text("Expired")
    await board.click(f"delete-{secret['keyId']}")
    await expect(row).to_have_count(0)
    await expect(board.part("no-secrets")).to_be_visible()
    assert (await board.sandbox.state())["registration"]["secrets"] == []


async def test_the_cloudlink_secret_is_replaced(board: Board) -> None:
    before = (await board.sandbox.state())["cloudlink"]["clientSecret"]
    await board.click("new-cloudlink-secret")
    await expect(board.part("value-cloudlinkClientSecret")).not_to_have_text(before)


async def test_consent_is_revoked_and_granted_again(board: Board) -> None:
    for on in (False, True):
        async with board.page.expect_response("**/switchboard/registration/**"):
            await board.click("permission-Presence.ReadWrite.All")
        await expect(board.part("permission-Presence.ReadWrite.All")).to_be_checked(checked=on)
        permissions = (await board.sandbox.state())["registration"]["permissions"]
        assert permissions["Presence.ReadWrite.All"] is on


@pytest.mark.parametrize(
    ("name", "broken"),
    [("disabled", True), ("deleted", True), ("conditionalAccess", True), ("servicePrincipal", False)],
)
async def test_the_app_registration_is_broken_and_fixed(board: Board, name: str, broken: bool) -> None:
    for value in (broken, not broken):
        async with board.page.expect_response("**/switchboard/registration/**") as answer:
            await board.click(f"registration-{name}")
        assert (await answer.value).ok
        assert (await board.sandbox.state())["registration"][name] is value


async def test_every_fault_has_a_switch(board: Board) -> None:
    await board.click("tab-faults")
    for name in (await board.sandbox.state())["faults"]:
        await expect(board.part(f"fault-{name}")).to_be_visible()


async def test_a_fault_is_switched_on_counted_and_switched_off(board: Board) -> None:
    await board.click("tab-faults")
    await board.click("fault-graphOutage")
    await expect(board.part("fault-count")).to_have_text("1")
    assert (await board.sandbox.state())["faults"]["graphOutage"] is True
    await board.click("fault-graphOutage")
    await expect(board.part("fault-count")).to_be_hidden()


async def test_a_switch_pressed_again_before_its_answer_keeps_showing_the_state(board: Board) -> None:
    release = asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await release.wait()
        await route.fulfill(response=answer)

    await board.page.route("**/switchboard/faults", answer_late)
    await board.click("tab-faults")
    switch = board.part("fault-graphOutage")
    await switch.click()
    await expect(board.part("fault-count")).to_have_text("1")
    await switch.click()
    release.set()
    await expect(switch).not_to_have_attribute("aria-busy", "true")
    await expect(switch).to_be_checked()
    assert (await board.sandbox.state())["faults"]["graphOutage"] is True


async def test_the_quota_and_the_traffic_take_numbers(board: Board) -> None:
    await board.click("tab-faults")
    for name, number, path in (("fault-graphQuota", "25", "faults"), ("traffic-callsPerMinute", "60", "traffic")):
        async with board.page.expect_response(f"**/switchboard/{path}"):
            await board.part(name).fill(number)
            await board.part(name).press("Tab")
    async with board.page.expect_response("**/switchboard/traffic"):
        await board.click("traffic-running")
    state = await board.sandbox.state()
    assert state["faults"]["graphQuota"] == 25
    assert state["traffic"] == {"running": True, "callsPerMinute": 60}


async def test_a_number_out_of_range_is_not_sent(board: Board) -> None:
    await board.click("tab-faults")
    await board.part("fault-slowSeconds").fill("-3")
    await board.part("fault-slowSeconds").press("Tab")
    await expect(board.part("fault-slowSeconds")).to_have_value("0")
    assert (await board.sandbox.state())["faults"]["slowSeconds"] == 0


async def test_a_refusal_is_shown_and_the_state_unchanged(board: Board) -> None:
    await board.sandbox.ring("2001")
    await expect(board.part("answer-2001")).to_be_visible()
    await board.page.route("**/phones/2001/answer", lambda route: route.fulfill(status=409, json={"error": "No."}))
    await board.click("answer-2001")
    await expect(board.part("toast")).to_contain_text("No.")
    await expect(board.part("phone-2001")).to_have_attribute("data-state", "ringing")
    assert [error for error in board.errors if "409" not in error] == []
    board.errors.clear()


async def test_a_lost_connection_is_shown_and_restored(open_board: OpenBoard, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    async with running_sandbox() as first:
        await page.goto(f"{first.url}/switchboard")
        await expect(page.get_by_test_id("phone-2001")).to_have_attribute("data-state", "idle")
        await expect(page.get_by_test_id("connection-lost")).to_be_hidden()
    await expect(page.get_by_test_id("connection-lost")).to_be_visible()
    async with running_sandbox(port=int(first.url.rpartition(":")[2])) as second:
        await expect(page.get_by_test_id("connection-lost")).to_be_hidden(timeout=15_000)
        await second.ring("2001")
        await expect(page.get_by_test_id("answer-2001")).to_be_visible()
        await context.close()


async def test_focus_and_an_open_menu_survive_updates(board: Board) -> None:
    await board.part("menu-2005").press("Enter")
    await board.page.keyboard.press("End")
    await expect(board.part("enabled-2005")).to_be_focused()
    await board.sandbox.client("2005", "Busy")
    await expect(board.part("client-2005-Busy")).to_have_attribute("aria-checked", "true")
    await expect(board.part("enabled-2005")).to_be_focused()
    await board.page.keyboard.press("Escape")
    await expect(board.part("menu")).to_be_hidden()
    await expect(board.part("menu-2005")).to_be_focused()


async def test_the_button_that_opened_a_menu_closes_it(board: Board) -> None:
    for visible in (True, False, True):
        await board.click("menu-2001")
        await expect(board.part("menu")).to_be_visible(visible=visible)
    await board.click("menu-2024")
    await expect(board.part("client-2024-Away")).to_be_visible()
    await expect(board.part("client-2001-Away")).to_have_count(0)


async def test_a_whole_call_is_made_with_the_keyboard_alone(board: Board) -> None:
    await board.part("ring-2001").focus()
    for button in ("answer-2001", "hangup-2001", "ring-2001"):
        await board.page.keyboard.press("Enter")
        await expect(board.part(button)).to_be_focused()


async def test_another_device_is_used_from_the_menu_and_shows_what_it_does(board: Board) -> None:
    device = board.part("device-5002")
    await expect(device).to_have_attribute("data-state", "idle")
    for button, state in (("ring", "ringing"), ("answer", "call"), ("hangup", "idle")):
        await board.click("menu-2002")
        await board.click(f"{button}-5002")
        await expect(device).to_have_attribute("data-state", state)
        await expect(board.part("phone-2002")).to_have_attribute("data-state", "idle")
        await expect(board.part("show-calling")).to_contain_text("0" if state == "idle" else "1")


async def test_an_equal_extension_at_another_site_is_another_phone(board: Board) -> None:
    await board.click("ring-2016-porto")
    await expect(board.part("phone-2016-porto")).to_have_attribute("data-state", "ringing")
    await expect(board.part("phone-2016")).to_have_attribute("data-state", "idle")


async def test_graph_refuses_one_person_on_request(board: Board) -> None:
    presence = board.part("presence-2001")
    for match in ("refused", "yes"):
        await board.click("menu-2001")
        await board.click("refused-2001")
        await expect(presence).to_have_attribute("data-match", match)


async def test_a_number_of_refusals_is_counted_down(board: Board) -> None:
    await board.click("tab-faults")
    async with board.page.expect_response("**/switchboard/refusals"):
        await board.part("refusals-graph").fill("2")
        await board.part("refusals-graph").press("Tab")
    await ask_graph(board.sandbox)
    await expect(board.part("refusals-graph")).to_have_value("1")


async def ask_graph(sandbox: SandboxHandle) -> None:
    graph = await signed_in(sandbox)
    assert (await graph.get("/organization")).status == 401


async def test_names_are_text_never_markup(board: Board) -> None:
    board.sandbox.world.saved.people[0].name = "<img src=x onerror=alert(1)>"
    board.sandbox.world.changed()
    await expect(board.part("person-2001")).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(board.part("person-2001").locator("img")).to_have_count(0)


async def test_a_portuguese_browser_gets_portuguese(open_board: OpenBoard) -> None:
    board = await open_board(language="pt-PT")
    await expect(board.part("presence-2001")).to_contain_text("Disponível")
    await expect(board.page.get_by_role("tab", name="O que colar")).to_be_visible()
    await expect(board.part("secrets")).to_contain_text("Valor")
    assert await board.page.evaluate("document.documentElement.lang") == "pt-PT"


async def test_a_chosen_language_and_theme_are_remembered(board: Board) -> None:
    await board.click("language-pt")
    await expect(board.part("ring-2001")).to_contain_text("Tocar")
    await board.click("theme")
    await board.page.reload()
    await expect(board.part("ring-2001")).to_contain_text("Tocar")
    assert await board.page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("language", ["en-US", "pt-PT"])
async def test_a_narrow_screen_shows_one_panel_and_never_scrolls_sideways(
    open_board: OpenBoard, language: str
) -> None:
    board = await open_board(NARROW, language)
    for name in ("people", "paste", "faults"):
        await board.click(f"tab-{name}")
        await expect(board.part("people")).to_be_visible(visible=name == "people")
        await expect(board.part("copy-tenantId")).to_be_visible(visible=name == "paste")
        await expect(board.part("fault-graphOutage")).to_be_visible(visible=name == "faults")
        assert await board.page.evaluate("document.documentElement.scrollWidth") == NARROW[0]


async def test_all_people_fit_on_one_wide_screen(board: Board) -> None:
    box = await board.part("people").locator("li").last.bounding_box()
    counts = await board.part("counts").bounding_box()
    assert box is not None
    assert counts is not None
    assert box["y"] + box["height"] <= counts["y"]


async def test_every_control_has_a_name_and_a_test_id(board: Board) -> None:
    await board.click("menu-2001")
    nameless = await board.page.evaluate(
        """[...document.querySelectorAll("button, input, select")].filter((control) => !control.dataset.testid
        || !(control.getAttribute("aria-label") || control.textContent.trim() || control.closest("label"))
        ).map((control) => control.outerHTML)"""
    )
    assert nameless == []


async def test_both_languages_say_the_same_things() -> None:
    english, portuguese = TEXTS["en"], TEXTS["pt"]
    assert english.keys() == portuguese.keys()
    for key, text in english.items():
        assert portuguese[key].strip()
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", portuguese[key])), key


async def test_every_text_that_the_page_names_exists() -> None:
    named = set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', PAGE)) | set(
        re.findall(r'\bt\("(\w+)"', PAGE)
    )
    assert named <= TEXTS["en"].keys()


async def test_the_page_is_self_contained_and_never_makes_markup_of_data() -> None:
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write)\b", PAGE)
    addresses = {address for address in re.findall(r"https?://[\w./-]+", PAGE) if "www.w3.org" not in address}
    assert addresses == set()
    assert not re.search(r"<(script|link|img|iframe)\b[^>]*\b(src|href)=\"(?!data:)", PAGE)
