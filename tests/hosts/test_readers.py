"""What holds for every reader of session files of a line a thing: the same keys however often, bad input, links."""

import itertools
import json
import os
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.app.imported import Tally
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import READERS
from hivemind_cli.hosts.base import Reader, Seen, listening
from tests.hosts import sample_sessions as sample

HELD_BACK = {EventKind.REPLY, EventKind.SUBAGENT_STOP}


@pytest.fixture(params=sorted(sample.SESSIONS))
def host(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def reader(host: str) -> Reader:
    return READERS[host]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The host's own folder, as its variable would name it."""
    return tmp_path / "own"


@pytest.fixture
def session(host: str, folder: Path) -> Path:
    name, lines = sample.SESSIONS[host]
    return sample.write(folder / name, lines())


def counts(seen: list[Seen]) -> dict[str, int]:
    tally = Tally()
    for one in seen:
        tally.add(one)
    return tally.counts


def keys(seen: list[Seen]) -> list[str]:
    return [one.native_key for one in seen]


def test_the_same_session_is_counted_alike_in_every_host(reader: Reader, session: Path) -> None:
    seen = list(reader.read_transcript(session))
    assert counts(seen) == sample.COUNTS
    assert [one.payload["text"] for one in seen if one.kind is EventKind.PROMPT] == ["count the coins", "now the notes"]
    assert {one.session_id for one in seen} == {sample.THREAD}
    assert {one.cwd for one in seen} == {sample.FOLDER}
    assert all(one.occurred_at and one.occurred_at.tzinfo for one in seen)


def test_acts_are_in_words_no_host_owns(reader: Reader, session: Path) -> None:
    calls = [one.payload["act"] for one in reader.read_transcript(session) if one.kind is EventKind.TOOL_CALL]
    assert [(act["kind"], act.get("command", act.get("path"))) for act in calls[:3]] == [
        ("shell", "ls coins"), ("shell", "python3 total.py"), ("edit", "till.py"),
    ]  # fmt: skip
    assert calls[2]["text"].strip()


def test_a_failure_tells_its_error_a_refusal_who_and_an_edit_what_it_left(reader: Reader, session: Path) -> None:
    ends = {one.kind: one for one in reader.read_transcript(session) if one.payload.get("act")}
    assert "no" in ends[EventKind.TOOL_FAILURE].payload["error"]
    assert (ends[EventKind.TOOL_DENIED].payload["by"], ends[EventKind.TOOL_DENIED].payload["words"]) == ("person", "")
    left = ends[EventKind.TOOL_RESULT].payload["wrote"]
    assert left["path"] == f"{sample.FOLDER}/till.py"
    assert "total" in left["written"]


def test_nothing_is_told_twice_and_reading_again_tells_the_same(reader: Reader, session: Path) -> None:
    first = keys(list(reader.read_transcript(session)))
    assert [key for key, times in Counter(first).items() if times > 1] == []
    assert keys(list(reader.read_transcript(session))) == first


def test_a_growing_file_gives_the_same_keys(reader: Reader, session: Path) -> None:
    whole = session.read_bytes()
    all_keys = set(keys(list(reader.read_transcript(session))))
    for part in range(1, 12):
        session.write_bytes(whole[: len(whole) * part // 11])
        so_far = [one for one in reader.read_transcript(session) if one.kind not in HELD_BACK]
        assert set(keys(so_far)) <= all_keys


def test_exactly_one_reader_claims_a_session(host: str, session: Path) -> None:
    assert [name for name, one in READERS.items() if one.sessions_in(session)] == [host]


def test_the_whole_folder_is_found_oldest_first(reader: Reader, session: Path, folder: Path) -> None:
    newer = session.parent / session.name.replace("18-00", "19-00")
    if newer == session:
        newer = session.parent.parent / "newer" / session.name
    newer.parent.mkdir(exist_ok=True)
    newer.write_bytes(session.read_bytes())
    os.utime(session, (1, 1))
    assert list(reader.find_sessions(Path("/nonexistent"), config_dir=folder)) == [session, newer]


def test_a_link_out_of_the_hosts_folder_is_left_out(
    reader: Reader, session: Path, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.jsonl"
    session.rename(outside)
    session.symlink_to(outside)
    assert list(reader.find_sessions(Path("/nonexistent"), config_dir=folder)) == []


def test_sessions_that_were_moved_to_another_disk_behind_a_link_are_found(
    reader: Reader, session: Path, folder: Path, tmp_path: Path
) -> None:
    top = session.relative_to(folder).parts[0]
    if top == ".gemini":
        top = ".gemini/tmp"
    (folder / top).rename(tmp_path / "disk")
    (folder / top).symlink_to(tmp_path / "disk")
    assert list(reader.find_sessions(Path("/nonexistent"), config_dir=folder)) == [session]


def test_a_folder_named_like_a_session_is_none(reader: Reader, session: Path, folder: Path) -> None:
    session.unlink()
    session.mkdir()
    assert list(reader.find_sessions(Path("/nonexistent"), config_dir=folder)) == []
    assert reader.sessions_in(session) == ()
    with pytest.raises(OSError, match="directory"):
        list(reader.read_transcript(session))


def test_no_folder_no_sessions(reader: Reader, tmp_path: Path) -> None:
    assert list(reader.find_sessions(tmp_path)) == []


def test_a_file_that_waits_for_a_writer_is_nobodys(reader: Reader, session: Path) -> None:
    session.unlink()
    os.mkfifo(session)
    assert reader.sessions_in(session) == ()


def test_an_empty_file_tells_nothing(reader: Reader, session: Path) -> None:
    session.write_bytes(b"")
    assert list(reader.read_transcript(session)) == []
    assert reader.sessions_in(session) == ()


def test_half_a_last_line_is_passed_over_and_told(reader: Reader, session: Path) -> None:
    whole = keys(list(reader.read_transcript(session)))
    with session.open("ab") as file:
        file.write(b'{"type":"user.message","id":"half","data":{"conte')
    with listening() as told:
        assert keys(list(reader.read_transcript(session))) == whole
    assert told.skipped == {"line torn or strange": 1}
    assert told.bytes_read == session.stat().st_size


def test_zeros_of_a_lost_write_and_blank_lines_cost_nothing(reader: Reader, session: Path) -> None:
    whole = keys(list(reader.read_transcript(session)))
    lines = session.read_bytes().splitlines(keepends=True)
    session.write_bytes(b"\0" * 300 + b"".join(lines[:3]) + b"\n\r\n" + b"\0\0" + b"".join(lines[3:]) + b"\0" * 50)
    with listening() as told:
        assert keys(list(reader.read_transcript(session))) == whole
    assert not told.skipped


def test_bytes_that_are_no_utf8_cost_only_themselves(reader: Reader, session: Path) -> None:
    raw = session.read_bytes().replace(b"now the notes", b"caf\xe9 notes").replace(b"Counted.", b"\xff\xfeCounted.")
    session.write_bytes(b"\xef\xbb\xbf" + raw)
    prompts = [one.payload["text"] for one in reader.read_transcript(session) if one.kind is EventKind.PROMPT]
    assert prompts == ["count the coins", "caf\ufffd notes"]


def test_lines_that_stand_there_twice_are_told_once(host: str, reader: Reader, session: Path) -> None:
    lines = [line for line in sample.SESSIONS[host][1]() for _ in range(2)]
    if host == "codex":  # its prompts have no ids here: two equal prompts are two
        lines = [line for n, line in enumerate(lines) if n % 2 == 0 or "role" not in line["payload"]]
        lines = [line for n, line in enumerate(lines) if line not in lines[:n] or "item" not in line["payload"]]
    sample.write(session, lines)
    assert counts(list(reader.read_transcript(session))) == sample.COUNTS


def test_without_its_first_line_a_session_is_still_read(host: str, reader: Reader, session: Path) -> None:
    sample.write(session, sample.SESSIONS[host][1]()[1:])
    told = counts(list(reader.read_transcript(session)))
    assert told == sample.COUNTS
    if host != "gemini":  # whose other lines say too little of whose they are
        assert reader.sessions_in(session) == (session,)


def test_results_before_their_calls_lose_nothing_but_their_act(host: str, reader: Reader, session: Path) -> None:
    lines = sample.SESSIONS[host][1]()
    sample.write(session, [lines[0], *reversed(lines[1:])])
    told = Counter(one.kind for one in reader.read_transcript(session))
    assert (told[EventKind.PROMPT] + told[EventKind.STEER], told[EventKind.INTERRUPT]) == (2, 1)


def fields_of(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Paths to every field inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        yield (*path, name)
        yield from fields_of(one, (*path, name))


ODD: list[object] = [None, [], {}, 7, "", True, [None], {"type": 3}]


def test_a_field_of_another_kind_never_raises(host: str, reader: Reader, session: Path) -> None:
    text = json.dumps(sample.SESSIONS[host][1]())
    lines = json.loads(text)
    for n, path in enumerate(fields_of(lines)):
        spoilt = json.loads(text)
        inner = spoilt
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = ODD[n % len(ODD)]
        # only what stands around the spoilt line is needed, for there are many
        first = max(int(str(path[0])) - 1, 1)
        near = [spoilt[0], *spoilt[first : first + 4]]
        session.write_text("".join(json.dumps(line) + "\n" for line in near), encoding="utf-8")
        list(reader.read_transcript(session))
        reader.sessions_in(session)


WORDS = ["type", "payload", "id", "data", "message", "content", "role", "user", "session_meta", "response_item"]
WORDS += ["event_msg", "$set", "$rewindTo", "messages", "toolCalls", "call_id", "user.message", "session", "text"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(VALUES | st.binary(max_size=20), max_size=12))
def test_whatever_stands_in_a_file_nothing_is_raised(reader: Reader, session: Path, lines: list[object]) -> None:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    session.write_bytes(b"\n".join(raw))
    list(reader.read_transcript(session))
    for one in READERS.values():
        one.sessions_in(session)


NAMES = re.compile(r'"(?:id|call_id|toolCallId|parentId)": "')


@pytest.mark.slow
def test_a_large_session_is_read_in_bounded_memory(host: str, reader: Reader, session: Path) -> None:
    _, lines = sample.SESSIONS[host]
    text = "".join(json.dumps(line) + "\n" for line in lines()[1:])
    with session.open("a", encoding="utf-8") as file:
        for n in itertools.takewhile(lambda _: file.tell() < 31_000_000, itertools.count()):
            renamed = NAMES.sub(rf"\g<0>{n}-", text)
            file.write(renamed.replace("the coins", f"the coins {n} {'x' * 20_000}"))
    tracemalloc.start()
    try:
        told = Counter(one.kind for one in reader.read_transcript(session))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert session.stat().st_size > 30_000_000
    assert told[EventKind.TOOL_CALL] > 1_000
    assert peak < 40_000_000
