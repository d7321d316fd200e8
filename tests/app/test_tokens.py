"""Bearer tokens: said once, kept as a hash, scoped, revoked at once."""

import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivemind_cli.app.tokens import Access, Token, Tokens
from hivemind_cli.core import redact
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def paths(own_home: Path) -> Paths:
    return Paths(root=own_home / ".hivemind", home=own_home)


def test_a_token_is_known_by_what_was_said_and_by_nothing_else(paths: Paths) -> None:
    tokens = Tokens(paths)
    said, token = tokens.create("ci", ["shop", "shop"], Access.READ)
    assert tokens.check(said) == token and token.workspaces == ("shop",) and not token.may_write
    assert token.may_use("shop") and not token.may_use("payments")
    head, _, secret = said.rpartition("_")
    wrong = [said[:-1] + ("a" if said[-1] != "a" else "b"), f"{head}_{secret[:-1]}", said.upper(), f" {said}", head]
    assert [tokens.check(one) for one in [*wrong, "", "hmt_", token.id, token.sha256, "\ud800", said + "\n"]] == [
        None
    ] * 11


def test_only_its_hash_is_kept_and_for_nobody_else_to_read(paths: Paths) -> None:
    said, token = Tokens(paths).create("ci", ["*"], Access.WRITE)
    kept = paths.tokens.read_text()
    assert said not in kept and said.rpartition("_")[2] not in kept and token.sha256 in kept
    assert stat.S_IMODE(paths.tokens.stat().st_mode) == 0o600
    assert said not in repr(token) and "sha256" not in token.told() and token.may_use("anything")
    assert said not in redact.text(f"curl -d @x http://localhost/?t={said} # {said}")


def test_what_another_process_revokes_is_refused_at_once(paths: Paths) -> None:
    server, person = Tokens(paths), Tokens(paths)
    said, token = person.create("ci", ["shop"], Access.READ)
    other, _ = person.create("laptop", ["shop"], Access.READ)
    assert server.check(said) == token
    assert person.revoke("ci") == token
    assert server.check(said) is None and server.check(other) is not None
    assert [one.name for one in server.known()] == ["laptop"]
    paths.tokens.unlink()
    assert server.check(other) is None


def test_it_ends_when_it_was_to_end(paths: Paths) -> None:
    now = [NOW]
    tokens = Tokens(paths, clock=lambda: now[0])
    said, token = tokens.create("ci", ["shop"], Access.READ, expires_at=NOW + timedelta(hours=1))
    assert tokens.check(said) == token
    now[0] += timedelta(hours=1)
    assert tokens.check(said) is None and Tokens(paths).known() == [token]


@pytest.mark.parametrize(
    ("name", "workspaces", "said"),
    [
        ("", ["shop"], "cannot be called"),
        ("x" * 61, ["shop"], "cannot be called"),
        ("a\nb", ["shop"], "cannot be called"),
        ("taken", ["shop"], "no other token has it"),
        ("ci", [], "one workspace or more"),
        ("ci", ["shop", "../x"], "'../x' is no workspace"),
        ("ci", ["Shop"], "lower case"),
    ],
)
def test_what_will_not_do_is_refused_and_nothing_written(
    paths: Paths, name: str, workspaces: list[str], said: str
) -> None:
    tokens = Tokens(paths)
    tokens.create("taken", ["shop"], Access.READ)
    before = paths.tokens.read_bytes()
    with pytest.raises(ConfigError, match=said):
        tokens.create(name, workspaces, Access.READ)
    assert paths.tokens.read_bytes() == before


def test_no_error_repeats_what_may_be_a_token(paths: Paths) -> None:
    tokens = Tokens(paths)
    said, _ = tokens.create("ci", ["shop"], Access.READ)
    with pytest.raises(ConfigError) as told:
        tokens.revoke(said)
    assert said not in str(told.value) and tokens.check(said)
    paths.tokens.write_text('{"tokens": [{"id": "' + said)
    with pytest.raises(ConfigError, match="cannot be read") as told:
        tokens.check(said)
    assert said not in str(told.value)


def test_those_made_at_the_same_time_are_all_kept(paths: Paths) -> None:
    made: list[tuple[str, Token]] = []

    def make(name: str) -> None:
        made.append(Tokens(paths).create(name, ["shop"], Access.READ))

    threads = [threading.Thread(target=make, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = Tokens(paths)
    assert len(made) == 8 and all(tokens.check(said) == token for said, token in made)
