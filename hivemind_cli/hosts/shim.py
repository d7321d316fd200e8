"""Hosts without shell hooks: a plugin of ours runs inside them, and starts our hook's command for each event.

The plugin is one file that we own whole: hooks/plugins/runner.js, then the host's own part. It gives the command one
JSON object on stdin: `session_id`, `cwd`, and what the event shows under the names that Claude Code's hooks use
(`agent_id`, `prompt`, `tool_name`, `tool_use_id`, `tool_input`), so that the hook alone can read it, too.
It takes back one line of JSON, or nothing:

    {"context": text for the model, "deny": why the call is not to run, "notice": a line for the person}

each of them text and optional; `deny` and `context` never come together.
"""

import hashlib
import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from hivemind_cli.core.assets import asset
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer, Edit
from hivemind_cli.hosts.hookfile import may_write, own_file

TEXT_CHARS_MAX = 32_000
"""Ours, not the hosts', which name no limit: what recall says is far shorter."""

_COMMAND = "@HIVEMIND_HOOK@"
_HEAD = re.compile(rb"\A// hivemind-loop [0-9a-f]{64}\n")


def answer_line(
    answer: Answer,
    event: str,
    *,
    events: Mapping[str, Moment | None],
    denies: Container[str],
    chars_max: int = TEXT_CHARS_MAX,
) -> bytes:
    """The line a plugin takes; b"" for silence: nothing to say, no one waits, or too long."""
    if events.get(event) is None or max(len(answer.text), len(answer.notice)) > chars_max:
        return b""
    said = {"deny" if answer.hold and event in denies else "context": answer.text, "notice": answer.notice}
    line = {name: text for name, text in said.items() if text}
    return json.dumps(line).encode("ascii") + b"\n" if line else b""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin file of ours. Its first line holds the hash of the rest: what a person changed is theirs."""

    label: str
    """Of the host, for people."""
    parts: tuple[str, ...]
    """Its sources below hooks/plugins, in order."""

    def render(self, command: str) -> bytes:
        """The file's bytes with the hook's command in it, as a literal of JavaScript."""
        text = "\n".join(asset("hooks", f"plugins/{part}").read_text("utf-8") for part in self.parts)
        body = text.replace(f'"{_COMMAND}"', json.dumps(command)).encode("utf-8")
        return b"// hivemind-loop %s\n%s" % (hashlib.sha256(body).hexdigest().encode("ascii"), body)

    def wired(self, path: Path, command: str) -> bool:
        """Does the file stand as we would write it?"""
        return _content(path) == self.render(command)

    def plan(self, path: Path, command: str) -> list[Edit]:
        """One edit that creates the file, or renews one of ours; none if it stands. HostError: it is not ours."""
        target = own_file(path)
        before = _content(target, strict=True)
        after = self.render(command)
        if before == after:
            return []
        if before is not None and not is_ours(before):
            raise HostError(
                f"{path} is not as hivemind wrote it.",
                why=f"Somebody changed it, or it is another plugin of {self.label}; it is theirs.",
                fix="Move it away, then run this again.",
            )
        may_write(target)
        return [Edit(path=target, before=before, after=after, note=f"{self.label} loads it when it starts next.")]

    def plan_removal(self, path: Path) -> list[Edit]:
        """One edit that removes the file, whichever hivemind wrote it; none if a person changed it."""
        try:
            target = own_file(path)
        except HostError:  # a link that leads nowhere, or to what is not the person's: nothing of ours
            return []
        before = _content(target, strict=True)
        if before is None or not is_ours(before):
            return []
        may_write(target)
        return [Edit(path=target, before=before, after=None)]


def is_ours(content: bytes) -> bool:
    """Is this a plugin file as some hivemind wrote it, unchanged?"""
    head = _HEAD.match(content)
    return head is not None and hashlib.sha256(content[head.end() :]).hexdigest().encode("ascii") in head[0]


def _content(path: Path, *, strict: bool = False) -> bytes | None:
    """None: there is no such file. `strict`: HostError if there is, and it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        if not strict:
            return None
        raise HostError(f"{path} cannot be read.", why=f"{exc.strerror}.", fix="Check its permissions.") from exc
