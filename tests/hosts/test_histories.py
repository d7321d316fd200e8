"""The bounds of the walk for histories, and the fences in them."""

from pathlib import Path

import pytest

from hivemind_cli.hosts import histories
from hivemind_cli.hosts.fences import fences, outside


def test_the_walk_goes_so_deep_and_no_further_shallow_folders_first(tmp_path: Path) -> None:
    home = tmp_path / "ada"
    (home / "1" / "2" / "3" / "4" / "5").mkdir(parents=True)
    for passed in (".git", "node_modules", "Library", "venv"):
        (home / passed / "x").mkdir(parents=True)
    (home / "zeta").mkdir()
    (home / "loop").symlink_to(home)
    found = [str(path.relative_to(home)) for path in histories.folders(home)]
    assert found == [".", "1", "zeta", "1/2", "1/2/3", "1/2/3/4"]


def test_the_walk_looks_at_so_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "FOLDERS_MAX", 3)
    for n in range(9):
        (tmp_path / "ada" / str(n)).mkdir(parents=True)
    assert len(list(histories.folders(tmp_path / "ada"))) == 3
    assert list(histories.folders(tmp_path / "gone")) == [tmp_path / "gone"]


def test_a_longer_fence_holds_shorter_ones_and_one_never_closed_ends_with_the_text() -> None:
    text = "a.py\n````md\n```py\nx\n```\n````\n\nthen\n\n```\nrest"
    assert [(one.info, one.body, one.above) for one in fences(text)] == [
        ("md", "```py\nx\n```\n", "a.py"),
        ("", "rest", "then"),
    ]
    assert outside(text).split() == ["a.py", "then"]
