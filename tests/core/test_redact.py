"""Secrets are gone whole; everything else is untouched."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core import redact
from tests.core.secrets import CORPUS, Secret

ORDINARY = [
    "No, we use tabs in this repository, never spaces.",
    "please add a password field to the login form and make it required",
    "the token count is 12000, keep max_tokens: 4096 and tokens_max=400",
    "commit 2fac3f1d0b6c9f1a7e21d0c4a2f39f7d1c2b3a4d broke it, see sha256:"
    + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "session 01JD3Z8K5Q7W9X2Y4V6T8R0PAB, request 7b6f3c9e-1d2a-4c5b-8e9f-0a1b2c3d4e5f failed",
    'session_id=7b6f3c9e-1d2a-4c5b-8e9f-0a1b2c3d4e5f cache_key="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"',
    '"integrity": "sha512-b8UmeTGsCkGdYyfQ0hjvQ0T2k9G0n4zW0bM3L8nVJt1aYk9hOe3Q6dW8mC2sR7xP5uE1iN4oT6yB9vK3fZ0aLg=="',
    "def login(user: str, password: str, token: str | None = None) -> Session:",
    "const token = req.headers.authorization; const secret = process.env.SECRET;",
    'password = os.environ["DB_PASSWORD"]; api_key = settings.api_key',
    "  password: string;\n  secret: Buffer;\n  token?: string\n  apiKey: config.apiKey,",
    "API_KEY=${API_KEY}\nTOKEN=<your-token>\nDB_PASSWORD=\nSECRET=***\nPASSWORD=$(pass show db)\n",
    "Authorization: Bearer ${token}\nAuthorization: Bearer <token>\nBasic authentication is off",
    "/home/bob/.ssh/id_ed25519 and private_key: /etc/ssl/private/server.pem, key_path=./keys/a.pem",
    "git clone https://github.com/o/r.git && git clone git@github.com:o/r.git; curl http://localhost:8080/?q=a@b.example",
    "docker run -u 1000:1000 --user app:app image; ssh -p 22 bob@host",
    "Wrong password. The key is on the left. A secret garden. Pass: 12, fail: 0. The key to success is work.",
    "Das Passwort ist zu kurz. Le mot de passe est vide. パスワードを入力してください。 密码错误。 пароль не подходит",
    "sk-loading-indicator-container-wrapper-element { display: none }",
    'if token == "(": depth += 1\nkeys = sorted(d, key=lambda pair: pair[1])',
    "key: dashboard.settings.title, hotkey: ctrl+shift+p, primary_key=True, foreign_key='users.id'",
    "const x = <private_route path='/a'/>; class A { private int secret; }",
    "npm install; pypi-server; hf_transfer; glpat; xoxb; AKIA; eyJ is how a JWT begins",
    "tokenizer.pad_token = tokenizer.eos_token  # 'next_token': 'abc123def456ghi789'",
]


def _gone(secret: Secret, redacted: str) -> bool:
    forms = {secret.value, json.dumps(secret.value)[1:-1], json.dumps(json.dumps(secret.value)[1:-1])[1:-1]}
    left = redacted.replace("redacted", "")
    return not any(form[i : i + 8] in left for form in forms for i in range(max(len(form) - 7, 1)) if _telling(form, i))


def _telling(form: str, i: int) -> bool:
    """Not a fragment of the frame around a key block, which is no secret."""
    return not any(word in form[max(0, i - 36) : i + 44] for word in ("-----BEGIN", "-----END"))


def test_the_corpus_has_sixty_secrets_of_twenty_kinds() -> None:
    assert len(CORPUS) >= 60
    assert len({secret.kind for secret in CORPUS}) >= 20
    assert {"prompt", "tool input", "tool output", "diff", "env", "json", "yaml", "shell"} <= {
        s.context for s in CORPUS
    }


@pytest.mark.parametrize("secret", CORPUS, ids=lambda s: f"{s.kind}-{s.context}")
class TestEverySecret:
    def test_is_gone_whole(self, secret: Secret) -> None:
        assert secret.value in secret.text or json.dumps(secret.value)[1:-1][:30] in secret.text.replace("\\\\", "\\")
        redacted = redact.text(secret.text)
        assert _gone(secret, redacted), redacted
        assert "[redacted:" in redacted or "[private]" in redacted
        assert redact.found(secret.text)

    def test_is_gone_from_a_document_inside_a_string(self, secret: Secret) -> None:
        redacted = redact.text(
            json.dumps({"a": json.dumps({"b": secret.text}, ensure_ascii=False)}, ensure_ascii=False)
        )
        assert _gone(secret, redacted), redacted

    def test_is_gone_from_a_payload(self, secret: Secret) -> None:
        payload: dict[str, Any] = {"input": {"steps": [1, {"text": f"first\n{secret.text}"}, None]}, "n": 2.5}
        redacted = redact.tree(payload)
        assert _gone(secret, json.dumps(redacted, ensure_ascii=False)), redacted
        assert redacted["input"]["steps"][0] == 1
        assert redacted["n"] == 2.5

    def test_is_redacted_once(self, secret: Secret) -> None:
        once = redact.text(secret.text)
        assert redact.text(once) == once
        assert redact.found(once) == []

    def test_leaves_the_words_around_it(self, secret: Secret) -> None:
        unclosed = secret.kind == "private" and "</private>" not in secret.text
        redacted = redact.text(f"before the secret\n{secret.text}\nafter the secret")
        assert redacted.startswith("before the secret\n")
        assert unclosed or secret.text.endswith("KEY") or redacted.endswith("after the secret") or "pem" in secret.kind


@pytest.mark.parametrize("ordinary", ORDINARY)
def test_ordinary_text_is_untouched(ordinary: str) -> None:
    assert redact.text(ordinary) == ordinary
    assert redact.found(ordinary) == []


def test_a_value_under_a_secret_name_is_redacted_whole() -> None:
    payload = {
        "password": "correct horse battery staple",
        "dbPassword": ["a b", {"x": "cd"}],
        "pin": 4,
        "passcode": 1234,
    }
    assert redact.tree(payload) == {
        "password": "[redacted:password]",
        "dbPassword": ["[redacted:password]", {"x": "[redacted:password]"}],
        "pin": 4,
        "passcode": "[redacted:password]",
    }


def test_names_beside_values_are_seen_in_any_shape() -> None:
    secret = "Zq8" + "Kd03mNv"
    for payload in (
        {"headers": {"Authorization": f"Bearer {secret}"}},
        {"headers": {"Cookie": f"sid={secret}"}},
        {"argv": ["tool", "--password", secret]},
        {"env": [{"name": "DB_PASSWORD", "value": secret}]},
        {"auth": {"user": "bob", "password": secret}},
        {"X-Api-Key": secret, "name": "x"},
    ):
        redacted = json.dumps(redact.tree(payload))
        assert secret not in redacted
        assert redact.found(payload)
        assert redact.tree(redact.tree(payload)) == redact.tree(payload)
    assert redact.tree({"auth": {"user": "bob1234567"}, "argv": ["--token-file", "x"]}) == {
        "auth": {"user": "bob1234567"},
        "argv": ["--token-file", "x"],
    }


def test_a_payload_without_secrets_keeps_its_value() -> None:
    payload = {"token": "the", "key": "Enter", "tokens": {"in": 5}, "secret": False, "password": None, "auth": "oauth2"}
    assert redact.tree(payload) == payload


def test_a_deep_payload_ends() -> None:
    value: Any = "x"
    for _ in range(5000):
        value = [value]
    text = str(redact.tree(value)).strip("[]'")
    assert text == "redacted:depth"
    shallow: Any = {"password": "hunter" + "2"}
    for _ in range(150):
        shallow = {"a": [shallow]} if _ % 2 else [shallow]
    assert "hunter" not in json.dumps(redact.tree(shallow))


def test_nested_and_unclosed_private_parts_are_removed() -> None:
    assert redact.text("a <private>b <private>c</private> d</private> e") == "a [private] e"
    assert redact.text("a <PRIVATE>b\nc") == "a [private]"
    assert redact.text("a \\u003cprivate\\u003eb\\u003c/private\\u003e c") == "a [private] c"
    assert redact.text("a </private> b") == "a </private> b"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([s.text for s in CORPUS] + ORDINARY) | st.text(max_size=40), max_size=6),
    st.text("\n \"'\\,", max_size=3),
)
def test_redaction_is_idempotent_and_never_raises(parts: list[str], joint: str) -> None:
    once = redact.text(joint.join(parts))
    assert redact.text(once) == once


@given(st.text(st.characters(), max_size=60))
def test_any_unicode_passes(value: str) -> None:
    redact.text(value)
    redact.text("\ud800" + value)


@pytest.mark.parametrize(
    "piece",
    [
        "sk-",
        "-----BEGIN A-----",
        "password=",
        "key='",
        "<private>",
        "://a:",
        "eyJaaaaaaaa.",
        "Bearer ",
        "a",
        "=\\",
        "login x password ",
    ],
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = piece * (262_144 // len(piece))
    start = time.process_time()  # not the clock: the machine may be busy with other tests
    redact.text(text)
    assert time.process_time() - start < 5


def test_ten_thousand_events_a_second() -> None:
    prose = "The build is green, 42 tests pass and src/app/main.py:17 reads the file twice; please look again.\n"
    lines = "\n".join((*ORDINARY[:6], ORDINARY[8], CORPUS[0].text))
    event = (prose * 10 + lines + prose * 40)[:4096]
    start = time.process_time()
    for _ in range(1000):
        redact.text(event)
    per_second = 1000 / (time.process_time() - start)
    print(f"{per_second:.0f} events a second")
    assert per_second > 3_000  # more than 10,000 on a quiet machine; this one may be shared by many tests
