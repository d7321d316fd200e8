"""Every structural kind, and words in several languages."""

from dataclasses import asdict

import pytest

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.records import Correction, CorrectionKind, Event, EventKind
from hivemind_cli.pipeline.codify.gate import QUOTE_CHARS_MAX
from hivemind_cli.pipeline.detect import CANDIDATE_CHARS_MAX, Detect
from hivemind_cli.pipeline.detect.said import judge
from hivemind_cli.pipeline.judged import CORRECTION_MIN, PASS_MIN
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.session import Session


@pytest.fixture
def session() -> Session:
    return Session(InMemoryStore())


def only(session: Session) -> Correction:
    found = session.corrections()
    assert len(found) == 1, [(one.kind, one.quote) for one in found]
    return found[0]


def test_words_that_put_the_last_act_right_are_a_correction_with_its_act(session: Session) -> None:
    session.says("deploy the docs")
    session.runs("rsync -a site/ host:/srv")
    session.replies()
    session.says("no, never rsync by hand here, we use the publish target")
    found = only(session)
    assert found.kind is CorrectionKind.SAID
    assert found.durable is True
    assert found.task == "deploy the docs"
    assert Act.of(found.act).heads == ("rsync site",) or Act.of(found.act).command.startswith("rsync")


@pytest.mark.parametrize(
    "words",
    [
        "nein, bei uns nie curl, immer die interne Bibliothek",
        "non, on n'utilise jamais curl dans ce projet",
        "no, en este proyecto nunca usamos curl",
        "не надо curl, у нас всегда внутренняя библиотека",
        "いいえ、このプロジェクトではcurlではなく社内ライブラリを使ってください",
        "不对，我们不用curl，以后都用内部库",
        "아니, 우리 프로젝트에서는 curl 말고 사내 라이브러리를 써야 해",
    ],
)
def test_a_correction_is_heard_in_any_language(session: Session, words: str) -> None:
    session.says("fetch the rates")
    session.runs("curl https://example.org/rates")
    session.replies()
    session.says(words)
    found = only(session)
    assert found.kind is CorrectionKind.SAID
    assert found.durable is True


@pytest.mark.parametrize(
    "words",
    [
        "great, now add a test for it",
        "yes please continue",
        "now write the changelog",
        "what does the second function do?",
        "thanks",
    ],
)
def test_going_on_is_no_correction(session: Session, words: str) -> None:
    session.says("write the parser")
    session.writes("src/parser.py")
    session.replies()
    session.says(words)
    assert session.corrections() == []


def test_a_no_that_answers_a_question_is_an_answer() -> None:
    assert not judge("no, that is all", None, "Shall I also write a test?", "").correction


def test_a_refused_call_with_words_is_a_rejection(session: Session) -> None:
    session.says("create the file")
    act = Act("edit", "Write", path="b.txt", text="    b\n")
    session.calls_tool(act)
    session.event(EventKind.TOOL_DENIED, call_id="call1", act=act.as_json(), by="person", words="use tabs, not spaces")
    found = only(session)
    assert (found.kind, found.quote) == (CorrectionKind.REJECTED, "use tabs, not spaces")


def test_a_wordless_refusal_takes_the_next_prompt_as_its_words(session: Session) -> None:
    session.says("clean up")
    act = Act(SHELL, "Bash", command="rm -rf build")
    session.calls_tool(act)
    session.event(EventKind.TOOL_DENIED, call_id="call1", act=act.as_json(), by="person", words="")
    session.event(EventKind.INTERRUPT, for_tool=True)
    session.says("move it to the archive folder")
    found = only(session)
    assert (found.kind, found.quote) == (CorrectionKind.REJECTED, "move it to the archive folder")


def test_a_call_denied_by_a_rule_or_by_us_is_no_rejection(session: Session) -> None:
    session.says("clean up")
    for by in ("rule", "hivemind"):
        act = Act(SHELL, "Bash", command="rm -rf build")
        session.event(EventKind.TOOL_DENIED, call_id=by, act=act.as_json(), by=by, words="not allowed")
    assert session.corrections() == []


