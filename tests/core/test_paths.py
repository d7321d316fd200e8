"""HIVEMIND_HOME moves everything."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.paths import Paths


def _all(paths: Paths) -> list[Path]:
    names = [name for name, value in vars(Paths).items() if isinstance(value, property)]
    return [getattr(paths, name) for name in names]


def test_every_path_lies_under_the_root(tmp_path: Path) -> None:
    paths = Paths.from_env({"HOME": "/home/bob", "HIVEMIND_HOME": str(tmp_path / "x")})
    assert all(path.is_relative_to(tmp_path / "x") for path in _all(paths))
    assert len(set(_all(paths))) == len(_all(paths))
    assert paths.home == Path("/home/bob")


def test_without_the_variable_it_is_in_the_home() -> None:
    assert Paths.from_env({"HOME": "/home/bob"}).root == Path("/home/bob/.hivemind")
    assert Paths.from_env({"HOME": "/home/bob", "HIVEMIND_HOME": ""}).root == Path("/home/bob/.hivemind")


def test_a_relative_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Paths.from_env({"HOME": "/h", "HIVEMIND_HOME": "here"}).root == tmp_path / "here"


def test_folders_are_the_owners_only(tmp_path: Path) -> None:
    paths = Paths.from_env({"HOME": str(tmp_path), "HIVEMIND_HOME": str(tmp_path / "x")})
    paths.make()
    paths.make()
    for folder in (paths.root, paths.spool_new, paths.database.parent, paths.work):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@given(st.text(max_size=300))
def test_a_hostile_session_stays_in_its_folder(session_id: str) -> None:
    paths = Paths(root=Path("/r"), home=Path("/h"))
    file = paths.session_file("claude", session_id)
    assert file.parent == paths.injected
    assert len(file.name) <= 110
    assert file.name.isascii()
