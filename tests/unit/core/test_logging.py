import errno
import json
import logging
import warnings
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import jwt
import pytest
import structlog
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from core.logging import (
    HIDDEN,
    LONGEST_NAME,
    LONGEST_TEXT,
    MAX_ITEMS,
    TOO_LONG,
    configure_logging,
    describe_error,
    sanitize,
)
from storage.encryption import Encryption
from tests.support.captured_log import captured_log
from tests.support.properties import unhurried

KEY = Fernet.generate_key().decode()
SEALED = Encryption([KEY]).encrypt("a client's secret", b"")
BARE = Fernet(KEY).encrypt(b"a client's secret").decode()
TOKEN = jwt.encode({"oid": "a person", "roles": ["Presence.ReadWrite.All"]}, "k" * 32)
WEBHOOK = "Zq3x-0d9sKf_2LmVbT7yPqRw8uEoHnJc5aGiXtB1M4k"
SECRET = "Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0"
SECRETS = (KEY, SEALED, BARE, TOKEN, WEBHOOK, SECRET)

log = structlog.get_logger()


def cleaned(**fields: Any) -> dict[str, Any]:
    return dict(sanitize(None, "", dict(fields)))


def test_fields_cannot_forge_lines_or_flood() -> None:
    found = cleaned(name="a\nb\x1b[31m" + "x" * 1000, count=3, **{"n" * 500 + "\n": 1})
    assert "\n" not in found["name"]
    assert "\x1b" not in found["name"]
    assert len(found["name"]) == LONGEST_TEXT
    assert found["count"] == 3
    assert {len(name) for name in found} == {4, 5, LONGEST_NAME}


def test_a_structure_is_cleaned_part_by_part() -> None:
    deep: Any = "the end"
    for _ in range(10):
        deep = {"in": deep}
    found = cleaned(facts={"a\nb": ["c\nd", {"client_secret": "e"}]}, deep=deep, many=list(range(1000)))
    assert found["facts"] == {"a�b": ["c�d", {"client_secret": HIDDEN}]}
    assert "the end" not in str(found["deep"])
    assert len(found["many"]) == MAX_ITEMS


def test_plain_values_stay_readable() -> None:
    at, name = datetime(2026, 11, 25, 12, tzinfo=UTC), UUID("8f14e45f-ceea-467f-a0e6-b5d1f4f9a1c3")
    found = cleaned(at=at, id=name, nothing=None, yes=True, seconds=0.25, integration="9c1d" * 8)
    assert found == {
        "at": str(at),
        "id": str(name),
        "nothing": None,
        "yes": True,
        "seconds": 0.25,
        "integration": "9c1d" * 8,
    }


def test_of_an_object_only_the_type_is_logged() -> None:
    class Settings:
        def __repr__(self) -> str:
            return f"Settings({SECRET})"

    assert cleaned(it=Settings(), body=SECRET.encode()) == {"it": "[Settings]", "body": "[bytes]"}


@pytest.mark.parametrize(
    "name",
    [
        "client_secret",
        "Authorization",
        "access_token",
        "value",
        "BOT_APP_PASSWORD",
        "Set-Cookie",
        "client_assertion",
    ],
)
def test_a_field_of_a_secrets_name_is_hidden_whatever_it_holds(name: str) -> None:
    assert cleaned(**{name: "abc"}) == {name: HIDDEN}
    assert cleaned(**{name: ["abc", {"x": 1}]}) == {name: HIDDEN}


@pytest.mark.parametrize("secret", SECRETS, ids=["key", "sealed", "bare", "token", "webhook", "secret"])
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "refused: {}",
        "Bearer {}",
        "Authorization: bearer {}",
        "POST /webhooks/cloudlink/{} HTTP/1.1",
        "GET https://bot.example.com/exports/{}?x=1",
        "client_id=app&client_secret={}&grant_type=client_credentials",
        '{{"client_secret": "{}"}}',
        "postgresql://bot:{}@database/presence",
    ],
)
def test_a_secret_inside_a_text_is_hidden(text: str, secret: str) -> None:
    found = str(cleaned(said=text.format(secret))["said"])
    assert HIDDEN in found
    assert not any(secret[start : start + 12] in found for start in range(len(secret) - 11))


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("client_secret=hunter2&x=1", "hunter2"),
        ("'password': 'short one'", "short one"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("postgresql://bot:pw@database/presence", "bot:pw"),
    ],
)
def test_a_short_secret_is_recognised_by_its_context(text: str, hidden: str) -> None:
    assert hidden not in cleaned(said=text)["said"]


