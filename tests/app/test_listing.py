"""Agents list skills in a limited space: what is counted, what falls out, and what the person reads of it."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from hivemind_cli.app import checkup
from hivemind_cli.app.listing import HostListing, listings
from hivemind_cli.core.paths import Paths
from tests.app.conftest import make_tree


def skill(root: Path, name: str, description: str = "", *more: str, ours: bool = False) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    metadata = ["metadata:", "  hivemind-id: sk_1"] if ours else []
    text = ["---", f"name: {name}", f'description: "{description or "Use when " + name}"', *more, *metadata, "---", "x"]
    (folder / "SKILL.md").write_text("\n".join(text))
    return folder


def listed(host: str, home: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> HostListing:
    (found,) = [one for one in listings(home, cwd or home, env or {}) if one.host == host]
    return found


def test_only_agents_that_are_here_are_counted(tmp_path: Path) -> None:
    assert listings(tmp_path, tmp_path, {}) == []
    (tmp_path / ".cursor").mkdir()
    (tmp_path / "moved").mkdir()
    found = listings(tmp_path, tmp_path, {"CODEX_HOME": str(tmp_path / "moved")})
    assert [one.host for one in found] == ["codex", "cursor"]
    assert [one.skills for one in found] == [0, 0]


def test_a_list_is_counted_as_the_agent_writes_it(tmp_path: Path) -> None:
    skill(tmp_path / ".claude/skills", "ab", "1234567890")
    skill(tmp_path / ".claude/skills", "cd", "12345", "when_to_use: xyz")
    one = listed("claude", tmp_path)
    assert one.chars == len("- ab: 1234567890\n") + len("- cd: 12345 - xyz\n")
    assert (one.skills, one.chars_max, one.over, one.cut, one.dropped) == (2, 8000, False, (), ())


def test_codex_names_each_file(tmp_path: Path) -> None:
    (tmp_path / ".codex").mkdir()
    folder = skill(tmp_path / ".agents/skills", "ab", "1234567890")
    assert listed("codex", tmp_path).chars == len(f"- ab: 1234567890 (file: {folder}/SKILL.md)\n")


def test_links_to_one_folder_are_one_skill(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    folder = skill(tmp_path / ".claude/skills", "ab", ours=True)
    (tmp_path / ".agents/skills").mkdir(parents=True)
    (tmp_path / ".agents/skills/ab").symlink_to(folder)
    assert [(one.skills, one.ours) for one in listings(tmp_path, tmp_path, {})] == [(1, 1), (1, 1)]


def test_every_folder_up_to_the_repositorys_counts_and_none_above(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    tree = make_tree(tmp_path / "above/app")
    for root, name in ((tree, "root"), (tree / "a/b", "deep"), (tree / "c", "beside"), (tree.parent, "above")):
        skill(root / ".claude/skills", name)
    assert listed("claude", tmp_path, tree / "a/b").skills == 2
    assert listed("claude", tmp_path, tree).skills == 1


def test_of_two_with_one_name_claude_lists_the_persons_own(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "app")
    skill(tmp_path / ".claude/skills", "same", "mine")
    skill(tree / ".claude/skills", "same", "the project's, longer")
    one = listed("claude", tmp_path, tree)
    assert (one.skills, one.chars) == (1, len("- same: mine\n"))


def test_plugins_count_unless_they_are_switched_off(tmp_path: Path) -> None:
    plugins = {}
    for name in ("on", "off"):
        skill(tmp_path / f"cache/{name}/skills", "thing", "words")
        plugins[f"{name}@market"] = [{"installPath": str(tmp_path / "cache" / name)}]
    (tmp_path / ".claude/plugins").mkdir(parents=True)
    (tmp_path / ".claude/plugins/installed_plugins.json").write_text(json.dumps({"version": 2, "plugins": plugins}))
    (tmp_path / ".claude/settings.json").write_text(json.dumps({"enabledPlugins": {"off@market": False}}))
    one = listed("claude", tmp_path)
    assert (one.skills, one.chars) == (1, len("- on:thing: words\n"))


def test_a_skill_that_no_model_may_call_takes_no_room(tmp_path: Path) -> None:
    skill(tmp_path / ".claude/skills", "quiet", "words", "disable-model-invocation: true")
    assert listed("claude", tmp_path).skills == 0


def test_the_least_used_skills_of_claude_lose_their_description(tmp_path: Path) -> None:
    for number in range(100):
        skill(tmp_path / ".claude/skills", f"s{number:02}", "d" * 100, ours=number % 2 == 0)
    day = 86_400_000.0
    now = time.time() * 1000
    used = {"s07": (1, now), "s08": (9, now), "s09": (9, now - 70 * day)}
    told = {name: {"usageCount": count, "lastUsedAt": at} for name, (count, at) in used.items()}
    (tmp_path / ".claude.json").write_text(json.dumps({"skillUsage": {**told, "torn": {}}}))
    one = listed("claude", tmp_path)
    # 100 bare lines of 6 characters leave 7,400 for descriptions of 102: 72 fit.
    assert one.chars == 100 * 108
    assert one.over
    assert len(one.cut) == 28
    assert not {"s07", "s08", "s09"} & set(one.cut)
    assert one.ours_lost == sum(int(name[1:]) % 2 == 0 for name in one.cut)
    assert one.dropped == ()


@pytest.mark.parametrize(
    ("env", "settings", "room"),
    [
        ({"SLASH_COMMAND_TOOL_CHAR_BUDGET": "300"}, {"skillListingBudgetFraction": 0.5}, 300),
        ({}, {"skillListingBudgetFraction": 0.02}, 16_000),
        ({"SLASH_COMMAND_TOOL_CHAR_BUDGET": "many"}, {"skillListingBudgetFraction": "x"}, 8000),
        ({"SLASH_COMMAND_TOOL_CHAR_BUDGET": "0"}, {"skillListingBudgetFraction": True}, 8000),
    ],
)
def test_a_person_may_have_given_claude_more_room(
    tmp_path: Path, env: dict[str, str], settings: dict[str, object], room: int
) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/settings.json").write_text(json.dumps(settings))
    assert listed("claude", tmp_path, env=env).chars_max == room


def test_a_description_beyond_the_agents_limit_is_cut_even_where_there_is_room(tmp_path: Path) -> None:
    skill(tmp_path / ".claude/skills", "long", "d" * 1600)
    one = listed("claude", tmp_path)
    assert (one.chars, one.cut, one.over) == (len("- long: \n") + 1536, ("long",), False)
    (tmp_path / ".claude/settings.json").write_text('{"skillListingMaxDescChars": 2000}')
    assert listed("claude", tmp_path).cut == ()


def test_codex_cuts_all_alike_and_then_leaves_out_the_persons_last(tmp_path: Path) -> None:
    (tmp_path / ".codex").mkdir()
    tree = make_tree(tmp_path / "app")
    for number in range(60):
        skill(tmp_path / ".agents/skills", f"s{number:02}", "d" * (400 if number else 10))
    one = listed("codex", tmp_path, tree)
    assert one.over
    assert len(one.cut) == 59, "a short one stays whole"
    assert one.dropped == ()
    for number in range(300):
        skill(tree / ".agents/skills", f"p{number:03}", "d")
    one = listed("codex", tmp_path, tree)
    assert one.dropped
    assert one.dropped[-1] == "s59"
    assert len(one.cut) + len(one.dropped) == 360
    assert {*one.cut} & {f"p{number:03}" for number in range(10)}


def test_an_agent_whose_limit_nobody_knows_is_only_counted(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    for number in range(300):
        skill(tmp_path / ".cursor/skills", f"s{number}", "d" * 900)
    one = listed("cursor", tmp_path)
    assert (one.skills, one.chars_max, one.over, one.cut) == (300, None, False, ())


def test_what_cannot_be_read_is_told_and_the_rest_counted(tmp_path: Path) -> None:
    root = tmp_path / ".claude/skills"
    skill(root, "fine")
    for name, text in (("empty", ""), ("no-front", "# hi"), ("no-end", "---\nname: x\n"), ("bytes", "\0\ufffd")):
        skill(root, name).joinpath("SKILL.md").write_text(text)
    (root / "a-folder/SKILL.md").mkdir(parents=True)
    (root / "loop").symlink_to(root / "loop")
    (root / "gone").symlink_to(tmp_path / "nowhere")
    (root / "a file").write_text("x")
    (tmp_path / ".claude.json").write_text("[")
    (tmp_path / ".claude/settings.json").write_text("[]")
    one = listed("claude", tmp_path)
    assert one.skills == 1
    assert {Path(path).parent.name for path in one.broken} == {"empty", "no-front", "no-end", "bytes", "a-folder"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_folder_is_told(tmp_path: Path) -> None:
    root = tmp_path / ".claude/skills"
    skill(root, "fine")
    root.chmod(0)
    try:
        assert listed("claude", tmp_path).broken == (str(root),)
    finally:
        root.chmod(0o700)


def test_a_skills_folder_that_is_a_file_is_no_skill(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/skills").write_text("x")
    assert listed("claude", tmp_path).skills == 0


def test_doctor_says_what_falls_out_and_what_to_do(tmp_path: Path) -> None:
    for number in range(100):
        skill(tmp_path / ".claude/skills", f"s{number:02}", "d" * (100 + number), ours=number == 99)
    (finding,) = checkup.look_at_listings(Paths(tmp_path / ".hivemind", tmp_path), tmp_path, {})
    assert finding.level == checkup.WARN
    assert "Claude Code lists 100 skills, 1 of them from hivemind" in finding.what
    assert "has room for 8,000" in finding.what
    assert "(the least used first)" in finding.what
    assert "1 of these are hivemind's" in finding.what
    assert "s99, s98, s97" in finding.fix
    assert "skillListingBudgetFraction" in finding.fix
    assert finding.figures is not None
    assert finding.figures["over"] is True
    assert len(finding.figures["cut"]) > 40


def test_doctor_is_content_where_all_fit(tmp_path: Path) -> None:
    skill(tmp_path / ".claude/skills", "one")
    (tmp_path / ".cursor").mkdir()
    found = list(checkup.look_at_listings(Paths(tmp_path / ".hivemind", tmp_path), tmp_path, {}))
    assert [finding.level for finding in found] == [checkup.OK, checkup.OK]
    assert "is not known" in found[1].what
    assert [finding.fix for finding in found] == ["", ""]
