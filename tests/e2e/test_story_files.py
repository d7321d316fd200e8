"""Story files are checked before anything is run, so that a slip in one is named and not played."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import story

GIVEN = story.FOLDER / "left-pad.json"


@pytest.mark.parametrize("file", sorted(story.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_story_file_fits(file: Path) -> None:
    assert story.load(file).name == file.stem


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["titel"], "x", 'did you mean "title"'),
        (["correction", "prompt"], None, '"prompt" is missing in "correction"'),
        (["correction", "said"], "", '"said" in "correction" is empty'),
        (["held", "tool", "name"], "Fetch", "use Bash, Write, Edit"),
        (["expect", "rule"], "(", "not a regular expression"),
        (["programs"], [], "nothing would show whether the held call ran"),
        (["name"], "other", "the file is called"),
    ],
)
def test_a_slip_is_named(path: list[str], value: Any, message: str, tmp_path: Path) -> None:
    data = json.loads(GIVEN.read_text(encoding="utf-8"))
    place = data
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    file = tmp_path / GIVEN.name
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(story.StoryError, match=message.replace("(", r"\(")):
        story.load(file)


def test_paths_of_an_act_become_absolute_in_its_project(tmp_path: Path) -> None:
    write = story.Act("Write", {"file_path": "src/a.py", "content": "ROOT = '{project}'\n"})
    assert write.at(tmp_path)["input"] == {"file_path": f"{tmp_path}/src/a.py", "content": f"ROOT = '{tmp_path}'\n"}
