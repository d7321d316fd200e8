"""aider's running history, written here as its code writes it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import READERS, aider
from hivemind_cli.hosts.base import Seen, listening

START = "\n# aider chat started at 2026-05-19 19:12:41\n\n> Aider v0.86.2  \n> Added till.py to the chat  \n"
EDIT = """
I add a total.

till.py
```python
<<<<<<< SEARCH
price = 1
=======
price = 1
total = 2
>>>>>>> REPLACE
```

> Tokens: 1.2k sent, 40 received.~
> Applied edit to till.py~
> Commit abc1234 feat: total~
> You can use /undo to undo and discard each aider commit.~
""".replace("~", "  ")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def wrote(project: Path, text: str) -> Path:
    path = project / aider.FILE
    path.write_text(text, encoding="utf-8")
    return path


def told(project: Path, text: str, n: int = 0) -> list[Seen]:
    return list(aider.read_transcript(aider.sessions_in(wrote(project, text))[n]))


def kinds(seen: list[Seen]) -> list[str]:
    return [one.kind.value for one in seen]


def typed(seen: list[Seen]) -> list[str]:
    return [one.payload["text"] for one in seen if one.kind is EventKind.PROMPT]


def test_a_turn_gives_the_words_the_edit_and_the_reply(project: Path) -> None:
    seen = told(project, f"{START}\n#### add a total  \n####   \n#### and keep it short  \n{EDIT}")
    assert kinds(seen) == ["session_start", "prompt", "tool_call", "tool_result", "reply"]
    assert seen[1].payload["text"] == "add a total\n\nand keep it short"
    assert seen[2].payload["act"] == {
        "kind": "edit",
        "tool": "edit",
        "path": "till.py",
        "text": "price = 1\ntotal = 2",
    }
    assert seen[3].payload["wrote"] == {"path": str(project / "till.py"), "written": "total = 2"}
    assert seen[4].payload["text"].startswith("I add a total.")
    assert {one.cwd for one in seen} == {str(project)}


def test_sessions_are_named_by_folder_and_start_and_keep_their_names(project: Path) -> None:
    first = f"{START}\n#### go on  \n\nYes.\n"
    path = wrote(project, first)
    (before,) = aider.sessions_in(path)
    keys = [one.native_key for one in aider.read_transcript(before)]
    again = first.replace("19:12:41", "20:00:00")
    wrote(project, f"{first}\n#### go on  \n{again}{again}")
    named = aider.sessions_in(path)
    assert named[0] == before and len(set(named)) == 3
    grown = [one.native_key for one in aider.read_transcript(before)]
    assert grown[: len(keys)] == keys and len(set(grown)) == len(keys) + 1
    assert len({one.session_id for name in named for one in aider.read_transcript(name)}) == 3
    whole = [one.native_key for name in named for one in aider.read_transcript(name)]
    assert [one.native_key for one in aider.read_transcript(path)] == whole


def test_what_the_person_does_by_hand_is_no_prompt(project: Path) -> None:
    own = (
        "/add b.py",
        "/run pytest -q",
        "!ls -a",
        "/git status",
        "/ask why?",
        "<blank>",
        "Run shell command? (Y)es/(N)o [Yes]: y",
    )
    text = START + "".join(f"\n#### {line}  \n" for line in own) + "\n#### why?  \n"
    seen = told(project, text)
    assert typed(seen) == ["why?"]
    assert [one.payload["ran"] for one in seen if one.kind is EventKind.STEER] == ["pytest -q", "ls -a", "git status"]


def test_undo_is_what_it_runs_on_the_files_of_the_last_commit(project: Path) -> None:
    undone = "\n#### /undo  \n> Removed: abc1234 feat: total  \n> Now at:  000 first  \n"
    refused = "\n#### /undo  \n> The last commit was not made by aider in this chat session.  \n"
    seen = told(project, f"{START}\n#### add a total  \n{EDIT}{undone}{refused}\n#### no, by item  \n")
    assert [one.payload["ran"] for one in seen if one.kind is EventKind.STEER] == ["git checkout HEAD~1 -- till.py"]
    assert kinds(seen)[-3:] == ["reply", "steer", "prompt"]


def test_a_models_own_headings_and_quotes_stay_in_its_reply(project: Path) -> None:
    reply = "\n#### Step 1\n\n> a quote\n\nText.\n"
    seen = told(project, f"{START}\n#### plan it  \n{reply}\n> Tokens: 1k sent.  \n")
    assert typed(seen) == ["plan it"]
    assert seen[-1].payload["text"] == "#### Step 1\n\n> a quote\n\nText."


def test_a_history_that_lost_its_trailing_blanks_is_read(project: Path) -> None:
    text = f"{START}\n#### add a total  \n{EDIT}\n#### /undo  \n> Removed: abc1234 x  \n"
    bare = "\n".join(line.rstrip() for line in text.split("\n"))
    assert kinds(told(project, bare)) == kinds(told(project, text))


@pytest.mark.parametrize(
    ("answer", "ends"),
    [("y", [EventKind.TOOL_CALL, EventKind.TOOL_RESULT]), ("n", [EventKind.TOOL_CALL, EventKind.TOOL_DENIED])],
)
def test_a_proposed_command_runs_or_is_refused(project: Path, answer: str, ends: list[EventKind]) -> None:
    ran = "> Running pip install x  \n> Running python a.py  \n" if answer == "y" else ""
    text = (
        f"{START}\n#### install it  \n\nRun:\n\n```bash\npip install x\npython a.py\n```\n\n> Tokens: 1k sent.  \n"
        f"> pip install x\npython a.py  \n> Run shell commands? (Y)es/(N)o/(D)on't ask again [Yes]: {answer}  \n{ran}"
        "> Add command output to the chat? (Y)es/(N)o/(D)on't ask again [Yes]: y  \n"
    )
    seen = told(project, text)
    calls = [one for one in seen if one.payload.get("act")]
    assert [one.kind for one in calls[:2]] == ends
    commands = [one.payload["act"]["command"] for one in calls if one.kind is EventKind.TOOL_CALL]
    assert commands == (["pip install x", "python a.py"] if answer == "y" else ["pip install x\npython a.py"])
    assert seen[-1].kind is EventKind.REPLY  # whatever was run after it


def test_what_aider_answers_itself_is_no_refusal_of_the_persons(project: Path) -> None:
    text = "\n#### install it  \n\n```bash\nmake\n```\n\n> Tokens: 1k sent.  \n> make  \n"
    asked = "> Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]: n  \n"
    alone = START + "> /usr/bin/aider --yes-always --message x  \n" + text + asked
    by = [one.payload["by"] for one in told(project, alone) if one.kind is EventKind.TOOL_DENIED]
    assert by == ["rule"]


@pytest.mark.parametrize(
    ("aside", "kind", "by"),
    [
        ("> Skipping edits to till.py  ", EventKind.TOOL_DENIED, "person"),
        ("> Skipping edits to till.py that matches gitignore spec.  ", EventKind.TOOL_DENIED, "rule"),
        ("> Did not apply edit to till.py (--dry-run)  ", EventKind.TOOL_DENIED, "rule"),
        ("> # 1 SEARCH/REPLACE block failed to match!  ", EventKind.TOOL_FAILURE, None),
        ("> The LLM did not conform to the edit format.  ", EventKind.TOOL_FAILURE, None),
    ],
)
def test_an_edit_that_was_not_made_says_why(project: Path, aside: str, kind: EventKind, by: str | None) -> None:
    text = EDIT.split("> Applied")[0]
    seen = told(project, f"{START}\n#### add a total  \n{text}{aside}\n")
    ended = [one for one in seen if one.kind in (EventKind.TOOL_DENIED, EventKind.TOOL_FAILURE)]
    assert [(one.kind, one.payload.get("by")) for one in ended] == [(kind, by)]


def test_files_given_whole_and_as_a_diff_are_edits_too(project: Path) -> None:
    whole = "\nHere:\n\ntill.py\n```python\nprice = 3\n```\n\n> Tokens: 1k sent.  \n> Applied edit to till.py  \n"
    diff = "\n```diff\n--- a.py\n+++ a.py\n@@\n-x\n+y\n```\n\n> Tokens: 1k sent.  \n> Applied edit to a.py  \n"
    seen = told(project, f"{START}\n#### whole  \n{whole}\n#### diff  \n{diff}")
    acts = [one.payload["act"] for one in seen if one.kind is EventKind.TOOL_CALL]
    assert [(act["path"], act["text"]) for act in acts] == [("till.py", "price = 3"), ("a.py", "y")]
    assert [one.kind for one in seen].count(EventKind.TOOL_RESULT) == 2


def test_ctrl_c_stops_the_model_only_while_it_works(project: Path) -> None:
    stopped = (
        "\n#### write it  \n>  \n>  \n> ^C again to exit  \n\nI will\n\n> Tokens: 1k sent.  \n> ^C again to exit  \n"
    )
    seen = told(project, f"{START}> ^C again to exit  \n{stopped}\n#### shorter  \n")
    assert kinds(seen) == ["session_start", "prompt", "interrupt", "reply", "prompt"]
    assert seen[3].payload["aborted"] is True


def test_prompts_take_their_time_from_the_file_of_inputs(project: Path) -> None:
    inputs = (
        "\n# 2026-05-18 10:00:00.000000\n+go on\n"
        "\n# 2026-05-19 19:13:00.250000\n+go on\n\n# 2026-05-19 19:20:00\n+two\n+lines\n"
        "\n# 2026-05-20 08:00:00\n+go on\n"
    )
    (project / aider.INPUTS).write_text(inputs, encoding="utf-8")
    text = f"{START}\n#### go on  \n\nYes.\n\n#### two  \n#### lines  \n\n#### go on  \n" + START.replace(
        "05-19", "05-20"
    )
    times = [one.occurred_at for one in told(project, text) if one.kind is EventKind.PROMPT]
    local = [datetime(2026, 5, 19, 19, 13, 0, 250000), datetime(2026, 5, 19, 19, 20)]
    assert times[:2] == [one.astimezone(UTC) for one in local]
    assert times[2] and times[1] and times[2] > times[1]  # without a time of its own, in its order


def test_found_below_home_but_not_in_hidden_folders_packages_or_links(tmp_path: Path) -> None:
    home = tmp_path / "ada"
    wanted = [home / "a", home / "work" / "b" / "c", home]
    others = [
        home / ".cache" / "x",
        home / "a" / "node_modules" / "y",
        home / "1" / "2" / "3" / "4" / "5",
        tmp_path / "out",
    ]
    for folder in (*wanted, *others):
        folder.mkdir(parents=True, exist_ok=True)
        wrote(folder, f"{START}\n#### hi  \n")
    (home / "link").symlink_to(tmp_path / "out")
    found = list(aider.find_sessions(home))
    assert [path.parent for path in found] == [home, home / "a", home / "work" / "b" / "c"]
    assert list(aider.histories_in(tmp_path / "out")) == list(aider.sessions_in(tmp_path / "out" / aider.FILE))
    assert aider.original(found[0]) is None


def test_only_a_history_of_aider_is_claimed(tmp_path: Path) -> None:
    path = wrote(tmp_path, f"{START}\n#### hi  \n")
    assert [name for name, one in READERS.items() if one.sessions_in(path)] == ["aider"]
    (session,) = aider.sessions_in(path)
    assert aider.sessions_in(session) == (session,)
    (tmp_path / "notes.md").write_text("# Notes\n\n# aider chat started at 2026-05-19 19:12:41\n", encoding="utf-8")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "empty.md").touch()
    os.mkfifo(tmp_path / "pipe.md")
    for name in ("notes.md", "folder.md", "empty.md", "pipe.md", "gone.md"):
        assert aider.sessions_in(tmp_path / name) == ()
    with pytest.raises(OSError, match="holds no session"):
        list(aider.read_transcript(path.with_name(f"{path.name}#none")))
    with pytest.raises(FileNotFoundError):
        list(aider.read_transcript(tmp_path / "gone.md"))


def test_odd_bytes_cost_only_themselves(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aider, "LINE_BYTES_MAX", 200)
    path = project / aider.FILE
    raw = f"{START}\n#### caf\u00e9 plan  \r\n\n{'x' * 700}\nYes.\n".encode("latin-1")
    path.write_bytes(b"\xef\xbb\xbf" + raw.replace(b"Yes", b"Y\0es"))
    with listening() as said:
        seen = list(aider.read_transcript(path))
    assert typed(seen) == ["caf\ufffd plan"]
    assert seen[-1].payload["text"] == "Yes."
    assert said.skipped == {"line too long": 1}


PIECES = st.sampled_from(
    ["#### x  ", "> ", "> Applied edit to a", "> Commit abcdef1 x", "> Removed: 1", "#### /undo  ", "```",
     "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "a.py", "", "> Running ls", "> ^C",
     "> Run shell command? (Y)es/(N)o [Yes]: n  "]
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.text(max_size=10), max_size=25))
def test_whatever_stands_in_a_history_it_never_raises(project: Path, lines: list[str]) -> None:
    path = project / aider.FILE
    path.write_bytes((START + "\n".join(lines)).encode("utf-8", "surrogatepass"))
    seen = list(aider.read_transcript(path))
    keys = [(one.session_id, one.native_key) for one in seen]
    assert len(set(keys)) == len(keys)
