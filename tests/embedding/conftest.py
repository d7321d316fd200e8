"""A tiny exported model, and the settings of a machine that has nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.config import EmbeddingConfig
from hivemind_cli.embedding import Setting
from tests.embedding import tiny


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder, not to be changed."""
    return tiny.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def setting(tmp_path: Path) -> Callable[..., Setting]:
    """Makes the setting of an empty machine; keywords are EmbeddingConfig's, and `env`."""

    def make(env: dict[str, str] | None = None, **config: Any) -> Setting:
        return Setting(
            config=EmbeddingConfig(**config),
            models=tmp_path / "models",
            work=tmp_path / "work",
            home=tmp_path / "home",
            env=env or {},
        )

    return make
