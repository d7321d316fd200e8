"""Made-up session files of any size, as several hosts write them: prompts, calls, long outputs, errors, corrections.

The words are drawn from a small list by a seeded generator: the same seed gives the same bytes.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
SYLLABLES = ["ba", "ke", "lo", "mu", "ri", "sa", "to", "ve", "ni", "du", "pe", "ga"]
WORDS = [f"{a}{b}{c}" for a in SYLLABLES for b in SYLLABLES[:8] for c in SYLLABLES[:8]]
RULES = (
    "no, never use {a} here, always use {b}",
    "that is wrong, the {a} belongs into {b}",
    "don't touch {a}. Put it back and use {b} instead",
    "I told you before: {b}, not {a}",
)


class Maker:
    """Makes sessions of one seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._n = 0

    def text(self, words: int) -> str:
        """So many words, in lines."""
        chosen = self._random.choices(WORDS, k=words)
        return "\n".join(" ".join(chosen[at : at + 12]) for at in range(0, words, 12))

    def id(self) -> str:
        """A fresh one, as hosts make them."""
        return f"{self._random.getrandbits(128):032x}"

    def turns(self, bytes_min: int) -> Iterator[dict[str, Any]]:
        """{ask, calls: [{id, command or path, output, fails}], reply}, until so many bytes are in them."""
        made = 0
        while made < bytes_min:
            self._n += 1
            a, b = self._random.sample(WORDS, 2)
            corrects = self._random.random() < 0.15
            ask = self._random.choice(RULES).format(a=a, b=b) if corrects else f"please {self.text(14)}"
            calls = []
            for _ in range(self._random.randint(1, 6)):
                output = self.text(self._random.choice((5, 40, 200, 900, 3000)))
                fails = self._random.random() < 0.1
                edits = self._random.random() < 0.3
                calls.append(
                    {
                        "id": self.id(),
                        "command": "" if edits else f"{self._random.choice(WORDS)} {self._random.choice(WORDS)} --all",
                        "path": f"src/{self._random.choice(WORDS)}.py" if edits else "",
                        "old": self.text(20),
                        "new": self.text(30),
                        "output": output,
                        "fails": fails,
                    }
                )
                made += 2 * len(output) + 1500
            yield {"ask": ask, "calls": calls, "reply": f"Done: {self.text(30)}"}


def corrected_session(home: Path, cwd: Path | str, *, id: str, folder: str = "p") -> Path:
    """A short Claude Code session with one correction; its file."""
    both = {"sessionId": id, "cwd": str(cwd), "timestamp": "2026-06-16T10:41:07Z"}
    said = [("u1", "build the shelf"), ("u2", "no, never use glue here, always use screws")]
    lines = []
    for uuid, text in said:
        prompt = {"type": "user", "uuid": uuid, "promptId": uuid, "message": {"role": "user", "content": text}}
        reply = {"type": "assistant", "uuid": f"{uuid}r", "message": {"content": [{"type": "text", "text": "Done."}]}}
        lines += [{**both, **prompt}, {**both, **reply}]
    file = home / ".claude" / "projects" / folder / f"{id}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


