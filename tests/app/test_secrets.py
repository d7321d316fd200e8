"""No secret that passes through a session is in any file afterwards: not whole, and no piece of it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.app.importing import find, import_sessions
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, Event, Outcome, Recall, SkillRevision
from hivemind_cli.daemon.crash import report_crash
from hivemind_cli.daemon.log import open_log
from hivemind_cli.hosts import READERS
from tests.app.conftest import make_tree
from tests.app.leaks import Hunt, leaks
from tests.app.talk import Talk
from tests.core.secrets import CORPUS, Secret
from tests.hooks.rig import WAITING, Rig

CASES = [secret for secret in CORPUS if secret.kind != "private"]
PRIVATE = [secret for secret in CORPUS if secret.kind == "private"]
LIMITS = (200, 300, 2000, 4000, 64 * 1024)
"""Characters at which some part of the product cuts text."""


@pytest.fixture(scope="module")
def hunt() -> Hunt:
    return Hunt(secret.value for secret in CORPUS)


@pytest.fixture(autouse=True)
def debug_log(paths: Paths) -> Iterator[None]:
    """The daemon's own log, at debug level."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    open_log(paths)
    root.setLevel(logging.DEBUG)
    yield
    for handler in set(root.handlers) - set(before[0]):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])


def own(paths: Paths) -> OwnedHivemind:
    return Hivemind.own(paths, Config(debug=True), env={})


def answered(hive: OwnedHivemind, name: str) -> bytes:
    """The hook asks about its delivery, as it does while the agent waits."""
    told = hive.answer(name)
    hive.after_answer(name)
    return told


def clean(hunt: Hunt, paths: Paths, *trees: Path) -> None:
    assert not list(paths.spool_new.iterdir())
    assert not list(paths.quarantine.iterdir())
    assert leaks(hunt, paths, *trees) == []


def test_the_corpus_is_what_it_claims_to_be(hunt: Hunt) -> None:
    assert len(CORPUS) >= 60
    assert len({secret.kind for secret in CORPUS}) >= 20
    assert hunt.pieces > 2000
    assert all(hunt.in_text(secret.value) for secret in CORPUS)


@pytest.mark.thorough
def test_none_in_prompts_calls_results_and_errors(paths: Paths, tree: Path, hunt: Hunt) -> None:
    hive = own(paths)
    for n, secret in enumerate(CORPUS):
        talk = Talk(paths, tree, f"s{n}")
        answered(hive, talk.starts())
        answered(hive, talk.says(secret.text))
        answered(hive, talk.runs(f"cat <<'END'\n{secret.text}\nEND", output=secret.text))
        talk.runs("deploy --now", error=f"exit 1\n{secret.text}")
        talk.writes(tree / f"a{n}.txt", secret.text)
        talk.edits(tree / f"b{n}.txt", secret.text, f"# new\n{secret.text}\n")
        asked = {"text": secret.text, "list": [secret.text]}
        name, call_id = talk.calls("mcp__notes__add", asked)
        answered(hive, name)
        talk.came_back(call_id, "mcp__notes__add", asked, [{"type": "text", "text": secret.text}])
        talk.sends("SubagentStart", agent_id=f"a{n}", agent_type=secret.text)
        talk.sends("SubagentStop", agent_id=f"a{n}", agent_type="x", last_assistant_message=secret.text)
        talk.replies(secret.text)
        talk.ends()
    hive.settle()
    hive.tick(hive._clock())
    assert hive.store.count(Event) > len(CORPUS) * 14
    assert hive.store.count(Recall) >= len(CORPUS)
    hive.close()
    written = [path for n in range(len(CORPUS)) if (path := tree / f"a{n}.txt").exists()]
    for path in written:
        path.unlink()  # the agent's own files, which are the person's
    clean(hunt, paths, tree)


