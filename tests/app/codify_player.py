"""Plays a scenario: sessions as an agent's hooks tell them, a model's answers by purpose, and what must come of it."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.reading import current_skills, skill_named
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.app.skillset import retire
from hivemind_cli.core.clock import system_clock
from hivemind_cli.core.config import CodifyConfig, Config, LLMConfig
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, GateSkip, LLMCall, Notice, SkillRevision, SkillState
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.meter import Metered
from hivemind_cli.llm.scripted import Answer, Scripted
from hivemind_cli.storage import open_store
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.conftest import make_tree
from tests.app.talk import Talk
from tests.pipeline.skill_claims import broken, broken_files, skill_files

USUAL = frozenset({"published", "announced"})
"""Notices that every live skill brings."""
SECTIONS = ("when", "do", "do_not", "note")
ERRORS: dict[str, Callable[[], Exception]] = {
    "busy": lambda: ProviderUnavailable("The service is busy (429)."),
    "timeout": lambda: ProviderUnavailable("The model did not answer in 90 s."),
    "refused": lambda: ProviderError("The model declined to answer."),
}


class Answers:
    """A provider with one script for each purpose. A check that has none is content with every line."""

    name = "scripted"

    def __init__(self, cost_usd: float) -> None:
        self.cost_usd = cost_usd
        self.scripts: dict[str, list[Any]] = {}
        self.requests: list[Request] = []

    def available(self) -> str:
        return ""

    def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        script = self.scripts.get(request.purpose, [])
        if request.purpose == "check" and not script:
            return Scripted([verdicts({}, request)], cost_usd=self.cost_usd).complete(request)
        answer = [answer_of(script.pop(0), request)] if script else []
        return Scripted(answer, cost_usd=self.cost_usd).complete(request)

    def asked(self, purpose: str) -> int:
        return sum(one.purpose == purpose for one in self.requests)


class Played:
    """A scenario in one home: tell it session by session, and see what is wrong with what came of it."""

    def __init__(self, paths: Paths, root: Path, scenario: Mapping[str, Any]) -> None:
        self.paths, self.root, self.scenario = paths, root, scenario
        self.store = _store(paths, scenario.get("store", "memory"))
        self.model = Answers(scenario.get("cost_usd", 0.001))
        llm = LLMConfig(**{"allow": True, "judge_calls_day_max": 0, **scenario.get("llm", {})})
        config = Config(llm=llm, codify=CodifyConfig(**scenario.get("config", {})))
        metered = Metered(self.model, self.store, llm, system_clock, sleep=lambda _: None)
        provider = None if scenario.get("model") == "none" else metered
        self.owner = OwnedHivemind(
            paths=paths, config=config, store=self.store, sidecars=Sidecars(InMemoryIndex()), provider=provider
        )
        self.trees: dict[str, Path] = {}
        self.told = 0

    def tree(self, name: str) -> Path:
        """The working tree of a project, with the scenario's own files in it."""
        if name not in self.trees:
            self.trees[name] = make_tree(self.root / name)
            for path, text in self.scenario.get("tree", {}).items():
                (self.trees[name] / path).parent.mkdir(parents=True, exist_ok=True)
                (self.trees[name] / path).write_text(str(filled(text)), "utf-8")
        return self.trees[name]

    def play(self) -> Iterator[str]:
        """What is wrong, in sentences; nothing if all is as the scenario says."""
        for number, session in enumerate(self.scenario["sessions"], 1):
            self.model.requests.clear()
            foreign = next((one.id for one in self._all(Correction)), "")
            told = json.loads(json.dumps(session).replace("$foreign", foreign))
            self.model.scripts = {one: list(told.get(one, [])) for one in ("codify", "check")}
            self.tell(session)
            yield from (f"session {number}: {one}" for one in self.wrong(session["then"]))

    def tell(self, session: Mapping[str, Any]) -> None:
        self.told += 1
        talk = Talk(self.paths, self.tree(session.get("project", "app")), f"s{self.told}")
        for act, *arguments in session["tells"]:
            TELLS[act](self, talk, *arguments)
        self.owner.settle()

    def wrong(self, then: Mapping[str, Any]) -> Iterator[str]:
        skills = current_skills(self.store)
        if skills or "skills?" not in then:
            yield from _unlike(then.get("skills", then.get("skills?", [])), skills)
        yield from self._on_disk(sum(one.state is SkillState.LIVE for one in skills))
        reasons = [one.reason for one in self._all(GateSkip)]
        yield from _counted("skips", then.get("skips", []), reasons, also=then.get("skips?", []))
        abouts = [one.about for one in self._all(Notice) if one.about not in USUAL]
        yield from _counted("notices", then.get("notices", []), abouts, also=then.get("notices?", []))
        for purpose, times in then.get("asked", {}).items():
            if self.model.asked(purpose) != times:
                yield f"the model was asked {self.model.asked(purpose)} times to {purpose}, not {times}"
        if "receipts" in then:
            yield from _counted("receipts", then["receipts"], [one.result for one in self._all(LLMCall)])
        corrections = {one.id: one for one in self._all(Correction)}
        for one in self._all(SkillRevision):
            if one.drafter != "person" and not one.body:
                yield from (f"{one.name} v{one.version}: {how}" for how in broken(one, corrections))
        yield from (f"{never!r} stands in {where}" for never in self._never() for where in self._where(never))

    def _never(self) -> list[str]:
        return [str(filled(one)) for one in self.scenario.get("never", [])]

    def _where(self, never: str) -> Iterator[str]:
        """Where a text stands that may not come out anywhere, whatever its case."""
        low = never.casefold()
        for kind in (SkillRevision, Notice, GateSkip, LLMCall):
            for one in self._all(kind):
                if low in _told(one):
                    yield f"a {kind.__name__}: {_told(one)[:600]}"
        for tree in self.trees.values():
            yield from (str(file) for file in skill_files(tree) if low in file.read_text("utf-8").casefold())
        memos = self.scenario.get("memo", False)
        for document in self.owner.index.all():
            if low in document.text.casefold() and not (memos and document.kind == "memo"):
                yield f"what recall gives ({document.kind})"

    def _on_disk(self, live: int) -> Iterator[str]:
        files = [file for tree in self.trees.values() for file in skill_files(tree)]
        if len(files) != live:
            yield f"{len(files)} files stand on disk, not {live}: {[file.parent.name for file in files]}"
        for tree in self.trees.values():
            yield from broken_files(tree)
        indexed = [one.name for one in self.owner.index.all() if one.kind == "skill"]
        if len(indexed) != live:
            yield f"recall knows the skills {indexed}, not {live} of them"

    def _all(self, kind: type[Any]) -> list[Any]:
        return [row.record for row in self.store.find(kind)]

    # What is done in a scenario besides talking

    def person_edits(self, _talk: Talk, added: str) -> None:
        self.owner.settle()
        (file,) = [file for tree in self.trees.values() for file in skill_files(tree)]
        file.write_text(file.read_text("utf-8").rstrip("\n") + f"\n{added}\n", "utf-8")
        self._chores()

    def person_deletes(self, _talk: Talk) -> None:
        self.owner.settle()
        (file,) = [file for tree in self.trees.values() for file in skill_files(tree)]
        file.unlink()
        self._chores()

    def person_retires(self, _talk: Talk) -> None:
        self.owner.settle()
        (skill,) = current_skills(self.store)
        retire(self.store, skill_named(self.store, skill.name), datetime.now(UTC))
        self.owner.touched()
        self._chores()

    def _chores(self) -> None:
        self.owner.tick(datetime.now(UTC))
        self.owner.settle()


