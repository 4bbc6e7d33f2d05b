"""Tokens with real signatures, each wrong in one way."""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from tests.support.bot.hosting import APP_ID, Bot, open_bot

pytestmark = pytest.mark.usefixtures("framework")


async def _refused(bot: Bot, token: str) -> str:
    """The logged reason of a 401; neither the response nor the log reveals a part of the token."""
    with capture_logs() as logs:
        assert await bot.post(bot.activity(), token=token) == (401, None)
    (line,) = logs
    assert all(part not in json.dumps(line) for part in token.split(".") if part)
    assert bot.turns == []
    return str(line["reason"])


async def test_a_good_token_is_accepted() -> None:
    async with open_bot() as bot:
        assert await bot.post(bot.activity()) == (200, None)
        assert len(bot.turns) == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "token_InvalidIssuerError"),
        ({"iss": "https://api.botframework.com/"}, "token_InvalidIssuerError"),
        ({"aud": [APP_ID]}, "token_InvalidAudienceError"),
        ({"aud": APP_ID.upper() + " "}, "token_InvalidAudienceError"),
        ({"serviceurl": ""}, "token_service_url"),
        ({"serviceurl": ["https://smba.trafficmanager.net/"]}, "token_service_url"),
        ({"nbf": "soon"}, "token_nbf"),
        ({"exp": None}, "token_MissingRequiredClaimError"),
        ({"aud": "another-app"}, "token_InvalidAudienceError"),
        ({"aud": [APP_ID, "another-app"]}, "token_InvalidAudienceError"),
        ({"serviceurl": "https://smba.trafficmanager.net/other/"}, "token_service_url"),
        ({"serviceurl": 3}, "token_service_url"),
        ({"exp": "never"}, "token_exp"),
        ({"exp": True}, "token_exp"),
        ({"exp": float("inf")}, "token_exp"),
        ({"nbf": []}, "token_nbf"),
    ],
)
async def test_a_wrong_claim_is_refused(changed: dict[str, Any], reason: str) -> None:
    async with open_bot() as bot:
        assert await _refused(bot, bot.token(**changed)) == reason


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "serviceurl"])
async def test_a_missing_claim_is_refused(claim: str) -> None:
    async with open_bot() as bot:
        await _refused(bot, bot.token(drop=(claim,)))


async def test_clocks_may_differ_by_five_minutes_and_no_more() -> None:
    async with open_bot() as bot:
        token = bot.token()
        bot.clock.advance(hours=1, minutes=4, seconds=59)
        assert (await bot.post(bot.activity(), token=token))[0] == 200
        bot.turns.clear()
        bot.clock.advance(seconds=1)
        assert await _refused(bot, token) == "token_expired"
        later = int((bot.clock() + timedelta(minutes=5, seconds=1)).timestamp())
        assert await _refused(bot, bot.token(nbf=later)) == "token_not_yet_valid"
        assert (await bot.post(bot.activity(), token=bot.token(nbf=later - 1)))[0] == 200


@pytest.mark.parametrize(
    ("replaced_by", "reason"), [("key-1", "token_InvalidSignatureError"), ("key-2", "token_key_unknown")]
)
async def test_a_token_that_was_accepted_is_refused_once_its_key_is_withdrawn(
    replaced_by: str, reason: str
) -> None:
    """Also where another key has its id by now."""
    async with open_bot() as bot:
        token = bot.token()
        for _ in range(2):
            assert (await bot.post(bot.activity(), token=token))[0] == 200
        bot.turns.clear()
        another = rsa.generate_private_key(65537, 2048)
        bot.issuer.roll_over(replaced_by)
        bot.issuer.keys[replaced_by] = (another, ["msteams"])
        bot.clock.advance(minutes=2)
        bot.issuer.add_key("key-3")
        assert (await bot.post(bot.activity(), token=bot.token()))[0] == 200
        bot.turns.clear()
        assert await _refused(bot, token) == reason


async def test_altered_claims_are_refused_with_the_signature_of_an_accepted_token() -> None:
    async with open_bot() as bot:
        token = bot.token()
        assert (await bot.post(bot.activity(), token=token))[0] == 200
        bot.turns.clear()
        head, _, signature = token.split(".")
        _, payload, _ = bot.token(serviceurl="https://smba.trafficmanager.net/").split(".")
        assert await _refused(bot, f"{head}.{payload}.{signature}") == "token_InvalidSignatureError"


async def test_an_unsigned_token_is_refused() -> None:
    async with open_bot() as bot:
        claims = jwt.decode(bot.token(), options={"verify_signature": False})
        unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "key-1"})
        assert await _refused(bot, unsigned) == "token_algorithm"


