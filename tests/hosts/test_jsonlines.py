"""Lines and documents of session files: torn, long, in pieces."""

import io
import json
from pathlib import Path

import pytest

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import documents, jsonlines, patch
from hivemind_cli.hosts.base import Seen, listening
from hivemind_cli.hosts.places import Places


def seen_of(value: jsonlines.Object) -> list[Seen]:
    return [Seen(kind=EventKind.PROMPT, session_id="s", native_key=str(value["id"]))]


def told(path: Path) -> list[str]:
    return [one.native_key for one in jsonlines.told(path, seen_of, lambda: [])]


def test_a_line_still_being_written_waits_unless_the_end_is_the_end() -> None:
    raw = b'{"a":1}\n{"b":'
    assert list(jsonlines.lines(io.BytesIO(raw))) == [(b'{"a":1}\n', 8)]
    assert list(jsonlines.lines(io.BytesIO(raw), to_the_end=True))[-1] == (b'{"b":', len(raw))


def test_a_line_too_long_to_hold_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "LINE_BYTES_MAX", 100)
    path = tmp_path / "s.jsonl"
    path.write_text('{"id":1}\n' + json.dumps({"id": "x" * 500}) + '\n{"id":2}\n', encoding="utf-8")
    with listening() as reading:
        assert told(path) == ["1", "2"]
    assert reading.skipped == {"line too long": 1}


def test_what_a_reader_stumbles_over_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"id":1}\n[]\n{"no":1}\n{"id":2}\n{"id":2}\n' + "[" * 100_000 + "\n", encoding="utf-8")
    with listening() as reading:
        assert told(path) == ["1", "2"]
    assert reading.skipped == {"line torn or strange": 3}


def test_only_so_many_names_are_remembered() -> None:
    once = jsonlines.Once(2)
    assert [once.new(name) for name in ("a", "a", "b", "c", "a")] == [True, False, True, True, True]


def test_the_head_of_what_is_no_session_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text('{"id":1}\n', encoding="utf-8")
    assert (
        jsonlines.head(tmp_path / "s.txt") == jsonlines.head(tmp_path / "none.jsonl") == jsonlines.head(tmp_path) == []
    )
    assert documents.head(tmp_path / "s.txt", "messages") is documents.head(tmp_path, "messages") is None


def test_a_loop_of_links_is_no_file_of_the_hosts(tmp_path: Path) -> None:
    loop = tmp_path / "a.jsonl"
    loop.symlink_to(loop)
    assert list(jsonlines.own_files([loop], tmp_path)) == []
    assert jsonlines.age(loop) == (0, "a.jsonl")


def document(path: Path, ids: int) -> Path:
    items = [{"id": f"é{n}", "text": '"]}' * 20} for n in range(ids)]
    path.write_text(
        json.dumps({"sessionId": "s", "messages": items, "more": [1]}, ensure_ascii=False), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("chunk", [7, 1 << 16])
def test_a_document_is_read_in_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(documents, "_CHUNK_BYTES", chunk)
    fed: list[jsonlines.Object] = []

    def feed(value: jsonlines.Object) -> list[Seen]:
        fed.append(value)
        return []

    assert list(documents.told(document(tmp_path / "s.json", 30), ("chats", "messages"), feed, lambda: [])) == []
    assert fed[0] == {"sessionId": "s", "list": "messages"}
    assert [value["id"] for value in fed[1:]] == [f"é{n}" for n in range(30)]


def test_a_document_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text("no document", encoding="utf-8")
    with listening() as reading:
        assert list(documents.told(path, ("messages",), seen_of, lambda: [])) == []
    assert reading.skipped["part torn or strange"] == 1


def test_a_patch_names_each_file_with_the_lines_it_adds() -> None:
    text = (
        "*** Begin Patch\n*** Update File: a.py\n*** Move to: b.py\n@@\n-x\n+y\n keep\n"
        "*** Delete File: c.py\n*** Add File: d.py\n+one\n++two\n*** End Patch\n"
    )
    assert [(one.path, one.written, one.whole) for one in patch.files(text)] == [
        ("b.py", "y", False), ("c.py", "", False), ("d.py", "one\n+two", True),
    ]  # fmt: skip
    assert patch.files("no patch") == []
    assert patch.wrote("no patch", "/x") is None


def test_a_rewind_takes_back_what_stands_behind_its_place() -> None:
    places = Places()
    for name in "abc":
        places.note(name)
        places.edited(f"edit {name}")
    assert places.back_to("unknown") == places.behind("unknown") == []
    assert places.behind("b") == ["edit c"]
    assert places.back_to("b") == ["edit b"]
    assert places.back_to("a") == ["edit a"]