def answer_of(said: Any, request: Request) -> Answer:
    """What a scenario writes short, as the answer of a model that was asked `request`."""
    if isinstance(said, str):
        return said
    if "error" in said:
        return ERRORS[said["error"]]()
    if "raw" in said:
        return str(filled(said["raw"]))
    if "draft" in said:
        return drafted(filled(said["draft"]), request)
    if "refuses" in said or "words" in said:
        return verdicts(said, request)
    answer: dict[str, Any] = filled(said)
    return answer


def verdicts(said: Mapping[str, Any], request: Request) -> Answer:
    """A check's answer: all is carried but what is like `refuses`, by `words` (the whole of what the person said)."""
    shown = json.loads(request.prompt)
    spoken = {one["id"]: one.get("person_said") or one.get("person_changed_it_to", "") for one in shown["turns"]}
    lines = []
    for one in shown["lines"]:
        refused = "refuses" in said and re.search(said["refuses"], one["text"])
        words = "" if refused else said.get("words", spoken[one["turns"][0]])
        lines.append({"id": one["id"], "verdict": "not_carried" if refused else "carried", "words": words})
    return {"lines": lines}


def drafted(short: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """A whole draft: each line under its section, carried by all corrections shown unless it says otherwise."""
    shown = json.loads(request.prompt)
    everything = [one["id"] for one in shown["corrections"]]
    beside = [one["name"] for one in shown.get("existing_skills", [])]
    lines = [_line(section, one, everything) for section in SECTIONS for one in short.get(section, [])]
    target = short.get("target", "")
    if isinstance(target, int):
        target = beside[target]
    whole = {
        "decision": short.get("decision", "keep"),
        "target": target,
        "reason": short.get("reason", ""),
        "name": short.get("name", ""),
        "title": short.get("title", ""),
        "description": short.get("description", ""),
        "lines": lines,
    }
    return {**whole, **short.get("more", {})}


def _line(section: str, said: Any, everything: list[str]) -> dict[str, Any]:
    line = {"text": said} if isinstance(said, str) else dict(said)
    return {"section": section, "corrections": everything, "replaces": "", **line}


def filled(value: Any) -> Any:
    """`value` with each {"repeat": [text, times]} written out."""
    if isinstance(value, dict):
        if set(value) == {"repeat"}:
            text, times = value["repeat"]
            return str(text) * int(times)
        return {key: filled(one) for key, one in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value


def scenarios(folder: Path) -> list[dict[str, Any]]:
    """All scenarios of a folder's files, written out: shared tells and drafts in place, a lone session in a list."""
    shared = json.loads((folder / "_shared.json").read_text("utf-8"))
    found: list[dict[str, Any]] = []
    for file in sorted(folder.glob("[!_]*.json")):
        for one in json.loads(file.read_text("utf-8")):
            own = {key: one.pop(key) for key in ("tells", "codify", "check", "then") if key in one}
            sessions = [_written_out(session, shared) for session in one.get("sessions", [own])]
            found.append(one | {"file": file.stem, "sessions": sessions})
    return found


def _written_out(session: dict[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    tells = session["tells"]
    answers = [
        one if isinstance(one, str) or "draft" not in one else _like(one, shared) for one in session.get("codify", [])
    ]
    return session | {"tells": shared["tells"][tells] if isinstance(tells, str) else tells, "codify": answers}


def _like(answer: dict[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    draft = answer["draft"]
    return {"draft": {**shared["drafts"].get(draft.get("like", ""), {}), **draft}}


def _unlike(expected: list[dict[str, Any]], skills: list[SkillRevision]) -> Iterator[str]:
    """Each expected skill is another one of `skills`, and there is no other."""
    if len(expected) != len(skills):
        yield f"{len(skills)} skills came of it, not {len(expected)}: {[(one.name, one.state.value) for one in skills]}"
        return
    orders = ([_differs(*pair) for pair in zip(expected, order, strict=True)] for order in permutations(skills))
    yield from min(([how for each in order for how in each] for order in orders), key=len)


def _differs(wanted: Mapping[str, Any], skill: SkillRevision) -> list[str]:
    lines = "\n".join(f"{line.section}: {line.text}" for line in skill.lines)
    said = {
        "name": skill.name,
        "title": skill.title,
        "trigger": skill.trigger,
        "state": skill.state.value,
        "drafter": skill.drafter,
        "reason": skill.reason,
        "version": str(skill.version),
        "scope": skill.scope.value,
        "lines": str(len(skill.lines)),
    }
    wrong = [
        f"{field} is {said[field]!r}, not like {wanted[field]!r}"
        for field in said
        if field in wanted and not re.search(str(wanted[field]), said[field])
    ]
    body = lines + skill.body
    wrong += [f"no line says {one!r}: {body}" for one in wanted.get("has", []) if not re.search(one, body)]
    wrong += [f"a line says {one!r}: {body}" for one in wanted.get("lacks", []) if re.search(one, body)]
    return wrong


def _counted(what: str, expected: list[str], seen: list[str], also: Collection[str] = ()) -> Iterator[str]:
    """As many as expected, each like one of them. `also`: what the others may be like."""
    left = list(seen)
    for wanted in expected:
        one = next((each for each in left if re.search(wanted, each)), None)
        if one is None:
            yield f"{what}: none is like {wanted!r}; {seen}"
        else:
            left.remove(one)
    left = [one for one in left if not any(re.search(each, one) for each in also)]
    if left:
        yield f"{what}: not expected: {left}"


def _told(record: Any) -> str:
    """All that a record says, as a person may come to read it; what the evidence itself was is no word of ours."""
    if isinstance(record, SkillRevision):
        record = replace(record, acts=(), tasks=())
    return json.dumps(asdict(record), default=str, ensure_ascii=False).casefold()


def _store(paths: Paths, engine: str) -> Store:
    return InMemoryStore() if engine == "memory" else open_store(engine, paths.database, memory_mb=64)


def _responds(tool: str, tool_input: dict[str, Any], response: Any) -> Callable[[Talk], None]:
    def tell(talk: Talk) -> None:
        _, call_id = talk.calls(tool, tool_input)
        talk.came_back(call_id, tool, tool_input, response)

    return tell


def _reads(_: Played, talk: Talk, path: str, text: str) -> None:
    response = {"type": "text", "file": {"filePath": path, "content": text, "numLines": 1}}
    _responds("Read", {"file_path": str(talk.tree / path)}, response)(talk)


def _fetches(_: Played, talk: Talk, url: str, text: str) -> None:
    response = {"url": url, "code": 200, "codeText": "OK", "result": text, "bytes": len(text)}
    _responds("WebFetch", {"url": url, "prompt": "What does it say?"}, response)(talk)


def _uses(_: Played, talk: Talk, tool: str, tool_input: dict[str, Any], response: str) -> None:
    _responds(tool, tool_input, response)(talk)


TELLS: dict[str, Callable[..., Any]] = {
    "says": lambda _, talk, text: talk.says(str(filled(text))),
    "runs": lambda _, talk, command, output="": talk.runs(command, str(filled(output))),
    "fails": lambda _, talk, command, error: talk.runs(command, error=str(filled(error))),
    "writes": lambda _, talk, path, text: talk.writes(talk.tree / path, text),
    "edits": lambda _, talk, path, old, new: talk.edits(talk.tree / path, old, new),
    "uses": _uses,
    "reads": _reads,
    "fetches": _fetches,
    "replies": lambda _, talk, text="Done.": talk.replies(str(filled(text))),
    "ends": lambda _, talk: talk.ends(),
    "person edits": Played.person_edits,
    "person deletes": Played.person_deletes,
    "person retires": Played.person_retires,
}
