"""The cards about credentials in every distinct state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

from bot.activity import Card
from bot.cards.credentials import certificate, rotation
from bot.cards.field_errors import FormError, Links, form_error
from bot.cards.validation import failed_check
from bot.languages import Texts
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import CredentialKind, ExpirySource, IntegrationView
from sync.domain.rotation import (
    CredentialChoices,
    NewCertificate,
    OldSecretLeft,
    RotationKind,
    RotationStep,
    RotationView,
)
from tests.cards.gallery.names import LONG_INTEGRATION

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINKS = Links()
AWAY = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
PEM = "-----BEGIN CERTIFICATE-----\n" + ("MIIC" * 16 + "\n") * 40 + "-----END CERTIFICATE-----\n"


def samples(texts: Texts, view: IntegrationView, wrong: FormError) -> Iterator[tuple[str, Card]]:
    """``wrong`` is an error of the whole card."""
    typed = {"description": view.name, "expires_on": "2026-05-31"}
    late = form_error(AWAY, texts, LINKS, view.client_id)
    is_id = form_error(CredentialsWrong(Fault.ENTRA_SECRET_IS_ID), texts, LINKS, view.client_id)
    every = [is_id, failed_check(texts, "past", "expires_on")]
    yield "rotate", rotation.form(texts, view, {}, LINKS, offer_for_me=True)
    of_long = replace(view, name=LONG_INTEGRATION)
    yield "rotate_worst", rotation.form(texts, of_long, typed, LINKS, every, offer_for_me=True)
    nothing = FormError(texts("rotate.nothing_yet"), texts("rotate.nothing_yet.remedy"))
    yield "rotate_nothing_yet", rotation.form(texts, view, {}, LINKS, [nothing], offer_for_me=True)
    yield "rotate_checking", rotation.checking(texts, view)
    yield (
        "rotate_swapped",
        rotation.replaced(texts, view, _rotation(RotationKind.MANUAL, RotationStep.PROVE), LINKS),
    )
    yield (
        "rotate_held_up",
        rotation.replaced(texts, view, _rotation(RotationKind.MANUAL, RotationStep.WAIT), LINKS, late),
    )
    proven = replace(_rotation(RotationKind.MANUAL, RotationStep.DONE), expires_on=None)
    yield "rotate_proven", rotation.replaced(texts, view, proven, LINKS)
    yield "rotate_for_me", rotation.for_me_asked(texts, view, [])
    yield (
        "rotate_for_me_monitors",
        rotation.for_me_asked(texts, view, ["Lobby", "Attic", "Waiting room, second floor"]),
    )
    for step in (*rotation.SHOWN_STEPS, RotationStep.DONE, RotationStep.FAILED):
        going = _rotation(RotationKind.ON_REQUEST, step)
        going = replace(going, error=AWAY) if step is RotationStep.FAILED else going
        yield f"rotate_for_me_{step}", rotation.progress(texts, view, going, LINKS, late)
    going = _rotation(RotationKind.ON_REQUEST, RotationStep.SWAP)
    yield "rotate_for_me_going", rotation.progress(texts, view, going, LINKS)
    for why in OldSecretLeft:
        left = replace(_rotation(RotationKind.ON_REQUEST, RotationStep.DONE), old_left=why)
        sharing = ["Porto office"] if why is OldSecretLeft.SHARED else []
        yield f"rotate_for_me_old_left_{why}", rotation.progress(texts, view, left, LINKS, sharing=sharing)
    left = replace(_rotation(RotationKind.ON_REQUEST, RotationStep.DONE), old_left=OldSecretLeft.SHARED)
    many = ["Porto office", "Lisbon", LONG_INTEGRATION, "Faro", "Braga", "Évora", "Coimbra"]
    yield "rotate_for_me_old_left_shared_many", rotation.progress(texts, view, left, LINKS, sharing=many)
    yield "rotate_under_way", rotation.under_way(texts, view)
    yield "auto_rotate_off", rotation.automatic(texts, view, True, LINKS)
    yield "auto_rotate_on", rotation.automatic(texts, replace(view, auto_rotate=True), True, LINKS)
    yield "auto_rotate_impossible", rotation.automatic(texts, view, False, LINKS, ["Lobby"])
    certified = replace(view, credential=CredentialKind.CERTIFICATE, expiry_source=ExpirySource.CERTIFICATE)
    yield "auto_rotate_no_secret", rotation.automatic(texts, certified, False, LINKS)
    yield from _certificates(texts, view, certified, wrong)


def _certificates(
    texts: Texts, view: IntegrationView, certified: IntegrationView, wrong: FormError
) -> Iterator[tuple[str, Card]]:
    refused = CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNKNOWN, thumbprint="ABABABAB")
    unknown = form_error(refused, texts, LINKS, view.client_id)
    yield "certificate", certificate.choose(texts, view, CredentialChoices(False, False))
    yield "certificate_all", certificate.choose(texts, certified, CredentialChoices(True, True), unknown)
    made = NewCertificate(PEM, "AB" * 20, date(2027, 11, 22))
    yield "certificate_upload", certificate.handed_out(texts, view, made, LINKS)
    file = "https://bot.example/certificates/x"
    yield "certificate_file", certificate.handed_out(texts, view, made, LINKS, file)
    yield (
        "certificate_upload_wrong",
        certificate.handed_out(texts, replace(view, name=LONG_INTEGRATION), made, LINKS, "", unknown),
    )
    for kind in (CredentialKind.CERTIFICATE, CredentialKind.FEDERATED):
        done = replace(_rotation(RotationKind.MANUAL, RotationStep.DONE), credential=kind)
        done = replace(done, expires_on=None) if kind is CredentialKind.FEDERATED else done
        yield f"certificate_now_{kind}", certificate.progress(texts, view, done, LINKS)
    over = _rotation(RotationKind.MANUAL, RotationStep.FAILED)
    yield "certificate_failed", certificate.progress(texts, view, over, LINKS, unknown)
    waits = _rotation(RotationKind.MANUAL, RotationStep.WAIT)
    yield "certificate_waits", certificate.progress(texts, view, waits, LINKS, unknown)
    yield (
        "certificate_proving",
        certificate.progress(
            texts,
            certified,
            replace(_rotation(RotationKind.MANUAL, RotationStep.PROVE), credential=CredentialKind.CERTIFICATE),
            LINKS,
        ),
    )


def _rotation(kind: RotationKind, step: RotationStep) -> RotationView:
    ended = NOW if step in (RotationStep.DONE, RotationStep.FAILED) else None
    return RotationView("0" * 32, "1" * 32, kind, step, date(2027, 5, 31), None, NOW, ended)


FAILED = _rotation(RotationKind.ON_REQUEST, RotationStep.FAILED)
"""A rotation by the bot that failed; why is added."""
