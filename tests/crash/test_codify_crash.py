"""`kill -9` between draft, check, gate, commit, file and receipt, while one session or two tell of one mistake.

After each restart: one skill, its versions without a gap, one file that says what the newest says, no temporary file,
no stray link, no unreceipted folder. No child goes on, and no question whose answer reached the daemon is paid twice.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import LLMCall, Project, SkillRevision, SkillState
from hivemind_cli.daemon import lock, spawn
from hivemind_cli.llm.meter import OK
from hivemind_cli.skills.format import render
from hivemind_cli.skills.receipts import TreeReceipts
from hivemind_cli.storage.daemon import DaemonStore
from tests.app.conftest import make_tree
from tests.crash.lesson import RULE, correct
from tests.crash.test_loop_crash import kill
from tests.crash.thinker import Thinker
from tests.crash.wired import Wired

THINKS_S = 0.05
TAKES_S = {"thinking": 45.0, "checking": 0.3}
"""Where the child must still think when the daemon dies; were it left to think on, it would be seen."""
GONE_WITHIN_S = 2.0
POINT_WITHIN_S = 15.0
SETTINGS = """
[llm]
allow = true
provider = "claude"
judge_calls_day_max = 0
calls_day_max = 100000
tokens_per_day = 1000000000
"""


@dataclass
class Round:
    """One lesson in a working tree of its own."""

    wired: Wired
    thinker: Thinker
    tree: Path
    sessions: tuple[str, ...]
    """Those that tell of it, at once. Of one alone the same is asked after a death, of two perhaps more."""
    before: dict[str, int] = field(default_factory=dict)

    @property
    def skills(self) -> list[Path]:
        return list(self.tree.glob(".claude/skills/*/SKILL.md"))

    @property
    def receipts(self) -> TreeReceipts:
        return TreeReceipts.of(self.wired.paths.receipts, self.tree)

    def noted(self, what: str) -> bool:
        """Since the round began."""
        return self.thinker.count(what) > self.before.setdefault(what, 0)


def wal_bytes(paths: Paths) -> int:
    wal = paths.database.with_name(paths.database.name + ".wal")
    try:
        return wal.stat().st_size
    except FileNotFoundError:
        return -1


def committed(round: Round) -> Callable[[], bool]:
    """After the second answer: its receipt, then the revision, each is one write of the database."""
    seen: list[int] = []

    def reached() -> bool:
        if not round.noted("answered check"):
            return False
        now = wal_bytes(round.wired.paths)
        if not seen or now != seen[-1]:
            seen.append(now)
        return len(seen) > 2

    return reached


POINTS: dict[str, Callable[[Round], Callable[[], bool]]] = {
    "thinking": lambda round: lambda: round.noted("asked codify"),
    "drafted": lambda round: lambda: round.noted("answered codify"),
    "checking": lambda round: lambda: round.noted("asked check"),
    "checked": lambda round: lambda: round.noted("answered check"),
    "committed": committed,
    "receipted": lambda round: lambda: bool(round.receipts.all()),
    "written": lambda round: lambda: bool(round.skills),
    "linked": lambda round: lambda: bool(list(round.tree.glob(".agents/skills/*"))),
    "random": lambda round: lambda: True,
}
"""Where the daemon is killed: as soon as this is so, or a moment later."""
LATER_S = {"drafted": 0.02, "checked": 0.1, "committed": 0.005, "receipted": 0.003, "written": 0.005, "random": 1.5}


@pytest.fixture
def thinker(tmp_path: Path) -> Thinker:
    return Thinker.installed(tmp_path / "bin", THINKS_S)


@pytest.fixture
def wired(thinker: Thinker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wired]:
    monkeypatch.setenv("PATH", f"{thinker.folder}:{os.environ['PATH']}")
    paths = Paths.from_env(os.environ)
    paths.make()
    paths.config.write_text(SETTINGS)
    wired = Wired.install(paths)
    yield wired
    wired.client.stop(30)
    assert lock.holder(wired.paths) is None


def died_at(round: Round, point: str, chance: random.Random) -> bool:
    """Wait for the point and kill the daemon there; was it reached, and a daemon there to be killed?"""
    reached = POINTS[point](round)
    deadline = time.monotonic() + POINT_WITHIN_S
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    time.sleep(chance.uniform(0, LATER_S.get(point, 0.0)))
    return kill(round.wired)


def last_receipt(wired: Wired) -> int:
    rows = DaemonStore(wired.client.call).find(LLMCall, newest_first=True, limit=1)
    return rows[0].seq if rows else 0


def settle(wired: Wired) -> None:
    """A new daemon does what is left to do."""
    wired.drained()
    assert wired.client.call("settle", {"seconds": 60}) == {"done": True}
    wired.client.call("observe")
    assert wired.client.call("daemon")["failing"] == []


def check(round: Round) -> SkillRevision:
    """One skill, one file, nothing beside them; the newest revision."""
    wired, tree = round.wired, round.tree
    (project_id,) = {row.record.project_id for row in wired.find(Project, root=str(tree))}
    history = [row.record for row in wired.find(SkillRevision, project_id=project_id)]
    assert len({one.skill_id for one in history}) == 1
    history.sort(key=lambda one: one.version)
    assert [one.version for one in history] == list(range(1, len(history) + 1))
    current = history[-1]
    assert any(RULE in line.text for line in current.lines)
    stands = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if ".git" not in path.parts)
    if current.state is SkillState.LIVE:
        real, link = f".claude/skills/{current.name}", f".agents/skills/{current.name}"
        made = [".agents", ".agents/skills", link, ".claude", ".claude/skills", real, f"{real}/SKILL.md"]
        assert [one for one in stands if one.startswith((".agents", ".claude"))] == made
        assert (tree / real / "SKILL.md").read_text() == render(current)
        assert (tree / link).resolve() == (tree / real).resolve()
        assert [one.name for one in round.receipts.all()] == [current.name]
    else:
        assert not [one for one in stands if one.startswith((".agents", ".claude"))]
        assert not round.receipts.folder.exists()
    assert not list(wired.paths.receipts.rglob("*.aside"))
    assert not list(wired.paths.spool_tmp.iterdir())
    assert not list(wired.paths.quarantine.iterdir())
    return current


@dataclass
class Tally:
    """What the rounds' questions cost."""

    answered: int = 0
    repeated: int = 0
    """Answers to a question that was answered before in its round."""
    unheard: int = 0
    """Answers that never reached a daemon: it died first."""
    twice: int = 0
    """Questions with two receipts."""

    def add(self, round: Round, answered: list[str], before: int) -> None:
        receipts = [row.record for row in round.wired.find(LLMCall, after=before)]
        heard = Counter(one.prompt_sha256 for one in receipts if one.result == OK)
        self.answered += len(answered)
        self.repeated += len(answered) - len(set(answered))
        self.unheard += len(answered) - heard.total()
        self.twice += sum(times > 1 for times in heard.values())