@pytest.mark.parametrize(
    "text",
    [
        "Listening on http://127.0.0.1:3978",
        "8f14e45f-ceea-467f-a0e6-b5d1f4f9a1c3",
        "jobs.py:104 > reconciler.py:96 > presence.py:71",
        "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "AADSTS7000222",
        "Não foi possível ligar ao inquilino",
    ],
)
def test_what_is_no_secret_is_not_changed(text: str) -> None:
    assert cleaned(said=text) == {"said": text}


def test_a_text_too_long_to_search_is_left_out() -> None:
    assert cleaned(said="x " * 20_000) == {"said": TOO_LONG}


def opaque(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@unhurried
@given(fields=st.dictionaries(st.text(), anything, max_size=6))
def test_whatever_is_logged_is_one_line_of_json(fields: dict[str, Any]) -> None:
    line = json.dumps(sanitize(None, "", fields), allow_nan=False)
    assert line.isprintable()
    assert isinstance(json.loads(line), dict)


@unhurried
@given(
    before=st.text(max_size=400),
    after=st.text(max_size=400),
    content=st.binary(min_size=32, max_size=64),
    kind=st.sampled_from(["Bearer {}", "/webhooks/cloudlink/{}", "client_secret={}", "eyJ{}.{}.{}", "gAAAAA{}"]),
)
def test_no_secret_is_logged_whatever_surrounds_it(before: str, after: str, content: bytes, kind: str) -> None:
    secret = opaque(content)
    text = f"{before} {kind.format(secret, secret, secret)} {after}"
    found = json.dumps(sanitize(None, "", {"event": text, "facts": {"said": [text]}, text: 1}))
    assert secret not in found


def test_libraries_log_the_same_way() -> None:
    with captured_log("info") as found:
        logging.getLogger("msal").warning("answer: %s", {"access_token": TOKEN})
        logging.getLogger("httpx").error("GET\n%s", f"https://vault/?sig={SECRET}")
        logging.getLogger("procrastinate").info("below the level")
        logging.getLogger("asyncio").warning("%d of %s", "not a number")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", stacklevel=1)
    assert not any(secret in found.text for secret in SECRETS)
    assert [line.get("logger") for line in found.lines()] == ["msal", "httpx", "asyncio", "py.warnings"]
    assert [line["level"] for line in found.lines()][:2] == ["warning", "error"]


def test_of_an_exception_type_and_place_are_kept_and_no_word() -> None:
    with captured_log() as found:
        try:
            raise ValueError(f"cannot read hunter2 {TOKEN}")
        except ValueError:
            log.exception("it_failed")
            logging.getLogger("aiohttp.server").exception("Error handling request")
            log.error("once_more", exc_info=True, stack_info=True)
    assert len(found.lines()) == 3
    assert all(line["error"] == "ValueError" and "test_logging.py:" in line["where"] for line in found.lines())
    assert "hunter2" not in found.text


def test_an_error_without_a_code_says_its_type_and_its_cause() -> None:
    error = RuntimeError("hunter2")
    assert describe_error(error) == "RuntimeError"
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "hunter2")
    assert describe_error(error) == "RuntimeError(ECONNREFUSED)"
    error.__cause__ = ValueError("hunter2")
    assert describe_error(error) == "RuntimeError(ValueError)"


def test_text_for_people_is_sanitized_too() -> None:
    stream = StringIO()
    with captured_log():
        configure_logging("info", "text", stream)
        log.info("it_happened", client_secret="hunter2", peer="a\nb")
        log.debug("below the level")
    assert len(stream.getvalue().splitlines()) == 1
    assert "hunter2" not in stream.getvalue()
