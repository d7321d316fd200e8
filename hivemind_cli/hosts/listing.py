"""How much room each agent gives to its list of skills, and where it looks for them.

An agent puts the name and description of every skill it finds into the model's context, within a budget; what does
not fit is cut or left out, and only a log may say so. Skills it brings itself, and those its organisation gives it,
share the room, but cannot be counted from here.

Claude Code: its documentation of 2026-08-22, and the program 2.1.329: characters = window in tokens (200,000 if
unknown) x 4 x `skillListingBudgetFraction` (0.01), or SLASH_COMMAND_TOOL_CHAR_BUDGET; a description is cut at
`skillListingMaxDescChars` (1,536). Over that, skills are given their description in the order of their use, and the
others stand there with their bare name.
Codex: its source, 2026: 2 % of the window in tokens of about 4 bytes, at most 4,000 of them (5,440 tokens were
seen before that cap), 8,000 characters if the window is unknown. Each line names the file. Over that all
descriptions are cut alike; if bare lines do not fit either, skills are left out: the person's last, in order of names.
The others: their documentation of summer 2026, which names no limit.
"""

from dataclasses import dataclass
from enum import StrEnum


class Overflow(StrEnum):
    """What a host does with more than it has room for."""

    LEAST_USED_BARE = "least used bare"
    """Descriptions of the least used skills go; their names stay."""
    ALL_CUT = "all cut"
    """Every description is cut at one length; then whole skills go."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One host's list of skills. Folders are relative: `user` to the home, `project` to each folder from the
    current one up to the repository's, `own` to the host's own folder."""

    label: str
    home: str
    """Its own folder below the person's home: it is there if the host is."""
    env: str = ""
    """The variable that moves that folder."""
    own: tuple[str, ...] = ("skills",)
    user: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    depth: int = 1
    """How many folders deep a skill may lie below one of these."""
    one_a_name: bool = False
    """Of two skills with one name only the first is listed."""
    chars_max: int | None = None
    """None: not known."""
    description_chars_max: int | None = None
    names_file: bool = False
    """Does a line hold the skill's path?"""
    overflow: Overflow = Overflow.UNKNOWN
    setting: str = ""
    """What a person raises to give it more room; "" if there is no such setting."""


_AGENTS = ".agents/skills"
_CLAUDE = ".claude/skills"

LISTINGS: dict[str, Listing] = {
    "claude": Listing(
        label="Claude Code",
        home=".claude",
        env="CLAUDE_CONFIG_DIR",
        project=(_CLAUDE,),
        one_a_name=True,
        chars_max=8000,
        description_chars_max=1536,
        overflow=Overflow.LEAST_USED_BARE,
        setting="skillListingBudgetFraction in its settings.json (0.01 is 1 % of the window)",
    ),
    "codex": Listing(
        label="Codex CLI",
        home=".codex",
        env="CODEX_HOME",
        user=(_AGENTS,),
        project=(_AGENTS,),
        chars_max=16_000,
        description_chars_max=1024,
        names_file=True,
        overflow=Overflow.ALL_CUT,
    ),
    "cursor": Listing(
        label="Cursor",
        home=".cursor",
        user=(_AGENTS, _CLAUDE, ".codex/skills"),
        project=(".cursor/skills", _AGENTS, _CLAUDE, ".codex/skills"),
    ),
    "gemini": Listing(label="Gemini CLI", home=".gemini", user=(_AGENTS,), project=(".gemini/skills", _AGENTS)),
    "opencode": Listing(
        label="OpenCode",
        home=".config/opencode",
        own=("skill", "skills"),
        user=(_CLAUDE, _AGENTS),
        project=(".opencode/skill", ".opencode/skills", _CLAUDE, _AGENTS),
        depth=4,
    ),
    "kilo": Listing(
        label="Kilo Code",
        home=".config/kilo",
        user=(_CLAUDE, _AGENTS),
        project=(".kilo/skills", _CLAUDE, _AGENTS),
    ),
    "copilot": Listing(
        label="Copilot CLI",
        home=".copilot",
        env="COPILOT_HOME",
        user=(_AGENTS, _CLAUDE),
        project=(".github/skills", _CLAUDE, _AGENTS),
    ),
    "pi": Listing(
        label="pi",
        home=".pi/agent",
        env="PI_CODING_AGENT_DIR",
        user=(_AGENTS,),
        project=(".pi/skills", _AGENTS),
        one_a_name=True,
    ),
    "hermes": Listing(label="Hermes Agent", home=".hermes", env="HERMES_HOME", depth=2),
    "openclaw": Listing(label="OpenClaw", home=".openclaw", user=(_AGENTS,), project=("skills", _AGENTS), depth=6),
}
"""By host id."""
