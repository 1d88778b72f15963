"""The signature: password or passkey again, wrong ones counted, one effect however often it is pressed."""

from __future__ import annotations

import threading
from hashlib import sha256

import pytest
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.urls import reverse
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from readerstudy.audit.models import Entry
from readerstudy.reading.actions import start_session
from readerstudy.schedules.models import Presentation
from tests.factories import PASSWORD, World, answer, make_open, read_session

pytestmark = pytest.mark.django_db
SENT = {"printed_name": "R. Reader", "meaning": "on", "password": PASSWORD}


@pytest.fixture(autouse=True)
def no_attempts_yet() -> None:
    cache.clear()


@pytest.fixture
def world() -> World:
    """One reader whose first session is scored."""
    made = make_open(design={"readers": 1})
    read_session(made.readers[0], made.sessions()[0], sign=False)
    return made


@pytest.fixture
def reader(world: World) -> Client:
    client = Client()
    client.force_login(world.readers[0])
    return client


def page(world: World) -> str:
    return reverse("reading:finish", args=[world.sessions()[0].token])


def test_password_name_and_meaning_sign(world: World, reader: Client) -> None:
    content = reader.post(page(world), SENT).content.decode()
    assert "Session 1 is signed" in content and "appears in the worklist on its day" in content
    assert world.sessions()[0].signature["meaning"] == "I scored these images myself and stand by these scores."


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("printed_name", "required"), ("meaning", "required"), ("password", "Write your password")],
)
def test_nothing_may_be_missing(missing: str, sentence: str, world: World, reader: Client) -> None:
    assert sentence in reader.post(page(world), {**SENT, missing: ""}).content.decode()
    assert world.sessions()[0].signed_at is None


def test_wrong_passwords_are_limited(world: World, reader: Client) -> None:
    for _ in range(10):
        assert "not your password" in reader.post(page(world), {**SENT, "password": "wrong"}).content.decode()
    assert "Too many attempts" in reader.post(page(world), SENT).content.decode()
    assert world.sessions()[0].signed_at is None


def test_right_passwords_are_not_counted(world: World, reader: Client) -> None:
    for _ in range(9):
        reader.post(page(world), {**SENT, "password": "wrong"})
    assert "is signed" in reader.post(page(world), SENT).content.decode()


def test_the_page_says_how_many_images_are_left(reader: Client) -> None:
    made = make_open(design={"readers": 1, "fidelity": 0.5})
    start_session(made.readers[0], made.sessions()[0])
    for row in made.sessions()[0].presentations.filter(kind=Presentation.Kind.MAIN).order_by("position"):
        answer(made.readers[0], row)
    kept = Presentation.objects.filter(session=made.sessions()[0], kind=Presentation.Kind.FIDELITY).count()
    reader.force_login(made.readers[0])
    content = reader.get(page(made)).content.decode()
    assert f"{kept} images still have to be compared" in content and "no score yet" not in content
    assert "still ha" in reader.post(page(made), SENT).content.decode()
    half = make_open(design={"readers": 1})
    first = half.presentations()[0]
    reader.force_login(half.readers[0])
    start_session(half.readers[0], half.sessions()[0])
    answer(half.readers[0], first)
    assert "7 images have no score yet" in reader.get(page(half)).content.decode()


def test_signing_again_shows_the_signed_page(world: World, reader: Client) -> None:
    reader.post(page(world), SENT)
    assert "Session 1 is signed" in reader.post(page(world), {**SENT, "password": "wrong"}).content.decode()
    assert "Session 1 is signed" in reader.get(page(world)).content.decode()
    assert Entry.objects.filter(verb="session.sign").count() == 1


@pytest.mark.django_db(transaction=True)
def test_pressed_six_times_at_once_it_signs_once_and_all_see_the_signed_page() -> None:
    made = make_open(design={"readers": 1})
    read_session(made.readers[0], made.sessions()[0], sign=False)
    clients = [Client() for _ in range(6)]
    for client in clients:
        client.force_login(made.readers[0])
    barrier, seen = threading.Barrier(len(clients)), []

    def press(client: Client) -> None:
        barrier.wait()
        seen.append("Session 1 is signed" in client.post(page(made), SENT).content.decode())
        connections.close_all()

    threads = [threading.Thread(target=press, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * len(clients)
    assert Entry.objects.filter(verb="session.sign").count() == 1


def test_without_password_and_passkey_the_page_says_whom_to_ask(world: World, reader: Client) -> None:
    user = world.readers[0]
    user.set_unusable_password()
    user.save()
    reader.force_login(user)
    assert 'name="password"' not in reader.get(page(world)).content.decode()
    assert "ask the administrator" in reader.post(page(world), SENT).content.decode()


@pytest.mark.parametrize("sent", ["{}", "[]", "[1]", "null", "7", '"x"', "nonsense", '{"id": 7}', "[" * 5000,
    '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"AA","authenticatorData":"AA"}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":7,"authenticatorData":[],"signature":{}}}',
])  # fmt: skip
def test_what_is_no_answer_of_a_passkey_is_refused(sent: str, world: World, reader: Client) -> None:
    give_passkey(world)
    reader.get(page(world))
    content = reader.post(page(world), {**SENT, "password": "", "credential": sent}).content.decode()
    assert "was not accepted" in content
    assert world.sessions()[0].signed_at is None


def test_a_passkey_is_offered_to_its_owner_only(world: World, reader: Client) -> None:
    assert "passkey" not in reader.get(page(world)).content.decode()
    give_passkey(world)
    content = reader.get(page(world)).content.decode()
    assert 'id="passkey-options"' in content and "challenge" in content


def give_passkey(world: World) -> None:
    """A key that is registered, whose private half nobody has."""
    private = ec.generate_private_key(ec.SECP256R1())
    held = AttestedCredentialData.create(Aaguid(bytes(16)), b"a key", ES256.from_cryptography_key(private.public_key()))
    data = AuthenticatorData.create(sha256(b"testserver").digest(), AuthenticatorData.FLAG.AT, 0, held)
    attested = AttestationObject.create("none", data, {})
    client_data = CollectedClientData.create(CollectedClientData.TYPE.CREATE, b"challenge", "https://testserver")
    credential = {
        "id": websafe_encode(b"a key"), "rawId": websafe_encode(b"a key"), "type": "public-key",
        "response": {"clientDataJSON": client_data.b64, "attestationObject": websafe_encode(bytes(attested))},
    }  # fmt: skip
    WebAuthn.add(world.readers[0], "A key", credential)