def nobody_goes_on(thinker: Thinker) -> None:
    """A killed daemon's child does not outlive it, however long it would have thought."""
    left = set(thinker.alive())
    thinker.takes(THINKS_S)
    gone_by = time.monotonic() + GONE_WITHIN_S
    while left & set(thinker.alive()):
        assert time.monotonic() < gone_by, "a killed daemon's child goes on"
        time.sleep(0.02)


def play(round: Round, point: str, chance: random.Random, *, command: tuple[str, ...] = ()) -> bool:
    """The sessions, and perhaps a command, at once, and a death among them; was there one?"""
    wired, tree = round.wired, round.tree
    for what in ("asked codify", "answered codify", "asked check", "answered check"):
        round.before[what] = round.thinker.count(what)
    spawn.spawn(wired.paths, os.environ)
    work: list[Callable[[], object]] = [
        lambda name=name: correct(wired, tree, f"{name} {tree.name}")  # type: ignore[misc]
        for name in round.sessions
    ]
    if command:
        work.append(lambda: wired.command(*command))
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    died = died_at(round, point, chance)
    if died:
        nobody_goes_on(round.thinker)
    for thread in threads:
        thread.join()
    return died


def undone_or_not(round: Round, chance: random.Random) -> bool:
    """A person takes the skill back while the daemon dies; was it killed?"""
    (skill,) = round.skills
    person = threading.Thread(target=round.wired.command, args=("skillify", "undo", skill.parent.name))
    person.start()
    time.sleep(chance.uniform(0.3, 1.0))
    died = kill(round.wired)
    person.join()
    return died


def rounds(wired: Wired, thinker: Thinker, home: Path, points: list[str], chance: random.Random) -> None:
    deaths: dict[str, int] = dict.fromkeys(points, 0)
    undos, tally = 0, Tally()
    for number, point in enumerate(points):
        thinker.takes(TAKES_S[point] if point in TAKES_S else chance.choice((0.0, THINKS_S, 0.3)))
        answered, receipts = len(thinker.answered()), last_receipt(wired)
        sessions = ("one", "other") if number % 2 else ("one",)
        round = Round(wired, thinker, make_tree(home / f"app{number:03}"), sessions)
        command = ("skillify", "run") if number % 5 == 4 else ()
        deaths[point] += play(round, point, chance, command=command)
        settle(wired)
        current = check(round)
        tally.add(round, thinker.answered()[answered:], receipts)
        if number % 6 == 5 and current.state is SkillState.LIVE:
            undos += undone_or_not(round, chance)
            settle(wired)
            undone = check(round)
            if undone.state is SkillState.LIVE and chance.random() < 0.5:
                wired.command("skillify", "retire", undone.name)
                assert check(round).state is SkillState.RETIRED
            elif undone.state is SkillState.RETIRED:
                wired.command("skillify", "accept", undone.name)
                assert check(round).state is SkillState.LIVE
    nobody_goes_on(thinker)
    assert not list(wired.paths.answers.glob("*")), "answers are kept of a batch that has ended"
    print(f"deaths at {deaths}, {undos} while undoing")
    print(tally)
    assert tally.twice == 0
    assert tally.repeated <= tally.unheard  # asked again is only what no daemon lived to hear
    assert 0 <= tally.unheard <= 2 * sum(deaths.values())  # two threads may be asking
    assert sum(deaths.values()) >= len(points) / 2


def test_a_daemon_killed_between_draft_and_file_leaves_one_skill(
    wired: Wired, thinker: Thinker, own_home: Path
) -> None:
    rounds(wired, thinker, own_home, ["checking", "written"], random.Random(7))


@pytest.mark.slow
@pytest.mark.parametrize("times", [3, 25])
def test_a_daemon_killed_at_every_point_leaves_one_skill(
    wired: Wired, thinker: Thinker, own_home: Path, times: int
) -> None:
    rounds(wired, thinker, own_home, list(POINTS) * times, random.Random(times))
