"""Plays recorded hooks and the transcript that grew beside them, as they happened."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.pipeline.spool import Delivery, Spool

RECORDED = Path(__file__).parent.parent / "hosts" / "payloads" / "claude"
TOLD_TWICE = (
    "headless-tools-and-failures",
    "interactive-interrupt-bash-queued-amend-bang-model",
    "interactive-reject-with-feedback-and-interrupts",
    "skill-and-background-subagent",
)


def hooks(name: str) -> list[dict[str, Any]]:
    """{t, event, payload} of each hook of a recorded session, in order."""
    file = RECORDED / "sessions" / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def transcript(name: str) -> Path:
    """The recorded transcript of the same session."""
    return RECORDED / "transcripts" / f"{name}.jsonl"


class Player:
    """Delivers recorded hooks in one home."""

    def __init__(self, paths: Paths, cwd: Path) -> None:
        self.paths = paths
        self.cwd = cwd
        self.spool = Spool(paths)

    def deliver(self, event: str, payload: dict[str, Any], at: datetime) -> None:
        """One payload, its paths moved into this home."""
        told = {**payload, "cwd": str(self.cwd)} if "cwd" in payload else payload
        raw = json.dumps(told).encode()
        time_ns = int(at.timestamp() * 1_000_000) * 1000
        delivery = Delivery(
            id=new_id(), time_ns=time_ns, host="claude", event=event, raw=raw, cwd=str(self.cwd), workspace=""
        )
        self.spool.put(delivery)

    def play(self, name: str, hive: OwnedHivemind, *, with_transcript: bool) -> Path:
        """All of a session, drained after each hook; where its transcript stands in this home."""
        told = hooks(name)
        session_id = told[0]["payload"]["session_id"]
        file = self.paths.home / ".claude" / "projects" / "p" / f"{session_id}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = _timed(name, self.cwd)
        begun = _begun(told, lines)
        for hook in told:
            at = begun + timedelta(seconds=hook["t"])
            payload = {key: value for key, value in hook["payload"].items() if key != "transcript_path"}
            if with_transcript:
                payload["transcript_path"] = str(file)
                file.write_text("".join(text for when, text in lines if when <= at), "utf-8")
            self.deliver(hook["event"], payload, at)
            hive.drain()
            hive.work()
        file.write_text("".join(text for _, text in lines), "utf-8")
        return file


def _timed(name: str, cwd: Path) -> list[tuple[datetime, str]]:
    """Each line, and when it was written; one without a time was written with the next that has one."""
    timed: list[tuple[datetime, str]] = []
    waiting: list[str] = []
    last = None
    for text in transcript(name).read_text("utf-8").splitlines(keepends=True):
        line = json.loads(text)
        waiting.append(json.dumps({**line, "cwd": str(cwd)}) + "\n" if "cwd" in line else text)
        if isinstance(line.get("timestamp"), str):
            written = datetime.fromisoformat(line["timestamp"])
            last = max(last, written) if last else written
            timed += [(last, one) for one in waiting]
            waiting = []
    assert last is not None
    return [*timed, *((last, one) for one in waiting)]


def _begun(told: list[dict[str, Any]], lines: list[tuple[datetime, str]]) -> datetime:
    """When the session's clock stood at 0: its first prompt fired its hook, and was then written down."""
    prompt = next(hook for hook in told if hook["event"] == "UserPromptSubmit")
    written = next(when for when, text in lines if json.loads(text).get("promptId") == prompt["payload"]["prompt_id"])
    return written - timedelta(seconds=prompt["t"])