def claude_session(file: Path, bytes_min: int, *, cwd: str, seed: int) -> int:
    """A Claude Code session; how many prompts it has."""
    make = Maker(seed)
    session_id = file.stem
    file.parent.mkdir(parents=True, exist_ok=True)
    at = START + timedelta(days=seed % 250)
    parent: str | None = None
    prompts = 0
    with file.open("w", encoding="utf-8") as out:

        def line(kind: str, message: dict[str, Any], **fields: Any) -> None:
            nonlocal parent, at
            at += timedelta(seconds=7)
            uuid = make.id()
            known: dict[str, Any] = {"parentUuid": parent, "isSidechain": False, "userType": "external", "cwd": cwd}
            known |= {"sessionId": session_id, "version": "2.1.300", "gitBranch": "main", "type": kind, "uuid": uuid}
            known |= {"timestamp": at.isoformat().replace("+00:00", "Z"), "message": message, **fields}
            out.write(json.dumps(known) + "\n")
            parent = uuid

        for turn in make.turns(bytes_min):
            prompts += 1
            prompt_id = make.id()
            line("user", {"role": "user", "content": turn["ask"]}, promptId=prompt_id)
            for call in turn["calls"]:
                tool = "Bash" if call["command"] else "Edit"
                given = (
                    {"command": call["command"]}
                    if call["command"]
                    else {"file_path": f"{cwd}/{call['path']}", "old_string": call["old"], "new_string": call["new"]}
                )
                use = {"type": "tool_use", "id": call["id"], "name": tool, "input": given}
                line("assistant", {"role": "assistant", "model": "m", "content": [use]})
                result = {"type": "tool_result", "tool_use_id": call["id"], "content": call["output"]}
                result |= {"is_error": True} if call["fails"] else {}
                line(
                    "user",
                    {"role": "user", "content": [result]},
                    promptId=prompt_id,
                    toolUseResult={"stdout": call["output"], "stderr": "", "interrupted": False},
                )
            said = {"type": "text", "text": turn["reply"]}
            line("assistant", {"role": "assistant", "model": "m", "content": [said], "stop_reason": "end_turn"})
    return prompts


def codex_session(file: Path, bytes_min: int, *, cwd: str, seed: int) -> int:
    """A Codex rollout; how many prompts it has."""
    make = Maker(seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    at = START + timedelta(days=seed % 250)
    prompts = 0
    with file.open("w", encoding="utf-8") as out:

        def line(kind: str, payload: dict[str, Any]) -> None:
            nonlocal at
            at += timedelta(seconds=7)
            stamp = at.isoformat().replace("+00:00", "Z")
            out.write(json.dumps({"timestamp": stamp, "type": kind, "payload": payload}) + "\n")

        def item(kind: str, **fields: Any) -> None:
            line("response_item", {"type": kind, **fields})

        session_id = file.stem.removeprefix("rollout-")
        line("session_meta", {"id": session_id, "cwd": cwd, "originator": "codex_cli_rs", "cli_version": "0.104.0"})
        for turn in make.turns(bytes_min):
            prompts += 1
            item("message", role="user", content=[{"type": "input_text", "text": turn["ask"]}])
            line("event_msg", {"type": "user_message", "message": turn["ask"], "images": []})
            for call in turn["calls"]:
                given = json.dumps({"cmd": call["command"] or f"cat {call['path']}", "workdir": cwd})
                item("function_call", name="exec_command", arguments=given, call_id=call["id"])
                code = 1 if call["fails"] else 0
                told = (
                    f"Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n{call['output']}"
                )
                item("function_call_output", call_id=call["id"], output=told)
            item("message", role="assistant", content=[{"type": "output_text", "text": turn["reply"]}])
            line("event_msg", {"type": "agent_message", "message": turn["reply"]})
    return prompts


def machine(home: Path, bytes_min: int, *, session_bytes: int = 2_000_000, projects: int = 8) -> int:
    """Sessions of Claude Code and Codex in `home`, of about so many bytes together; how many files."""
    count = max(bytes_min // session_bytes, 2)
    for n in range(count):
        cwd = f"/home/dev/code/app{n % projects}"
        id = f"00000000-0000-4000-8000-{n:012x}"
        if n % 4 == 3:
            file = home / ".codex" / "sessions" / "2026" / "02" / "01" / f"rollout-2026-02-01T09-00-00-{id}.jsonl"
            codex_session(file, session_bytes, cwd=cwd, seed=n + 1)
        else:
            file = home / ".claude" / "projects" / f"p{n % projects}" / f"{id}.jsonl"
            claude_session(file, session_bytes, cwd=cwd, seed=n + 1)
    return count
