"""What the daemon's process loads when it chooses a provider."""

import subprocess
import sys


def test_choosing_a_provider_loads_no_vendor_sdk() -> None:
    program = (
        "import sys; from pathlib import Path; from hivemind_cli.core.config import LLMConfig\n"
        "from hivemind_cli.llm import Setting, choose\n"
        "env = {'ANTHROPIC_API_KEY': 'k', 'PATH': ''}\n"
        "choose(Setting(config=LLMConfig(allow=True), env=env, work=Path('.'), commands={}))\n"
        "print([m for m in ('anthropic', 'httpx', 'httpx2', 'pydantic', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
