"""What hooks and session files tell is one history: nothing twice, nothing brought back, every count as it stands."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.importing import Finding, Found, Imported, find, import_sessions
from hivemind_cli.app.machine import this_person
from hivemind_cli.app.pruning import prune_session
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, Event, EventKind, Notice, Project, TranscriptMark
from hivemind_cli.hosts import HOSTS, READERS
from hivemind_cli.pipeline.capture import Capture
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.recorded import RECORDED, TOLD_TWICE, Player, transcript
from tests.app.talk import Talk

DATA = Path(os.environ.get("HIVEMIND_TEST_DATA", "/nonexistent")) / "transcripts"
MANIFEST = json.loads((DATA / "manifest.json").read_text("utf-8")) if DATA.is_dir() else []
SESSIONS = [entry for entry in MANIFEST if entry["format"] == "claude-code"]

ONLY_THE_TRANSCRIPT_TELLS = {
    "headless-tools-and-failures": [],
    "skill-and-background-subagent": [],
    # Esc while a command ran, a note given with an approval, and a command typed in bash mode fire no hook.
    "interactive-interrupt-bash-queued-amend-bang-model": ["tool_denied", "interrupt", "steer", "steer"],
    # Esc in mid-stream (and the reply it cut off) and Esc at the permission dialog fire no hook.
    "interactive-reject-with-feedback-and-interrupts": ["reply", "interrupt", "tool_denied", "interrupt"],
}


def imported(paths: Paths, store: Store | None, path: Path | None) -> list[Imported]:
    return import_sessions(find(paths, READERS, path), paths=paths, config=Config(), store=store)


def contents(store: Store) -> dict[str, list[Any]]:
    return {kind.__name__: [row.record for row in store.find(kind)] for kind in (Event, Correction, Project)}


def test_every_recorded_payload_is_captured_without_a_fault(paths: Paths, tree: Path) -> None:
    capture = Capture(paths, Config(), HOSTS, this_person(), b"k" * 32, {}, {})
    player = Player(paths, tree)
    files = sorted(RECORDED.glob("*.json"))
    assert len(files) >= 50
    for n, file in enumerate(files):
        payload = json.loads(file.read_text("utf-8"))
        player.deliver(payload["hook_event_name"], payload, datetime(2026, 11, 20, 9, 0, n % 60, tzinfo=UTC))
    deliveries = [player.spool.read(path) for path in player.spool.pending()]
    captured = capture.step(deliveries, InMemoryStore())
    assert captured.faults == []
    unknown = [one.text for one in captured.outputs if isinstance(one, Notice)]
    wired = {file.name.split("-")[0].removesuffix(".json") for file in files} & HOSTS["claude"].EVENTS.keys()
    assert wired == HOSTS["claude"].EVENTS.keys() - {"PermissionDenied"}  # not seen in the recordings
    assert not any(f"'{event}'" in text for text in unknown for event in HOSTS["claude"].EVENTS)
    kinds = {one.kind for one in captured.outputs if isinstance(one, Event)}
    assert kinds >= set(EventKind) - {EventKind.STEER, EventKind.INTERRUPT, EventKind.INJECTION}


@pytest.mark.parametrize("name", TOLD_TWICE)
def test_importing_what_hooks_and_the_tail_captured_changes_nothing(
    paths: Paths, tree: Path, hive: OwnedHivemind, name: str
) -> None:
    file = Player(paths, tree).play(name, hive, with_transcript=True)
    hive.settle()
    before = contents(hive.store)
    assert hive.store.count(TranscriptMark)
    for _ in range(2):
        assert [one.new for one in imported(paths, hive.store, file)] == [0]
        hive.touched()
        hive.settle()
        assert contents(hive.store) == before


@pytest.mark.parametrize("name", TOLD_TWICE)
def test_an_import_adds_only_what_no_hook_shows(paths: Paths, tree: Path, hive: OwnedHivemind, name: str) -> None:
    file = Player(paths, tree).play(name, hive, with_transcript=False)
    hive.settle()
    before = contents(hive.store)
    (done,) = imported(paths, hive.store, file)
    hive.touched()
    hive.settle()
    after = contents(hive.store)
    assert after["Event"][: len(before["Event"])] == before["Event"]
    added = after["Event"][len(before["Event"]) :]
    assert [event.kind.value for event in added] == ONLY_THE_TRANSCRIPT_TELLS[name]
    assert done.new == len(added)
    assert {event.source for event in added} <= {"import"}
    said = [(one.kind, one.quote, one.act_event_id) for one in after["Correction"]]
    assert len(set(said)) == len(said)
    assert after["Correction"][: len(before["Correction"])] == before["Correction"]
    assert [one.new for one in imported(paths, hive.store, file)] == [0]
    assert contents(hive.store)["Event"] == after["Event"]


@pytest.mark.parametrize("name", [path.stem for path in sorted((RECORDED / "transcripts").glob("*.jsonl"))])
def test_importing_twice_changes_nothing(paths: Paths, hive: OwnedHivemind, name: str) -> None:
    (first,) = imported(paths, hive.store, transcript(name))
    hive.touched()
    hive.settle()
    before = contents(hive.store)
    assert first.new > 0
    (second,) = imported(paths, hive.store, transcript(name))
    hive.touched()
    hive.settle()
    assert second == Imported(**{**{f: getattr(first, f) for f in Imported.__slots__}, "new": 0})
    assert contents(hive.store) == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.floats(0, 1), max_size=4))
def test_imports_of_a_growing_file_end_in_the_same_history(paths: Paths, tmp_path: Path, cuts: list[float]) -> None:
    """However often, and at whatever length of the file, it was imported before: even a line cut in two."""
    whole = transcript("interactive-reject-with-feedback-and-interrupts").read_bytes()
    growing = tmp_path / "433c9e4a-bf06-49b2-9c3d-403adb363699.jsonl"
    known = Finding((Found(READERS["claude"], growing),))
    once, often = InMemoryStore(), InMemoryStore()
    for cut in (*sorted(cuts), 1.0):
        growing.write_bytes(whole[: int(len(whole) * cut)])
        import_sessions(known, paths=paths, config=Config(), store=often)
    import_sessions(known, paths=paths, config=Config(), store=once)
    wanted = {row.record.native_key for row in once.find(Event)}
    found = [row.record.native_key for row in often.find(Event)]
    # The reply that was the turn's last when the file was read may turn out not to be; it was said all the same.
    assert {key for key in found if not key.startswith("reply:")} == {k for k in wanted if not k.startswith("reply:")}
    assert wanted <= set(found)
    assert len(found) == len(set(found))


def test_a_pruned_session_is_not_brought_back(paths: Paths, tree: Path, hive: OwnedHivemind) -> None:
    name = "interactive-reject-with-feedback-and-interrupts"
    file = Player(paths, tree).play(name, hive, with_transcript=True)
    hive.settle()
    assert hive.store.count(Correction)
    prune_session(hive.store, "claude", file.stem, datetime.now(UTC))
    hive.call("forget", {"host": "claude", "session_id": file.stem})
    for path in (file, None):
        imported(paths, hive.store, path)
        hive.touched()
        hive.settle()
        assert contents(hive.store)["Event"] == []
        assert contents(hive.store)["Correction"] == []
    Player(paths, tree).play(name, hive, with_transcript=True)  # nor by its hooks, should it go on
    hive.settle()
    assert contents(hive.store)["Event"] == []


def test_what_a_session_is_told_after_it_was_pruned_is_not_kept_either(
    paths: Paths, tree: Path, hive: OwnedHivemind
) -> None:
    from hivemind_cli.core.records import Recall

    talk = Talk(paths, tree)
    talk.says("bring it up")
    hive.settle()
    prune_session(hive.store, "claude", talk.id, datetime.now(UTC))
    name = talk.says("and again")
    hive.answer(name)
    hive.after_answer(name)
    assert hive.store.count(Recall) == 0


def test_a_providers_own_session_is_not_imported(paths: Paths, hive: OwnedHivemind) -> None:
    file = paths.home / ".claude" / "projects" / "w" / "s.jsonl"
    file.parent.mkdir(parents=True)
    line = {"type": "user", "uuid": "u", "sessionId": "s", "promptId": "p", "cwd": str(paths.work)}
    told = {**line, "message": {"role": "user", "content": "What is the lesson here?"}}
    elsewhere = {**told, "uuid": "v", "cwd": f"{paths.work}shop", "message": {"role": "user", "content": "hello"}}
    file.write_text(json.dumps(told) + "\n" + json.dumps(elsewhere) + "\n", "utf-8")
    imported(paths, hive.store, file)
    assert [row.record.payload["text"] for row in hive.store.find(Event)] == ["hello"]


def test_a_providers_own_session_is_known_where_our_folder_lies_behind_a_link(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    moved = replace(paths, root=tmp_path / "link" / "hm")
    file = paths.home / ".claude" / "projects" / "w" / "s.jsonl"
    file.parent.mkdir(parents=True)
    line = {
        "type": "user",
        "uuid": "u",
        "sessionId": "s",
        "promptId": "p",
        "cwd": str(tmp_path / "disk" / "hm" / moved.work.name),
    }
    file.write_text(json.dumps({**line, "message": {"role": "user", "content": "What is the lesson?"}}) + "\n", "utf-8")
    store = InMemoryStore()
    import_sessions(find(moved, READERS, file), paths=moved, config=Config(), store=store)
    assert store.count(Event) == 0


def subagents(folder: Path) -> Path:
    """A session, and the file of a subagent of it, as the host lays them out."""
    call = {"type": "tool_use", "id": "c1", "name": "Bash", "input": {"command": "make"}}
    both = {"sessionId": "s1", "promptId": "p", "cwd": "/home/dev/project", "timestamp": "2026-11-20T18:00:00Z"}
    prompt = {**both, "type": "user", "uuid": "u1", "message": {"role": "user", "content": "build it"}}
    asked = {**both, "type": "assistant", "uuid": "u2", "message": {"content": [call]}}
    side = {**asked, "uuid": "u3", "isSidechain": True, "agentId": "a1", "message": {"content": [{**call, "id": "c2"}]}}
    folder.mkdir(parents=True)
    main, sub = folder / "s1.jsonl", folder / "s1" / "subagents" / "agent-a1.jsonl"
    sub.parent.mkdir(parents=True)
    main.write_text(f"{json.dumps(prompt)}\n{json.dumps(asked)}\n{json.dumps(side)}\n", "utf-8")
    sub.write_text(json.dumps({**side, "message": {"content": [{**call, "id": "c3"}]}}) + "\n", "utf-8")
    return main


@pytest.mark.parametrize("by_folder", [True, False])
def test_subagents_are_stored_with_their_session_and_not_counted(
    paths: Paths, hive: OwnedHivemind, by_folder: bool
) -> None:
    main = subagents(paths.home / ".claude" / "projects" / "p")
    done = imported(paths, hive.store, main.parent if by_folder else None)
    assert [(one.path, one.prompts, one.tool_uses, one.new) for one in done] == [
        (main, 1, 1, 5)
    ]  # four events and their project
    calls = [row.record for row in hive.store.find(Event, kind=EventKind.TOOL_CALL)]
    assert {call.session_id for call in calls} == {"s1"}
    assert [call.payload.get("agent_id") for call in calls] == [None, "a1", "a1"]


@pytest.mark.parametrize("by_folder", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_the_file_of_a_subagent_adds_to_its_own_session_wherever_it_lies(
    paths: Paths, hive: OwnedHivemind, by_folder: bool, first: bool
) -> None:
    """Older versions kept it beside the sessions, where it may stand before its own, and others between them."""
    project = paths.home / ".claude" / "projects" / "p"
    main = subagents(project)
    beside = (main.parent / "s1" / "subagents" / "agent-a1.jsonl").rename(project / "agent-a1.jsonl")
    other = project / "s2.jsonl"
    other.write_text(main.read_text("utf-8").replace('"s1"', '"s2"'), "utf-8")
    for n, path in enumerate((beside, other, main) if first else (main, other, beside), 1):
        os.utime(path, (n, n))
    orphan = json.loads(beside.read_text("utf-8")) | {"sessionId": "gone", "uuid": "u9"}
    (project / "agent-z.jsonl").write_text(json.dumps(orphan) + "\n", "utf-8")
    done = imported(paths, hive.store, project if by_folder else None)
    assert {(one.path.name, one.session_id, one.prompts, one.tool_uses) for one in done if not one.left_out} == {
        ("s1.jsonl", "s1", 1, 1),
        ("s2.jsonl", "s2", 1, 1),
        ("agent-z.jsonl", "gone", 0, 0),
    }
    assert len(done) == 3
    assert sum(one.new for one in done) == hive.store.count(Event) + 1  # and their project


def test_a_path_that_is_not_there_or_holds_no_session_is_refused_with_advice(paths: Paths, tmp_path: Path) -> None:
    for path in (tmp_path / "none", paths.root):
        with pytest.raises(HostError) as refused:
            find(paths, READERS, path)
        assert refused.value.fix or refused.value.why


def dry_run(*arguments: str) -> list[dict[str, Any]]:
    """What `hivemind import ... --dry-run --json` prints."""
    argv = [sys.executable, "-m", "hivemind_cli", "import", *arguments, "--dry-run", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_dry_run_tells_each_session_in_a_line_and_stores_nothing(paths: Paths) -> None:
    main, before = subagents(paths.home / "past"), paths.database.read_bytes()
    (told,) = dry_run(str(main.parent))
    counts = {"prompts": 1, "interrupts": 0, "tool_rejections": 0, "tool_uses": 1, "tool_errors": 0, "edits": 0}
    assert told == {"path": str(main), "host": "claude", **counts, "new": 0, "fault": ""}
    assert paths.database.read_bytes() == before
    assert not paths.lock.exists()  # nor was a daemon started


def test_a_file_whose_name_is_no_text_is_told_in_json_all_the_same(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = subagents(paths.home / "past")
    odd = main.with_name(os.fsdecode(b"s\xff.jsonl"))
    try:
        main.rename(odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as in most locales, but not in every one
    (told,) = dry_run(str(odd.parent))
    assert told["path"] == str(odd)


@pytest.mark.skipif(not SESSIONS, reason="HIVEMIND_TEST_DATA names no folder with transcripts/manifest.json")
def test_every_count_of_a_real_session_equals_the_manifests(tmp_path: Path) -> None:
    """Session files of other people, which are not ours to copy."""
    wanted = {}
    for n, entry in enumerate(SESSIONS):
        file = tmp_path / "sessions" / f"{n:02}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(gzip.decompress((DATA / entry["file"]).read_bytes()))
        counts = {**entry["counts"], "prompts": entry["counts"]["user_prompts"]}
        names = ("prompts", "interrupts", "tool_rejections", "tool_uses", "tool_errors", "edits")
        wanted[str(file)] = {name: counts[name] for name in names}
    told = dry_run(str(tmp_path / "sessions"))
    assert len(told) == len(SESSIONS) == 12
    assert {one.pop("path"): one for one in told} == {
        path: {**counts, "host": "claude", "new": 0, "fault": ""} for path, counts in wanted.items()
    }


@pytest.mark.skipif(not SESSIONS, reason="HIVEMIND_TEST_DATA names no folder with transcripts/manifest.json")
def test_storing_a_real_session_counts_the_same_and_twice_changes_nothing(paths: Paths, tmp_path: Path) -> None:
    store = InMemoryStore()
    for n, entry in enumerate(SESSIONS):
        (tmp_path / f"{n:02}.jsonl").write_bytes(gzip.decompress((DATA / entry["file"]).read_bytes()))
    counted, first, second = (imported(paths, one, tmp_path) for one in (None, store, store))
    assert sum(one.new for one in first) > 1000
    assert not any(one.fault for one in (*first, *second))
    assert [one.new for one in second] == [0] * len(SESSIONS)
    for dry, wet in zip(counted, first, strict=True):
        assert (dry.prompts, dry.interrupts, dry.tool_uses, dry.tool_errors, dry.edits, dry.tool_rejections) == (
            wet.prompts,
            wet.interrupts,
            wet.tool_uses,
            wet.tool_errors,
            wet.edits,
            wet.tool_rejections,
        )
