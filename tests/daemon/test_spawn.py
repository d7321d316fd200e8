"""What a daemon is started with. That it is cut loose is shown in test_client.py, with a real one."""

import importlib.util
from pathlib import Path
from types import ModuleType

from hivemind_cli.core.assets import asset
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import spawn


def hook_module() -> ModuleType:
    path = asset("hooks", "hivemind_hook_recall.py")
    spec = importlib.util.spec_from_file_location("hook_recall", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hook_and_client_keep_the_same_variables() -> None:
    hook = hook_module()
    assert {name.decode() for name in hook.ENV_KEPT} == spawn.KEPT
    assert tuple(start.decode() for start in hook.ENV_KEPT_STARTS) == spawn.KEPT_STARTS
    assert {name.decode() for name in hook.ENV_DROPPED} == spawn.DROPPED


def test_a_sessions_own_variables_and_secrets_stay_behind(paths: Paths) -> None:
    env = {
        "HOME": "/elsewhere",
        "HIVEMIND_HOME": "relative",
        "HIVEMIND_DEBUG": "1",
        "HIVEMIND_WORKSPACE_ID": "w",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "AWS_SECRET_ACCESS_KEY": "x",
        "MODEL_KEY": "k",
        "LC_ALL": "C",
    }
    assert spawn.environment(paths, env, key_names=["MODEL_KEY"]) == {
        "HOME": str(paths.home),
        "HIVEMIND_HOME": str(paths.root),
        "HIVEMIND_DEBUG": "1",
        "MODEL_KEY": "k",
        "LC_ALL": "C",
    }


def test_the_command_names_an_absolute_interpreter() -> None:
    assert Path(spawn.command()[0]).is_absolute()