def test_an_interrupt_and_a_new_instruction_are_one_correction(session: Session) -> None:
    session.says("tell me about the module")
    session.event(EventKind.INTERRUPT, for_tool=False)
    session.says("shorter, one paragraph")
    found = only(session)
    assert (found.kind, found.quote) == (CorrectionKind.INTERRUPTED, "shorter, one paragraph")


def test_lines_changed_by_hand_are_a_correction_with_the_diff(session: Session) -> None:
    session.says("write the config")
    session.writes("app/config.py", "timeout = 30\n")
    session.replies()
    session.says(
        "next, the docs",
        edited=[
            {"path": "app/config.py", "call_id": "call1", "removed": ["timeout = 30"], "added": ["timeout_s = 30"]}
        ],
    )
    found = only(session)
    assert found.kind is CorrectionKind.HAND_EDIT
    assert (found.before, found.after) == ("timeout = 30", "timeout_s = 30")


def test_an_edit_changed_before_it_was_accepted_is_a_hand_edit(session: Session) -> None:
    session.says("write the config")
    session.writes("app/config.py", user_modified=True)
    assert only(session).kind is CorrectionKind.HAND_EDIT


def test_taking_back_the_agents_change_with_git_is_a_revert(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    session.replies()
    session.event(EventKind.STEER, text="", ran="git checkout -- src/parser.py")
    found = only(session)
    assert found.kind is CorrectionKind.REVERTED
    assert Act.of(found.act).path == "src/parser.py"


def test_git_on_other_files_is_no_revert(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    session.event(EventKind.STEER, text="", ran="git checkout -- README.md")
    assert session.corrections() == []


def test_the_same_request_again_is_a_redo(session: Session) -> None:
    session.says("add pagination to the orders endpoint")
    session.writes("api/orders.py")
    session.replies()
    session.says("add pagination to the orders endpoint")
    assert only(session).kind is CorrectionKind.REDO


def test_a_red_check_after_done_is_a_correction(session: Session) -> None:
    session.says("fix the rounding")
    session.writes("money.py")
    session.replies("Fixed, all done.")
    session.says("run the checks")
    session.runs("make test", error="Exit code 2\n1 failed")
    assert [one.kind for one in session.corrections()] == [CorrectionKind.RED_AFTER_DONE]


def test_a_red_check_before_done_is_work(session: Session) -> None:
    session.says("fix the rounding")
    session.writes("money.py")
    session.runs("make test", error="Exit code 2")
    assert session.corrections() == []


def test_an_error_and_the_call_that_worked_are_debugging_memory(session: Session) -> None:
    session.says("list the pods")
    session.runs("kubectl get pod --all", error="unknown flag: --all")
    session.runs("kubectl get pod --all-namespaces")
    found = only(session)
    assert found.kind is CorrectionKind.TOOL_RETRY
    assert "unknown flag" in found.before
    assert found.after == "kubectl get pod --all-namespaces"


def test_looking_twice_finds_the_same_records(session: Session) -> None:
    session.says("deploy")
    session.runs("rsync -a a b")
    session.replies()
    session.says("no, never use rsync here")
    first = session.corrections()
    rows = session.store.find(type(session.says("thanks")))
    again = Detect().step(rows, session.store)
    assert {one.id for one in first} == {one.id for one in again}


def test_the_same_mistake_in_other_words_has_the_same_key(session: Session) -> None:
    for words in ("no, never use rsync here", "stop, rsync is not how we do it in this project"):
        session.says("deploy")
        session.runs("rsync -a /a /b")
        session.replies()
        session.says(words)
        session.replies()
    keys = {one.recurrence_key for one in session.corrections() if one.kind is CorrectionKind.SAID}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pytest tests/", "use `uv run pytest` please, plain pytest picks up another interpreter"),
        ("git commit -m 'fixed it'", "commit messages must follow our convention, e.g. fix(api): ..."),
        ("docker build .", "use podman, docker isn't allowed on these machines"),
        ("rm package.lock", "you should not delete the lock file, ever"),
        ("kubectl apply -f k8s/", "we deploy through the pipeline only, kubectl apply by hand is not ok"),
        ("mysql shop -e 'DELETE FROM carts'", "you ran it without a WHERE, use a transaction for such things"),
    ],
)
def test_plain_words_about_the_very_command_are_a_rule(session: Session, command: str, words: str) -> None:
    session.says("take care of it")
    session.runs(command)
    session.replies()
    session.says(words)
    found = only(session)
    assert (found.kind, found.durable) == (CorrectionKind.SAID, True)


