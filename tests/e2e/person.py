"""A person at a browser: reads, clicks, types and pastes, in the chat and on the switchboard.

With ``PICTURES`` in the environment, screenshots are left in build/screenshots.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, FloatRect, Locator, Page, Route, expect

from tests.e2e.film import Film
from tests.support.tools import ROOT

PICTURES = ROOT / "build" / "screenshots"
TIMEOUT_MS = 30_000
INVOKE = re.compile(r"/invoke$")
INSTALLATION = "**/_debug/conversation/*/installation"

COUNT_SOCKETS = """{
  const Socket = WebSocket;
  window.openSockets = 0;
  window.WebSocket = class extends Socket {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => window.openSockets++);
    }
  };
}"""
ARE_CONNECTED = "() => window.openSockets === 2"
"""The window's two sockets: the conversations' messages, and the log."""

TO_THE_END = "(element) => { element.style.scrollMargin = '16px'; element.scrollIntoView({ block: 'end' }) }"
"""Scrolls so that what follows an element is out of sight."""

TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

AT_REST = """async () => {
  const all = () => [...document.querySelectorAll("*")];
  const positions = () => all().map((each) => [each.scrollTop, each.scrollHeight]).join();
  for (let still = 0, last = positions(); still < 5; ) {
    await new Promise(requestAnimationFrame);
    const now = positions();
    still = now === last ? still + 1 : 0;
    last = now;
  }
}"""
"""Resolves when nothing has scrolled or grown for five frames."""


class Person:
    """Two tabs of one browser: ``chat`` is the Playground's window, ``switchboard`` the sandbox's page.

    ``clicks`` and ``pastes_done`` count what was done in the chat, a click into each field included.
    """

    def __init__(self, chat: Page, switchboard: Page) -> None:
        self._chat = chat
        self._switchboard = switchboard
        self.clicks = self.pastes_done = 0

    async def sees(self, *texts: str) -> None:
        """Wait until all ``texts`` can be read in the chat; the newest one of each counts."""
        for text in texts:
            await expect(self._chat.get_by_text(text).last).to_be_visible(timeout=TIMEOUT_MS)

    async def sees_hint(self, text: str) -> None:
        """Wait until an empty field says this."""
        await expect(self._chat.get_by_placeholder(text).last).to_be_visible(timeout=TIMEOUT_MS)

    async def says(self, text: str) -> None:
        box = self._chat.locator("[data-lexical-editor=true]")
        await box.click()
        await self._chat.keyboard.type(text)
        await self._chat.keyboard.press("Enter")

    async def presses(self, title: str) -> None:
        """Press and wait for the response: the window then redraws the card, and text typed earlier is lost."""
        self.clicks += 1
        async with self._chat.expect_response(INVOKE, timeout=TIMEOUT_MS):
            await self._chat.get_by_role("button", name=title, exact=True).last.click(timeout=TIMEOUT_MS)
        await self._chat.evaluate(TWO_FRAMES)

    async def types(self, label: str, text: str) -> None:
        self.clicks += 1
        await self._field(label).fill(text, timeout=TIMEOUT_MS)

    async def pastes(self, value: str, label: str) -> None:
        """Copy ``value`` (the switchboard's name for it) by its button there, and paste it into the field here."""
        self.clicks, self.pastes_done = self.clicks + 1, self.pastes_done + 1
        await self._switchboard.bring_to_front()
        button = self._switchboard.get_by_test_id(f"copy-{value}")
        await button.click()
        await expect(button).to_contain_class("done")
        await self._chat.bring_to_front()
        await self._field(label).click()
        await self._chat.keyboard.press("ControlOrMeta+A")
        await self._chat.keyboard.press("ControlOrMeta+V")

    async def quotes(self, label: str) -> None:
        """Put quotes around a field's value and a comma behind it, as copied from a file."""
        await self._field(label).press("Home")
        await self._chat.keyboard.type('"')
        await self._field(label).press("End")
        await self._chat.keyboard.type('",')

    async def chooses(self, label: str, choice: str) -> None:
        """One of a list that opens."""
        self.clicks += 1
        await self._chat.get_by_role("combobox", name=label).last.click(timeout=TIMEOUT_MS)
        await self._chat.get_by_role("option", name=choice, exact=True).click(timeout=TIMEOUT_MS)

    async def picks(self, choice: str) -> None:
        """One of the choices that are all in view."""
        self.clicks += 1
        await self._chat.get_by_role("radio", name=choice, exact=True).last.check(timeout=TIMEOUT_MS)

    async def opens(self, line: str) -> None:
        """Press a line of a card that leads somewhere, and wait for the response."""
        self.clicks += 1
        async with self._chat.expect_response(INVOKE, timeout=TIMEOUT_MS):
            await self._chat.get_by_text(line, exact=True).last.click(timeout=TIMEOUT_MS)
        await self._chat.evaluate(TWO_FRAMES)

    async def ticks(self, choice: str) -> None:
        await self._chat.get_by_role("checkbox", name=choice).last.check(timeout=TIMEOUT_MS)

    async def clicks_switchboard(self, handle: str) -> None:
        """Click a control of the switchboard, such as ``ring-2001``."""
        await self._switchboard.bring_to_front()
        await self._switchboard.get_by_test_id(handle).click(timeout=TIMEOUT_MS)

    async def sees_in_teams(self, extension: str, text: str) -> None:
        """Wait until the switchboard shows ``text`` as what colleagues see of that person."""
        await expect(self._switchboard.get_by_test_id(f"presence-{extension}")).to_contain_text(
            text, timeout=TIMEOUT_MS
        )

    async def sees_control(self, handle: str) -> None:
        """Wait until a control of the switchboard is there, such as ``answer-2001``."""
        await expect(self._switchboard.get_by_test_id(handle)).to_be_visible(timeout=TIMEOUT_MS)

    async def comes_back(self) -> None:
        """From the switchboard to the chat."""
        await self._chat.bring_to_front()

    async def opens_the_chat_again(self) -> None:
        """Without the messages so far: with each new one the window draws all of them."""
        await self._chat.route(INSTALLATION, lambda route: route.fulfill(status=200))
        await _open(self._chat, self._chat.url)

    async def captures_chat(self, name: str, showing: str = "", down_to: str = "") -> None:
        """The window as it is, or scrolled to where ``showing`` is visible, or the button ``down_to`` is last."""
        if showing:
            await self._chat.bring_to_front()
            await self._chat.get_by_text(showing).last.scroll_into_view_if_needed(timeout=TIMEOUT_MS)
        if down_to:
            await self._chat.bring_to_front()
            await self._chat.get_by_role("button", name=down_to, exact=True).last.evaluate(TO_THE_END)
        await self._capture(self._chat, name)

    async def captures_switchboard(self, name: str) -> None:
        await self._capture(self._switchboard, name)

    async def films(self, film: Film, milliseconds: int, first: str, last: str) -> None:
        """Add the switchboard's rows from one extension to another, as they are, to a film."""
        await self._switchboard.bring_to_front()
        await self._switchboard.evaluate(AT_REST)
        top, bottom = [
            await self._switchboard.get_by_test_id(f"person-{key}").bounding_box() for key in (first, last)
        ]
        assert top
        assert bottom
        height = bottom["y"] + bottom["height"] - top["y"]
        clip = FloatRect(x=top["x"], y=top["y"], width=top["width"], height=height)
        film.add(await self._switchboard.screenshot(clip=clip, animations="disabled"), milliseconds)

    def _field(self, label: str) -> Locator:
        labelled = self._chat.get_by_label(re.compile(rf"^{re.escape(label)}( \*)?($| )"))
        return labelled.and_(self._chat.locator("input, textarea")).last

    async def _capture(self, page: Page, name: str) -> None:
        """A picture takes half a second; without ``PICTURES``, only wait until it could be taken."""
        await page.bring_to_front()
        await page.evaluate(AT_REST)
        if "PICTURES" in os.environ:
            await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


@asynccontextmanager
async def open_person(browser: Browser, chat_url: str, switchboard_url: str, locale: str) -> AsyncIterator[Person]:
    """A person with both pages open, allowed to use the clipboard; the chat's log panel is closed."""
    async with await browser.new_context(
        locale=locale, viewport={"width": 1280, "height": 1060}, reduced_motion="reduce"
    ) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        chat, switchboard = await context.new_page(), await context.new_page()
        await switchboard.goto(f"{switchboard_url}/switchboard")
        await chat.bring_to_front()
        await chat.add_init_script(COUNT_SOCKETS)
        await chat.route(INSTALLATION, _install_when_connected)
        await _open(chat, chat_url)
        await chat.locator(".ac-adaptiveCard").first.wait_for(timeout=TIMEOUT_MS)
        yield Person(chat, switchboard)


async def _install_when_connected(route: Route) -> None:
    """The Playground (0.2.28) installs the bot as its window opens, and shows nothing from before its socket is."""
    await route.request.frame.page.wait_for_function(ARE_CONNECTED)
    await route.continue_()


async def _open(chat: Page, url: str) -> None:
    await chat.goto(url)
    await chat.wait_for_function(ARE_CONNECTED, timeout=TIMEOUT_MS)
    await chat.get_by_title("Hide log panel").click(timeout=TIMEOUT_MS)