@pytest.mark.thorough
def test_none_in_corrections_and_what_is_made_of_them(paths: Paths, own_home: Path, hunt: Hunt) -> None:
    hive = own(paths)
    secrets = list({secret.kind: secret for secret in CORPUS}.values())
    trees = [make_tree(own_home / "work" / f"app{n}") for n in range(len(secrets))]
    for n, (secret, tree) in enumerate(zip(secrets, trees, strict=True)):
        talk = Talk(paths, tree, f"s{n}")
        talk.says("bring the module up")
        talk.runs(f"bring module <<'END'\n{secret.text}\nEND")
        talk.replies("It is up.")
        talk.says("no, never use bring here, always use lift")
        talk.runs("lift module")
        answered(hive, talk.says(f"no, that is wrong, never do it like this, always do it so:\n{secret.text}"))
        command = f"push <<'END'\n{secret.text}\nEND"
        refused, call_id = talk.calls("Bash", {"command": command})
        answered(hive, refused)
        told = (
            "The user doesn't want to proceed with this tool use. To tell you how to proceed, the user said:\n"
            f"never push, always ask first\n{secret.text}"
        )
        call = {"tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": call_id}
        talk.sends("PostToolBatch", tool_calls=[{**call, "tool_response": told}])
        talk.ends()
    hive.settle()
    kinds = {row.record.kind.value for row in hive.store.find(Correction)}
    assert {"said", "rejected"} <= kinds
    for n, (secret, tree) in enumerate(zip(secrets, trees, strict=True)):
        again = Talk(paths, tree, f"later{n}")
        answered(hive, again.starts())
        answered(hive, again.says(f"bring the module up {secret.text}"))
        answered(hive, again.runs("bring module"))
        again.ends()
    hive.settle()
    assert sum(bool(row.record.text) for row in hive.store.find(Recall)) >= len(secrets)
    assert any(row.record.held for row in hive.store.find(Recall))
    assert hive.store.count(Outcome) >= len(secrets)
    hive.close()
    written = [len(list((tree / ".claude" / "skills").glob("*/SKILL.md"))) for tree in trees]
    assert min(written) >= 1
    clean(hunt, paths, *trees)


@pytest.mark.thorough
def test_none_in_what_a_person_changed_by_hand(paths: Paths, tree: Path, hunt: Hunt) -> None:
    hive = own(paths)
    for n, secret in enumerate(CASES):
        talk = Talk(paths, tree, f"s{n}")
        file = tree / f"settings{n}.txt"
        talk.says("write the settings")
        talk.writes(file, "# settings\nvalue = 1\n")
        while hive.drain():
            pass
        file.write_text(f"# settings\n{secret.text}\n", encoding="utf-8")
        talk.says("now start it")
        talk.ends()
    hive.settle()
    edited = [row.record for row in hive.store.find(Correction) if row.record.kind.value == "hand_edit"]
    assert len(edited) >= len(CASES) // 2
    hive.close()
    for n in range(len(CASES)):
        (tree / f"settings{n}.txt").unlink()
    clean(hunt, paths, tree)


def test_a_key_pasted_between_lines_the_agent_wrote_is_not_shown(paths: Paths, tree: Path, hunt: Hunt) -> None:
    """The person's lines alone hold no word that tells what they are."""
    key = next(secret for secret in CORPUS if secret.kind == "ssh" and secret.context == "tool output").value
    begin, *body, end = key.splitlines()
    hive = own(paths)
    talk = Talk(paths, tree)
    talk.says("make a place for the key")
    talk.writes(tree / "id", f"owner: nobody yet\n{begin}\nput it here\n{end}\n")
    while hive.drain():
        pass
    (tree / "id").write_text("\n".join(["owner: the build machine", begin, *body, end, ""]), encoding="utf-8")
    talk.says("go on")
    talk.ends()
    hive.settle()
    assert [row.record.kind.value for row in hive.store.find(Correction)] == ["hand_edit"]
    hive.close()
    (tree / "id").unlink()
    clean(hunt, paths, tree)


