"""CloudLink as this product uses it: the account, its people, its phones, its webhooks."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

from core.clock import Clock
from core.http.client import same_origin
from sync.cloudlink import addresses
from sync.cloudlink.addresses import CloudLinkService
from sync.cloudlink.tables import WireTables, plain
from sync.cloudlink.token import SharedToken
from sync.cloudlink.transport import CloudLinkResponse, Transport
from sync.cloudlink.wire import (
    Malformed,
    next_link,
    page_items,
    parse_snapshot,
    parse_user,
    subscription_id_of,
    text_of,
)
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import CloudLinkAccount
from sync.domain.phone_events import CloudLinkUser, LineSnapshot
from sync.domain.services import MANY_REFUSED, LinesRead, ListLimits, reading_list

CONCURRENT_LINES = 4
OF_ONE_PHONE = frozenset({Fault.CLOUDLINK_FORBIDDEN, Fault.CLOUDLINK_UNREADABLE, Fault.CLOUDLINK_LIST_TOO_LONG})
LIMITS = ListLimits()
"""For each list, such as all people of an account."""


class CloudLink:
    """One customer account, whose calls share one token. ``url`` is the pattern of the services' addresses.

    Every call raises ``CredentialsWrong`` (refused, forbidden, account unknown, region invalid) and
    ``ServiceUnavailable`` (unreachable, throttled, unreadable).
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        account: CloudLinkAccount,
        tables: WireTables,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._pattern = url
        self._account = account
        self._tables = tables
        self._clock = clock
        self._token: SharedToken | None = None

    async def region(self) -> str:
        """The account's region: the one that is set, or else the one its token names; empty for the default one."""
        if self._account.region:
            return self._account.region.strip().lower()
        return addresses.region_in(await self._tokens().get(), self._pattern, self._account.account_id)

    async def account_name(self) -> str:
        """The account's name, after checking that the token belongs to it and has a role that may read it."""
        owner = _fields(await self._get(CloudLinkService.AUTHENTICATION, addresses.token()))
        account_id, role = text_of(owner.get("accountId")), text_of(owner.get("role"))
        if account_id and account_id.casefold() != self._account.account_id.strip().casefold():
            raise CredentialsWrong(Fault.CLOUDLINK_ACCOUNT_UNKNOWN)
        if plain(role) in self._tables.refused_roles:
            raise CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN, role=role)
        found = _fields(await self._get(CloudLinkService.ADMIN, addresses.account(self._account.account_id)))
        return text_of(found.get("displayName")) or text_of(found.get("name")) or self._account.account_id

    async def users(self) -> list[CloudLinkUser]:
        """All people in the account, from all pages.

        Who joins or leaves meanwhile moves others to another page: who is read twice counts as read last.
        """
        path = addresses.users(self._account.account_id)
        found: list[CloudLinkUser] = await self._collection(CloudLinkService.ADMIN, path, parse=parse_user)
        return list({user.user_id: user for user in found}.values())

    async def line(self, extension: str) -> LineSnapshot | None:
        """A phone and its calls as they are now; None when CloudLink does not know the extension."""
        url = self._url(CloudLinkService.MEDIA, addresses.endpoint(extension))
        response = await self._call("GET", url)
        if response.status == 404:
            return None
        found = _fields(_body_of(response, CloudLinkService.MEDIA))
        endpoint = {**found, "endpointId": extension}
        calls = await self._collection(CloudLinkService.MEDIA, addresses.calls(extension), missing_is_empty=True)
        try:
            return parse_snapshot(endpoint, calls, self._tables)
        except Malformed as error:
            unreadable = ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, field=error.field)
        raise unreadable

    async def lines(self, extensions: Sequence[str]) -> LinesRead:
        """The phones CloudLink knows of these, in their order; at most four are requested concurrently.

        What concerns one phone alone is not raised, unless it is so with all that were tried, and they are many.
        """
        limit = asyncio.Semaphore(CONCURRENT_LINES)
        answered: dict[str, LineSnapshot | None] = {}
        refused: dict[str, SyncError] = {}

        async def one(extension: str) -> None:
            async with limit:
                try:
                    answered[extension] = await self.line(extension)
                except SyncError as error:
                    refused[extension] = error
                    if not _is_of_one_phone(error) or (len(refused) >= MANY_REFUSED and not answered):
                        raise

        tasks = [asyncio.ensure_future(one(extension)) for extension in extensions]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return LinesRead([line for extension in extensions if (line := answered.get(extension))], refused)

    async def subscribe(self, webhook_url: str) -> str:
        """Have events of calls and phones posted to ``webhook_url``; returns the subscription's id."""
        body = {
            "applicationId": self._account.client_id,
            "deviceId": webhook_url,
            "transport": "webhook",
            "topic": self._tables.topic,
            "subjectFilter": self._tables.subject_filter,
        }
        if self._tables.publication_filter:
            body["publicationFilter"] = self._tables.publication_filter
        url = self._url(CloudLinkService.NOTIFICATIONS, addresses.subscriptions())
        found = _fields(_body_of(await self._call("POST", url, body), CloudLinkService.NOTIFICATIONS))
        subscription_id = subscription_id_of(found)
        if not subscription_id:
            raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, field="subscriptionId")
        return subscription_id

    async def subscriptions(self) -> frozenset[str]:
        """The ids of the current subscriptions."""
        items = await self._collection(CloudLinkService.NOTIFICATIONS, addresses.subscriptions())
        return frozenset(map(subscription_id_of, items)) - {""}

    async def unsubscribe(self, subscription_id: str) -> None:
        """End a subscription; to find it gone is success."""
        url = self._url(CloudLinkService.NOTIFICATIONS, addresses.subscription(subscription_id))
        response = await self._call("DELETE", url)
        if response.status != 404:
            _body_of(response, CloudLinkService.NOTIFICATIONS)

    async def _collection(
        self,
        service: CloudLinkService,
        path: str,
        *,
        missing_is_empty: bool = False,
        parse: Callable[[Any], Any] = lambda item: item,
    ) -> list[Any]:
        """All items of all pages, each page parsed as it comes, without those of which nothing is left.

        Links are followed on the service's own host only.
        Raises ``ServiceUnavailable`` (CLOUDLINK_LIST_TOO_LONG) for a list beyond ``LIMITS``.
        """
        url = start = self._url(service, path)
        items: list[Any] = []
        seen: set[str] = set()
        async with reading_list(LIMITS, Fault.CLOUDLINK_LIST_TOO_LONG) as count:
            while url:
                if url in seen or not same_origin(url, start):
                    raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, field="_links.next")
                seen.add(url)
                response = await self._call("GET", url)
                if response.status == 404 and missing_is_empty and url == start:
                    break
                count(response.size)
                found, link = _page(_body_of(response, service))
                items += [parsed for item in found if (parsed := parse(item)) is not None]
                url = _joined(url, link) if link else ""
        return items

    async def _get(self, service: CloudLinkService, path: str) -> Any:
        return _body_of(await self._call("GET", self._url(service, path)), service)

    async def _call(self, method: str, url: str, body: Mapping[str, str] | None = None) -> CloudLinkResponse:
        """Send with the shared token, and once more with a fresh one after a 401."""
        tokens = self._tokens()
        token = await tokens.get()
        response = await self._transport.send(method, url, token, body)
        if response.status == 401:
            response = await self._transport.send(method, url, await tokens.get(refused=token), body)
        return response

    def _tokens(self) -> SharedToken:
        if self._token is None:
            url = self._url(CloudLinkService.AUTHENTICATION, addresses.token())
            self._token = SharedToken(self._transport, url, self._account, self._tables, self._clock)
        return self._token

    def _url(self, service: CloudLinkService, path: str) -> str:
        return addresses.service_url(self._pattern, self._account.region, service) + path


def _body_of(response: CloudLinkResponse, service: CloudLinkService) -> Any:
    """The response's body. 404 means an unknown account on the admin service alone, whose paths name one."""
    match response.status:
        case status if status < 400:
            return response.body
        case 401:
            raise CredentialsWrong(Fault.CLOUDLINK_REFUSED)
        case 403:
            raise CredentialsWrong(Fault.CLOUDLINK_FORBIDDEN)
        case 404 if service is CloudLinkService.ADMIN:
            raise CredentialsWrong(Fault.CLOUDLINK_ACCOUNT_UNKNOWN)
    raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, status=response.status)


def _is_of_one_phone(error: SyncError) -> bool:
    """Whether CloudLink answers, but not about this phone: it may not be read, or its answer is broken."""
    return error.fault in OF_ONE_PHONE or error.context.get("status") == 500


def _joined(url: str, link: str) -> str:
    if link.isascii() and not set(link) & set(' \\<>"{}'):
        with suppress(ValueError):
            return urljoin(url, link)
    raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, field="_links.next")


def _fields(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE)
    return body


def _page(body: object) -> tuple[list[Any], str]:
    try:
        return page_items(body), next_link(body)
    except Malformed as error:
        unreadable = ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, field=error.field)
    raise unreadable
