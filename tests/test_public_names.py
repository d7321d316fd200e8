"""What `import hivemind_cli` offers, and what it costs."""

import subprocess
import sys

import pytest

import hivemind_cli


def test_every_public_name_is_there_and_listed() -> None:
    for name in hivemind_cli.__all__:
        assert getattr(hivemind_cli, name) is not None
        assert name in dir(hivemind_cli)
    assert {*hivemind_cli._HOMES, "__version__"} == set(hivemind_cli.__all__)
    taken: dict[str, object] = {}
    exec("from hivemind_cli import *", taken)
    assert set(hivemind_cli.__all__) <= set(taken)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'hivemind_cli' has no attribute 'Hivemnd'"):
        _ = hivemind_cli.Hivemnd


def test_the_package_alone_loads_none_of_them() -> None:
    code = "import sys, hivemind_cli; print([name for name in sys.modules if name.startswith('hivemind_cli')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['hivemind_cli']\n"