@pytest.mark.thorough
@pytest.mark.parametrize("limit", LIMITS)
def test_none_is_halved_where_text_is_cut(paths: Paths, tree: Path, hunt: Hunt, limit: int) -> None:
    hive = own(paths)
    for n, secret in enumerate(CASES[limit % 5 :: 2 if limit == 200 else 6 if limit < 5000 else 16]):
        at = secret.text.find(secret.value.split("\n")[0])
        if at < 0 or "\n" in secret.value:
            continue
        half = len(secret.value) // 2 + 4
        text = f"{'x ' * ((limit - at - half) // 2)}{secret.text}"
        talk = Talk(paths, tree, f"s{n}")
        answered(hive, talk.says(text))
        answered(hive, talk.runs(text, error=text))
        talk.writes(tree / "cut.txt", text)
        name, call_id = talk.calls("mcp__notes__add", {"text": text})
        answered(hive, name)
        talk.came_back(call_id, "mcp__notes__add", {"text": text}, {"ok": True, "said": text})
        told = f"Permission to use this tool has been denied. {text}"
        call = {"tool_name": "mcp__notes__add", "tool_input": {}, "tool_use_id": f"d{n}"}
        talk.sends("PostToolBatch", tool_calls=[{**call, "tool_response": told}])
        talk.says(f"no, never do that: {text}")
    hive.settle()
    hive.close()
    (tree / "cut.txt").unlink()
    clean(hunt, paths, tree)


def line(session_id: str, n: int, kind: str, tree: Path, **fields: Any) -> dict[str, Any]:
    at = f"2026-11-01T10:{n // 60 % 60:02}:{n % 60:02}.000Z"
    return {
        "type": kind,
        "uuid": f"u{session_id}-{n}",
        "sessionId": session_id,
        "cwd": str(tree),
        "timestamp": at,
        **fields,
    }


