"""How each real client is set up to talk to a stand-in for its model, and what a person may have set up besides.

`settle` writes the client's own files into a fresh home. In each lies a trap: a hook, plugin or MCP server of the
person's, which writes one line into `traps` when it runs. Hivemind's questions must start none of them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.stub import FAKE_KEY

_NODE_FS = 'import { appendFileSync } from "node:fs";\n'


@dataclass(frozen=True, slots=True)
class Home:
    """Where one client finds everything."""

    home: Path
    url: str
    """The stand-in's."""
    traps: Path

    @property
    def server(self) -> str:
        """An MCP server of the person's: it writes down that it was started, and leaves."""
        program = self.home / "server.sh"
        if not program.exists():
            program.write_text(f"#!/bin/sh\necho server >> {self.traps}\nexit 1\n", encoding="utf-8")
            program.chmod(0o755)
        return str(program)

    def hook(self, event: str) -> str:
        """A hook of the person's."""
        return f"echo hook {event} >> {self.traps}"

    def put(self, name: str, content: object) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def settle(host: str, home: Home) -> dict[str, str]:
    """Write the host's files; the environment its client needs."""
    return _SETUPS[host](home)


def codex_config(url: str) -> str:
    """A provider of the stand-in's kind; no key is asked for."""
    return f"""model = "gpt-6.1-sol"
model_provider = "stand-in"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.stand-in]
name = "stand-in"
base_url = "{url}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


def _claude(home: Home) -> dict[str, str]:
    events = ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")
    hooks = {event: [{"hooks": [{"type": "command", "command": home.hook(event)}]}] for event in events}
    home.put(".claude/settings.json", {"hooks": hooks})
    server = {"type": "stdio", "command": home.server, "args": []}
    home.put(".claude.json", {"hasCompletedOnboarding": True, "mcpServers": {"docs": server}})
    return {
        "ANTHROPIC_BASE_URL": home.url,
        "ANTHROPIC_API_KEY": FAKE_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_TMPDIR": str(home.home),
    }


def _codex(home: Home) -> dict[str, str]:
    home.put(".codex/config.toml", f'{codex_config(home.url)}[mcp_servers.docs]\ncommand = "{home.server}"\n')
    return {}


def _gemini(home: Home) -> dict[str, str]:
    events = ("SessionStart", "BeforeAgent", "AfterAgent", "SessionEnd")
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False},
        "hooksConfig": {"enabled": True},
        "hooks": {
            event: [{"matcher": "*", "hooks": [{"type": "command", "name": "own", "command": home.hook(event)}]}]
            for event in events
        },
        "mcpServers": {"docs": {"command": home.server}},
    }
    home.put(".gemini/settings.json", settings)
    return {"GEMINI_API_KEY": "not-a-key", "GOOGLE_GEMINI_BASE_URL": home.url}


def _pi(home: Home) -> dict[str, str]:
    models = [{"id": "small"}]
    provider = {"baseUrl": f"{home.url}/v1", "api": "openai-completions", "apiKey": "not-a-key", "models": models}
    home.put(".pi/agent/models.json", {"providers": {"stand-in": provider}})
    home.put(".pi/agent/settings.json", {"defaultProvider": "stand-in", "defaultModel": "small"})
    own = f'export default () => appendFileSync("{home.traps}", "own\\n");\n'
    home.put(".pi/agent/extensions/own.ts", f"{_NODE_FS}{own}")
    return {"PI_OFFLINE": "1"}


def _opencode(home: Home) -> dict[str, str]:
    options = {"baseURL": f"{home.url}/v1", "apiKey": "not-a-key"}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "stand-in", "options": options, "models": {"small": {}}}
    config = {
        "autoupdate": False,
        "model": "stand-in/small",
        "small_model": "stand-in/small",
        "provider": {"stand-in": provider},
        "permission": {"*": "allow"},
    }
    home.put(".config/opencode/opencode.json", config)
    own = f'export default async () => {{ appendFileSync("{home.traps}", "own"); return {{}}; }};'
    home.put(".config/opencode/plugin/own.js", f"{_NODE_FS}{own}")
    offline = ("OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_MODELS_FETCH", "OPENCODE_DISABLE_LSP_DOWNLOAD")
    return {**dict.fromkeys(offline, "1"), "npm_config_fetch_retries": "0"}


def _copilot(home: Home) -> dict[str, str]:
    return {
        "COPILOT_OFFLINE": "true",
        "COPILOT_PROVIDER_BASE_URL": f"{home.url}/v1",
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_PROVIDER_API_KEY": "not-a-key",
        "COPILOT_MODEL": "gpt-4.1",
        "COPILOT_AUTO_UPDATE": "false",
    }


_SETUPS: dict[str, Callable[[Home], dict[str, str]]] = {
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
    "pi": _pi,
    "opencode": _opencode,
    "copilot": _copilot,
}
