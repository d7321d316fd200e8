"""What a tool call looks like in a SpecStory history: name, kind and summary, then input and output as Markdown.

The input is told in the shape of each agent and version; what stands in it is taken by its marks, not by the tool.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import unescape

from hivemind_cli.core import acts
from hivemind_cli.hosts import fences, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.claude import tools as claude_tools
from hivemind_cli.hosts.cursor import reader as cursor
from hivemind_cli.hosts.telling import Teller

_NAMED = re.compile(r'data-tool-name="([^"]*)"')
_TYPED = re.compile(r'data-tool-type="([^"]*)"')
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)
_SAID = re.compile(r"Tool use: \*\*([^*]+)\*\*[ \t]*(?:•[ \t]*)?")
_COMMAND = re.compile(r"(?:Run command: |\A\s*`)(?P<command>.+?)(?:`?\s*\Z)", re.DOTALL)
_INLINE = re.compile(r"^`([^`\n].*)`\s*$", re.MULTILINE)
_FILE = re.compile(
    r"(?:Edit|Write|Create|Read|Delete) file: (?P<named>[^\n•<]+)"
    r"|\*\*(?:Update|Add|Delete|Create): `(?P<patched>[^`]+)`"
    r"|^[ \t]*(?:- (?:file_path|path): |path )?`(?P<quoted>[^`\n]+)`"
    r"|The file (?P<updated>/\S.*?) has been (?:updated|created)"
    r"|File created successfully at: (?P<made>/[^\n]+?)(?: \(|\n)",
    re.MULTILINE,
)
_PATTERN = re.compile(r"(?:^|\s)pattern `([^`\n]+)`")
_FAILED = re.compile(
    r"\A\s*(?:<tool_use_error>|Exit code [1-9]|Error(?::| calling| executing))|^Process exited with code [1-9]",
    re.MULTILINE,
)
_ERROR = re.compile(r"^\*\*(?:Error:\*\*|Apply failed\*\*)|^Status: \*\*(?:error|failed)", re.MULTILINE)
_REFUSED = re.compile(r"^Status: \*\*(?:rejected|cancelled|canceled)\*\*", re.MULTILINE)
_HEAD_CHARS = 20_000
_TOLD_CHARS = 2_000
_KINDS = {"shell": acts.SHELL, "write": acts.EDIT, "read": acts.READ, "search": acts.READ}


@dataclass(frozen=True, slots=True)
class Block:
    """One tool call as it stands in the file."""

    text: str

    @property
    def tool(self) -> str:
        """The tool's name, as its agent calls it."""
        named = _NAMED.search(self.text[:_HEAD_CHARS]) or _SAID.search(self.text[:_HEAD_CHARS])
        return unescape(named.group(1)).strip() if named else "tool"

    @property
    def kind(self) -> str:
        """shell, edit, read or other: as the block says, or by the tool's name in older files."""
        typed = _TYPED.search(self.text[:_HEAD_CHARS])
        if typed:
            return _KINDS.get(typed.group(1), acts.OTHER)
        return cursor.TOOLS.kind(self.tool)


def tell(block: Block, teller: Teller, at: datetime | None) -> Iterator[Seen]:
    """The call, and how it ended."""
    head, bodies, tail = _opened(block)
    act = _act(block, head, bodies, tail, teller.cwd)
    call_id = teller.call_id(block.tool, act.as_json())
    told = {name: value for name, value in (("command", act.command), ("path", act.path), ("text", act.text)) if value}
    yield teller.call(call_id, block.tool, act, told, at)
    output = _output(bodies, act)
    refused = claude_tools.denial(output)
    if refused:
        yield teller.denied(call_id, refused["by"], refused["words"], at)
    elif _REFUSED.search(head):
        yield teller.denied(call_id, "person", "", at)
    elif _FAILED.search(output[:_TOLD_CHARS]) or _ERROR.search(tail):
        yield teller.failure(call_id, output, at)
    else:
        yield teller.result(call_id, output, at, wrote=_wrote(act, teller.cwd))


def _opened(block: Block) -> tuple[str, list[tuple[str, str]], str]:
    """Summary and what stands before the first fence; (info, body) of each fence; what stands between and behind."""
    text = block.text.replace("</details></tool-use>", "").replace("</tool-use>", "")
    found = list(fences.fences(text))
    before = text[: found[0].start] if found else text
    bodies = [(one.info, unescape(one.body)) for one in found]
    return unescape(before[:_HEAD_CHARS]), bodies, fences.outside(text)[:_HEAD_CHARS]


def _act(block: Block, head: str, bodies: list[tuple[str, str]], outside: str, cwd: str) -> acts.Act:
    summary = _SUMMARY.search(head)
    said = _SAID.sub("", summary.group(1).strip(), count=1) if summary else ""
    body = head[summary.end() :] if summary else _SAID.sub("", head, count=1)
    if block.kind == acts.SHELL:
        return acts.Act(acts.SHELL, block.tool, command=_command(said, body, bodies))
    path = values.relative(_path(said, body, bodies, outside), cwd)
    if block.kind == acts.EDIT:
        return acts.Act(acts.EDIT, block.tool, path=path, text=values.short(_written(bodies)))
    if block.kind == acts.READ:
        sought = _PATTERN.search(body)
        return acts.Act(acts.READ, block.tool, path=path, text=values.short(sought.group(1)) if sought else "")
    return acts.Act(acts.OTHER, block.tool, text=values.short(said or body.strip().split("\n\n", 1)[0]))


def _command(said: str, body: str, bodies: list[tuple[str, str]]) -> str:
    if named := _COMMAND.search(said):
        return named["command"].strip()
    if inline := _INLINE.search(body):
        return inline.group(1).strip()
    return next((text.strip() for info, text in bodies if info in ("bash", "sh", "shell", "powershell")), "")


def _path(said: str, body: str, bodies: list[tuple[str, str]], outside: str) -> str:
    told = bodies[-1][1][:_TOLD_CHARS] if bodies else ""
    for text in (said, body, outside, told):
        if found := _FILE.search(text):
            return str(next(filter(None, found.groups()))).strip()
    return ""


def _written(bodies: list[tuple[str, str]]) -> str:
    """Lines added by the diffs; else the first text that is no output."""
    diffs = [text for info, text in bodies if info == "diff"]
    if diffs:
        lines = [line[1:] for text in diffs for line in text.splitlines() if line.startswith("+")]
        return "\n".join(line.removeprefix(" ") if line[:2].strip() else line for line in lines)
    return next((text.rstrip("\n") for info, text in bodies if info not in ("text", "")), "")


def _output(bodies: list[tuple[str, str]], act: acts.Act) -> str:
    """The last fence, unless it is the input."""
    if not bodies or bodies[-1][0] not in ("text", ""):
        return ""
    return "" if act.command and bodies[-1][1].strip() == act.command else bodies[-1][1].rstrip("\n")


def _wrote(act: acts.Act, cwd: str) -> dict[str, str] | None:
    if act.kind != acts.EDIT or not act.path or not act.text:
        return None
    return {"path": values.absolute(act.path, cwd), "written": act.text}