async def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() -> None:
    async with open_bot() as bot:
        claims = jwt.decode(bot.token(), options={"verify_signature": False})
        forged = jwt.encode(
            claims, "public key bytes, thirty-two or more", algorithm="HS256", headers={"kid": "key-1"}
        )
        assert await _refused(bot, forged) == "token_algorithm"


async def test_a_token_signed_with_the_very_public_key_by_hmac_is_refused() -> None:
    """By hand: the library would not make one."""
    async with open_bot() as bot:
        public = bot.issuer.keys["key-1"][0].public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _, payload, _ = bot.token().split(".")
        for algorithm in ("HS256", "hs256", "RS256"):
            head = _encoded(json.dumps({"alg": algorithm, "typ": "JWT", "kid": "key-1"}).encode())
            signature = hmac.new(pem, f"{head}.{payload}".encode(), "sha256").digest()
            reason = await _refused(bot, f"{head}.{payload}.{_encoded(signature)}")
            expected = "token_InvalidSignatureError" if algorithm == "RS256" else "token_algorithm"
            assert reason == expected


async def test_a_key_that_the_token_brings_itself_is_not_used() -> None:
    async with open_bot() as bot:
        own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        claims = jwt.decode(bot.token(), options={"verify_signature": False})
        jwk = RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
        brought = {"kid": "key-1", "jwk": jwk, "jku": f"{bot.issuer.url}/evil", "x5u": f"{bot.issuer.url}/evil"}
        assert await _refused(bot, jwt.encode(claims, own, "RS256", brought)) == "token_InvalidSignatureError"


async def test_a_token_that_is_no_object_is_refused() -> None:
    async with open_bot() as bot:
        for payload in (b"[]", b'"claims"', b"null", b"{", b"\xff"):
            assert await _refused(bot, _signed(bot, payload)) == "token_DecodeError"


@pytest.mark.parametrize("changed", [{"iss": ["https://api.botframework.com"]}, {"iss": 7}, {"aud": {}}])
async def test_a_claim_of_the_wrong_type_is_refused(changed: dict[str, Any]) -> None:
    """Signed by hand: the library would not make one."""
    async with open_bot() as bot:
        claims = jwt.decode(bot.token(), options={"verify_signature": False})
        await _refused(bot, _signed(bot, json.dumps(claims | changed).encode()))


def _signed(bot: Bot, payload: bytes) -> str:
    signed = f"{bot.token().split('.')[0]}.{_encoded(payload)}"
    signature = bot.issuer.keys["key-1"][0].sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_encoded(signature)}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_another_rsa_algorithm_is_refused() -> None:
    async with open_bot() as bot:
        claims = jwt.decode(bot.token(), options={"verify_signature": False})
        private = bot.issuer.keys["key-1"][0]
        assert await _refused(bot, jwt.encode(claims, private, "PS256", {"kid": "key-1"})) == "token_algorithm"


async def test_changed_claims_break_the_signature() -> None:
    async with open_bot() as bot:
        head, payload, signature = bot.token().split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        claims["exp"] += 3600
        changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        assert await _refused(bot, f"{head}.{changed}.{signature}") == "token_InvalidSignatureError"


async def test_a_key_not_endorsed_for_the_channel_is_refused() -> None:
    async with open_bot() as bot:
        bot.issuer.add_key("other-channel", ["webchat"])
        bot.issuer.add_key("no-channel", [])
        assert await _refused(bot, bot.token(key_id="other-channel")) == "token_endorsement"
        assert await _refused(bot, bot.token(key_id="no-channel")) == "token_endorsement"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_key_that_is_too_short_is_ignored() -> None:
    async with open_bot() as bot:
        bot.issuer.add_key("short", bits=1024)
        assert await _refused(bot, bot.token(key_id="short")) == "token_key_unknown"


async def test_a_token_without_key_id_is_refused() -> None:
    async with open_bot() as bot:
        claims = jwt.decode(bot.token(), options={"verify_signature": False})
        assert await _refused(bot, jwt.encode(claims, bot.issuer.keys["key-1"][0], "RS256")) == "token_key_unknown"


async def test_an_unreachable_issuer_refuses_all_and_is_retried_after_ten_seconds() -> None:
    async with open_bot() as bot:
        bot.issuer.down = True
        with capture_logs():
            assert (await bot.post(bot.activity()))[0] == 401
            bot.issuer.down = False
            assert (await bot.post(bot.activity()))[0] == 401
            bot.clock.advance(seconds=10)
            assert (await bot.post(bot.activity()))[0] == 200
