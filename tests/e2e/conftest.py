"""What the end-to-end tests need of the machine: the real clients, and a namespace to keep them in."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.e2e import client
from tests.e2e.world import HIVEMIND, World


@dataclass(frozen=True, slots=True)
class Grounds:
    """How to run the client on this machine."""

    client: Path
    namespaces: tuple[str, ...]


def _kept() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("HIVEMIND_E2E_CLIENTS") or f"{folder}/hivemind-e2e")


def _grounds(host: str, kept: Path) -> Grounds:
    try:
        client.require("git", "tmux")
        return Grounds(client.program(kept, client.PACKAGES[host]), tuple(client.namespaces()))
    except client.Unavailable as missing:
        if os.environ.get("HIVEMIND_E2E_REQUIRED") == "1":
            pytest.fail(f"HIVEMIND_E2E_REQUIRED=1, but: {missing}", pytrace=False)
        pytest.skip(f"no end-to-end test here: {missing}")


@pytest.fixture(scope="session")
def claude_client() -> Grounds:
    """Claude Code, installed from npm on first use, and the right to make namespaces.

    HIVEMIND_E2E_CLIENTS   where clients are kept; default: hivemind-e2e in the user's cache folder
    HIVEMIND_E2E_REQUIRED  1: what is missing fails the tests; else they are skipped and say why
    """
    return _grounds("claude", _kept())


@pytest.fixture(scope="session")
def client_of() -> Callable[[str], Grounds]:
    """The same for any host's client (client.py), by the host's id."""
    kept = _kept()  # now: a test has a home of its own

    @cache
    def of(host: str) -> Grounds:
        return _grounds(host, kept)

    return of


@pytest.fixture(scope="session")
def new_world(claude_client: Grounds, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """Makes a fresh world; `cli` stands in for the hivemind command."""

    def make(cli: tuple[str, ...] = HIVEMIND) -> World:
        return World(tmp_path_factory.mktemp("world"), claude_client.client, claude_client.namespaces, cli)

    return make
