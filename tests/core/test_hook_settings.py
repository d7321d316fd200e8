"""What install writes is what the hook reads."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.hook_settings import TEXT, HookSettings, Saying, write
from hivemind_cli.core.records import Moment

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\n\x1f,:"), min_size=1, max_size=20)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\n\x1f,:="), min_size=1, max_size=20)
SAYING = st.builds(
    Saying,
    NAME,
    NAME,
    st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\n\x1f")), WORD).map(TEXT.join),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
SETTINGS = st.builds(
    HookSettings,
    capture=st.booleans(),
    only_cli=st.booleans(),
    recall=st.booleans(),
    deadline_ms=st.integers(0, 10**6),
    deadline_start_ms=st.integers(0, 10**6),
    daemon=st.lists(WORD, max_size=4).map(tuple),
    env=st.lists(WORD, max_size=4).map(tuple),
    wait=st.lists(st.tuples(WORD, WORD, st.sampled_from(Moment)), max_size=4).map(tuple),
    wake=st.lists(st.tuples(WORD, WORD), max_size=4).map(tuple),
    say=st.lists(SAYING, max_size=4, unique_by=lambda one: (one.host, one.event)).map(tuple),
)


@given(SETTINGS)
def test_what_is_rendered_is_parsed(settings: HookSettings) -> None:
    assert HookSettings.parse(settings.render()) == settings


@given(st.binary(max_size=200))
def test_any_bytes_are_settings(raw: bytes) -> None:
    HookSettings.parse(raw)


def test_damage_means_capture_only() -> None:
    for raw in (
        b"",
        b"\xff\xfe\0",
        b"capture\nrecall=yes\ndeadline_ms=-1\nwait=a:b:never,x\nwake=a\nsay:a:b=9 {\nsay:a=1 1 \x1f\n",
    ):
        assert HookSettings.parse(raw) == HookSettings()
    assert HookSettings() == HookSettings(capture=True, recall=False, daemon=())


def test_an_interpreter_whose_path_is_no_text_survives() -> None:
    settings = HookSettings(daemon=("/opt/\udcff/python", "-m", "x"))
    assert b"daemon=/opt/\xff/python\x1f-m\x1fx\n" in settings.render()
    assert HookSettings.parse(settings.render()) == settings


@pytest.mark.parametrize(
    "settings",
    [
        HookSettings(daemon=("a\nrecall=1",)),
        HookSettings(daemon=("a\x1fb",)),
        HookSettings(env=("A,B",)),
        HookSettings(wake=(("a:b", "c"),)),
        HookSettings(wait=(("a", "b,c", Moment.PROMPT),)),
        HookSettings(env=("A" * 70_000,)),
        HookSettings(say=(Saying("a", "b", "no hole", 1, 1),)),
        HookSettings(say=(Saying("a", "b", TEXT + TEXT, 1, 1),)),
        HookSettings(say=(Saying("a", "b=c", TEXT, 1, 1),)),
        HookSettings(say=(Saying("a:b", "c", TEXT, 1, 1),)),
        HookSettings(say=(Saying("a", "b", TEXT + "\n", 1, 1),)),
    ],
)
def test_what_the_hook_would_misread_is_refused(settings: HookSettings) -> None:
    with pytest.raises(ConfigError):
        settings.render()


def test_it_is_written_once_and_privately(tmp_path: Path) -> None:
    path = tmp_path / "bin" / "hook.settings"
    assert write(path, HookSettings(recall=True))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not write(path, HookSettings(recall=True))
    assert write(path, HookSettings())
    assert HookSettings.parse(path.read_bytes()) == HookSettings()
    assert [file.name for file in path.parent.iterdir()] == ["hook.settings"]