def test_a_rule_for_this_time_only_is_not_lasting(session: Session) -> None:
    session.says("deploy")
    session.runs("rsync -a a b")
    session.replies()
    session.says("no, never mind rsync this time, copy the one file by hand")
    assert only(session).durable is False


def test_words_find_the_act_they_name_among_several(session: Session) -> None:
    session.says("set the project up")
    session.runs("make venv")
    session.runs("curl -O https://example.org/tool.sh")
    session.writes("notes.md", "# Setup")
    session.replies()
    session.says("no, never use curl here, we vendor our tools")
    assert Act.of(only(session).act).command.startswith("curl")


def test_the_words_after_an_interrupt_are_said_once(session: Session) -> None:
    session.says("create the notes")
    session.writes("notes.txt")
    session.replies()
    session.says("tell a long story")
    session.event(EventKind.INTERRUPT, for_tool=False)
    session.says("No, not a long story. Write one haiku instead.")
    found = only(session)
    assert found.kind is CorrectionKind.INTERRUPTED
    assert found.act == {}


def test_a_hand_edit_and_the_words_about_it_are_both_kept(session: Session) -> None:
    session.says("name the endpoint")
    session.writes("api/routes.py", "@app.get('/getUsers')\n")
    session.replies()
    edited = [{"path": "api/routes.py", "call_id": "call1", "removed": ["@app.get('/getUsers')"], "added": ["x"]}]
    session.says("routes are plural nouns here, no verbs", edited=edited)
    assert {one.kind for one in session.corrections()} == {CorrectionKind.HAND_EDIT, CorrectionKind.SAID}


def test_a_long_session_stored_at_once_gives_what_it_gives_event_by_event() -> None:
    told = Session(InMemoryStore())
    for n in range(241):
        told.says("deploy the docs")
        told.runs("rsync -a site/ host:/srv")
        told.replies()
        told.says("no, never rsync by hand here, we use the publish target" if n in (0, 120, 240) else "thanks")
    events = [row.record for row in told.store.find(Event)]
    assert len(events) == 1205
    at_once, one_by_one = InMemoryStore(), InMemoryStore()
    at_once.append(events)
    while run_once(Detect(), at_once):
        pass
    for event in events:
        one_by_one.append([event])
        run_once(Detect(), one_by_one)
    found = [row.record for row in at_once.find(Correction)]
    assert len(found) == 3
    assert found == [row.record for row in one_by_one.find(Correction)]


def test_a_candidate_keeps_little_of_what_was_pasted(session: Session) -> None:
    session.says("make the page " + "wide " * 20_000)
    session.writes("src/a.ts", "const a = 1;\n" * 20_000)
    session.replies()
    session.says("that is too small, " + "word and more " * 5000)
    (one,) = session.noticed()
    assert PASS_MIN <= one.confidence < CORRECTION_MIN
    assert max(len(text) for text in (one.quote, one.task, one.act["text"])) <= CANDIDATE_CHARS_MAX
    assert len(one.quote) > QUOTE_CHARS_MAX, "a yes of a person's would make a pasted text a rule"
    assert sum(len(str(value)) for value in asdict(one).values()) < 8000