def transcript_of(path: Path, session_id: str, tree: Path, secret: Secret) -> Path:
    """A session that holds the secret in every kind of line there is."""
    text = secret.text

    def user(n: int, content: Any, **fields: Any) -> dict[str, Any]:
        return line(session_id, n, "user", tree, message={"role": "user", "content": content}, promptId="p", **fields)

    def assistant(n: int, block: dict[str, Any]) -> dict[str, Any]:
        return line(session_id, n, "assistant", tree, message={"content": [block]})

    def result(call_id: str, told: str, **fields: Any) -> dict[str, Any]:
        return {"type": "tool_result", "tool_use_id": call_id, "content": told, **fields}

    command = {"command": f"cat <<'END'\n{text}\nEND"}
    lines = [
        user(1, f"bring it up\n{text}"),
        assistant(2, {"type": "tool_use", "id": f"{session_id}c1", "name": "Bash", "input": command}),
        user(3, [result(f"{session_id}c1", text)], toolUseResult={"stdout": text, "stderr": text}),
        assistant(4, {"type": "tool_use", "id": f"{session_id}c2", "name": "Bash", "input": command}),
        user(
            5,
            [result(f"{session_id}c2", "The user doesn't want to proceed with this tool use.", is_error=True)],
            toolDenialKind="user-rejected",
            userFeedback=f"no, never do that\n{text}",
            toolDenialBeforeRun=True,
        ),
        user(6, "[Request interrupted by user]"),
        assistant(7, {"type": "text", "text": f"Then I stop.\n{text}"}),
        user(8, f"no, always use this instead:\n{text}"),
        line(session_id, 9, "queue-operation", tree, operation="enqueue", content=text),
        line(session_id, 10, "queue-operation", tree, operation="remove"),
        user(11, f"<bash-input>{text}</bash-input>"),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


@pytest.mark.thorough
def test_none_from_a_transcripts_tail(paths: Paths, tree: Path, own_home: Path, hunt: Hunt) -> None:
    hive = own(paths)
    for n, secret in enumerate(CORPUS):
        path = own_home / ".claude" / "projects" / "p" / f"t{n}.jsonl"
        talk = Talk(paths, tree, f"t{n}", transcript=transcript_of(path, f"t{n}", tree, secret))
        talk.says("go on")
        talk.ends()
    hive.settle()
    assert {"rejected", "interrupted"} <= {row.record.kind.value for row in hive.store.find(Correction)}
    assert hive.store.count(Event, source="tail") > len(CORPUS) * 8
    hive.close()
    clean(hunt, paths, tree)


@pytest.mark.thorough
def test_none_from_an_import(paths: Paths, tree: Path, own_home: Path, hunt: Hunt) -> None:
    past = own_home / "past"
    for n, secret in enumerate(CORPUS):
        transcript_of(past / f"t{n}.jsonl", f"t{n}", tree, secret)
    hive = own(paths)
    done = import_sessions(find(paths, READERS, past), paths=paths, config=Config(), store=hive.store)
    hive.touched()
    hive.settle()
    assert sum(one.new for one in done) > len(CORPUS) * 8
    assert not any(one.fault for one in done)
    hive.close()
    clean(hunt, paths, tree)


@pytest.mark.thorough
def test_none_through_the_real_hook_and_without_a_daemon(tree: Path, own_home: Path, hunt: Hunt, paths: Paths) -> None:
    rig = Rig(paths.root).install(WAITING)
    for n, secret in enumerate(CORPUS):
        told = {"session_id": f"s{n}", "cwd": str(tree), "prompt_id": "p1", "prompt": secret.text}
        rig.run("UserPromptSubmit", told, cwd=tree)
    talk = Talk(paths, tree, "lesson")
    talk.says("bring the module up")
    talk.runs("bring module")
    talk.says("no, never use bring here, always use lift to bring the module up")
    talk.ends()
    hive = own(paths)
    hive.settle()
    hive.close()
    assert paths.snapshot.exists()
    given = 0
    for n, secret in enumerate(CORPUS[:12]):
        told = {"session_id": f"f{n}", "cwd": str(tree), "prompt_id": "p1"}
        prompt = f"bring the module up\n{secret.text}"
        given += bool(rig.run("UserPromptSubmit", {**told, "prompt": prompt}, cwd=tree))
    assert given >= 6  # the fallback spoke
    hive = own(paths)
    hive.settle()
    assert hive.store.count(Recall, tier="snapshot") == given
    hive.close()
    clean(hunt, paths, tree)


@pytest.mark.thorough
def test_none_in_a_skill_that_a_person_edited(paths: Paths, tree: Path, hunt: Hunt) -> None:
    """The file is the person's and keeps their words; what we store, index and recall of it does not."""
    hive = own(paths)
    talk = Talk(paths, tree)
    talk.says("bring the module up")
    talk.runs("bring module")
    talk.says("no, never use bring here, always use lift")
    talk.ends()
    hive.settle()
    (file,) = (tree / ".claude" / "skills").glob("*/SKILL.md")
    first = file.read_text("utf-8")
    for secret in CASES:
        file.write_text(f"{first}\n## Note\n\n{secret.text}\n", encoding="utf-8")
        hive.tick(hive._clock())
    hive.settle()
    assert hive.store.count(SkillRevision, drafter="person") >= len(CASES) // 2
    hive.close()
    file.unlink()
    clean(hunt, paths)


def test_none_in_the_log_or_a_crash_report(paths: Paths, hunt: Hunt) -> None:
    logger = logging.getLogger("hivemind_cli.test")
    for secret in CORPUS:
        for limit in (0, 1980, 1990):
            try:
                raise ValueError(f"{'x ' * (limit // 2)}cannot read {secret.text}")
            except ValueError as exc:
                assert report_crash(paths, "test", exc)
                logger.exception("failed on %s", secret.text)
            logger.debug("read %s", secret.text)
    hive = own(paths)
    hive.close()
    assert paths.log.stat().st_size
    clean(hunt, paths)


def test_a_stage_that_breaks_on_a_secret_tells_none(
    paths: Paths, tree: Path, hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, batch: Any, store: Any) -> Any:
        raise ValueError(f"cannot use {[row.record.payload for row in batch]}")

    monkeypatch.setattr("hivemind_cli.pipeline.detect.Detect.step", broken)
    hive = own(paths)
    for n, secret in enumerate(CORPUS):
        Talk(paths, tree, f"s{n}").says(secret.text)
    hive.settle()
    hive.close()
    clean(hunt, paths, tree)


def test_why_a_delivery_was_set_aside_quotes_no_secret(paths: Paths, tree: Path, hunt: Hunt) -> None:
    """The delivery itself is kept in quarantine for a few days; the reason and the notice are not secret."""
    hive = own(paths)
    for n, secret in enumerate(CORPUS):
        talk = Talk(paths, tree, f"s{n}")
        talk.sends("hivemind:injection", moment=f"at {secret.text}", ids=[], text="x")
    hive.settle()
    hive.close()
    aside = [path for path in paths.quarantine.iterdir() if path.suffix != ".why"]
    assert len(aside) == len(CORPUS)
    for path in aside:
        path.unlink()
    assert leaks(hunt, paths, tree) == []
