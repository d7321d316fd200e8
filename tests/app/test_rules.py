"""A project's own rules files: read within bounds, and held against a new skill."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.rules import BYTES_MAX, FILES_MAX, RULES_MAX, RulesFiles, read_rules
from hivemind_cli.core.acts import Act
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Notice, Project, SkillRevision, SkillState
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.pipeline.codify.rules import RuleLine
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.codify_loop import DAY, Loop, correction_


class Tree:
    """A project's working tree, and a home."""

    def __init__(self, path: Path) -> None:
        self.root, self.home = path / "tree", path / "home"
        self.root.mkdir(exist_ok=True)
        self.home.mkdir(exist_ok=True)
        self.store = InMemoryStore()
        project = {"id": "p1", "workspace_id": "default", "project_id": "p", "name": "tree", "remote": ""}
        self.store.append([Project(**project, root=str(self.root), occurred_at=DAY)])

    def write(self, name: str, text: str, *, home: bool = False) -> Path:
        path = (self.home if home else self.root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def read(self, project_id: str = "p") -> list[str]:
        rules = RulesFiles(self.store, Paths(root=self.home / "hm", home=self.home))
        return [f"{one.place} {one.text}" for one in rules.of_project(project_id)]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


class TestReading:
    def test_every_agents_file_is_read_with_its_line(self, tree: Tree) -> None:
        tree.write("CLAUDE.md", "# Rules\n\n- Use tabs.\n")
        tree.write("AGENTS.md", "1. Squash commits. Never rebase.\n")
        tree.write(".cursor/rules/go.mdc", "---\nglobs: '*.go'\n---\nFormat with gofmt\n")
        tree.write(".github/copilot-instructions.md", "* [ ] Ask first\n")
        tree.write(".claude/CLAUDE.md", "Answer in French.", home=True)
        assert tree.read() == [
            "CLAUDE.md:3 Use tabs.",
            "AGENTS.md:1 Squash commits.",
            "AGENTS.md:1 Never rebase.",
            ".github/copilot-instructions.md:1 Ask first",
            ".cursor/rules/go.mdc:4 Format with gofmt",
            "~/.claude/CLAUDE.md:1 Answer in French.",
        ]

    def test_another_projects_files_are_not_read(self, tree: Tree) -> None:
        tree.write("CLAUDE.md", "- Use tabs.\n")
        assert tree.read("q") == [] and tree.read("") == []

    def test_code_comments_and_headings_are_no_rules_but_headings_are_kept_with_them(self) -> None:
        text = "# Do not\n<!-- use\nspaces -->\n```\nuse spaces\n```\n- use spaces\n"
        assert list(read_rules("CLAUDE.md", text)) == [RuleLine("CLAUDE.md", 7, "use spaces", "Do not")]

    def test_a_link_out_of_the_tree_is_not_followed(self, tree: Tree, tmp_path: Path) -> None:
        outside = tmp_path / "secret.md"
        outside.write_text("- the key is 1234\n")
        (tree.root / "CLAUDE.md").symlink_to(outside)
        (tree.root / "AGENTS.md").symlink_to(tree.write("docs/agents.md", "- Use tabs.\n"))
        assert tree.read() == ["AGENTS.md:1 Use tabs."]

    def test_what_a_file_imports_is_read_but_nothing_outside_the_tree(self, tree: Tree, tmp_path: Path) -> None:
        (tmp_path / "outside.md").write_text("- the key is 1234\n")
        tree.write(
            "CLAUDE.md", "@docs/style.md\nSee also @AGENTS.md here.\n@../outside.md @/etc/passwd @gone.md @docs\n"
        )
        tree.write("docs/style.md", "- Use tabs.\n- Mail ada@example.org first\n@more.md\n```\n@code.md\n```\n")
        tree.write("docs/more.md", "@style.md\n- Squash.\n")
        tree.write("docs/code.md", "- Not this.\n")
        tree.write("AGENTS.md", "- Ask first.\n")
        assert tree.read() == [
            "CLAUDE.md:2 See also @AGENTS.md here.",
            "CLAUDE.md:3 @../outside.md @/etc/passwd @gone.md @docs",
            "docs/style.md:1 Use tabs.",
            "docs/style.md:2 Mail ada@example.org first",
            "AGENTS.md:1 Ask first.",
            "docs/more.md:2 Squash.",
        ]

    def test_reading_is_bounded(self, tree: Tree) -> None:
        tree.write("CLAUDE.md", "x\n" * BYTES_MAX)
        for n in range(2 * FILES_MAX):
            tree.write(f".cursor/rules/r{n:02}.md", f"Rule {n}\n")
        found = tree.read()
        assert {one.split(":")[0] for one in found} == {"CLAUDE.md"} and len(found) == RULES_MAX
        tree.write("CLAUDE.md", "- Use tabs.\n")
        assert len({one.split(":")[0] for one in tree.read()}) == FILES_MAX

    def test_what_cannot_be_read_says_nothing(self, tree: Tree) -> None:
        (tree.root / "CLAUDE.md").mkdir()
        (tree.root / "AGENTS.md").write_bytes(b"\xff\xfe\x00")
        (tree.root / "GEMINI.md").symlink_to(tree.root / "GEMINI.md")
        tree.read()

    def test_a_change_is_seen_at_once(self, tree: Tree) -> None:
        tree.write("CLAUDE.md", "- Use tabs.\n")
        assert len(tree.read()) == 1
        tree.write("CLAUDE.md", "")
        assert tree.read() == []


class WithRules(Loop):
    """A codifier whose project has a rules file of these lines."""

    def __init__(self, *texts: str, heading: str = "", **options: Any) -> None:
        super().__init__()
        self.rules = [RuleLine("AGENTS.md", n, text, heading) for n, text in enumerate(texts, 10)]
        self.stage = Codify(rules=lambda project_id: self.rules if project_id == "p" else [], **options)


SQUASH: dict[str, Any] = {"quote": "always squash commits here", "act": {}, "task": "merge the branch of the parser"}


class TestConflict:
    @pytest.mark.parametrize(
        ("rule", "quote"),
        [
            ("Never squash commits.", "always squash commits here"),
            ("Always squash commits", "never squash commits"),
            ("Use spaces, not tabs.", "use tabs, not spaces"),
            ("Commits werden niemals zusammengefasst", "Commits immer zusammengefasst mergen"),
        ],
    )
    def test_the_opposite_of_a_rule_waits_for_a_person_who_sees_both(self, rule: str, quote: str) -> None:
        outputs = WithRules("Be brief.", rule).give(correction_(**{**SQUASH, "quote": quote}))
        (revision,) = [one for one in outputs if isinstance(one, SkillRevision)]
        (notice,) = [one for one in outputs if isinstance(one, Notice)]
        assert revision.state is SkillState.REVIEW
        assert "AGENTS.md:11" in revision.reason
        assert notice.about == "conflict"
        assert "AGENTS.md:11" in notice.text and rule in notice.text and quote.split()[-1] in notice.text

    def test_a_heading_that_forbids_counts(self) -> None:
        assert WithRules("Squash commits", heading="Don'ts").skill(correction_(**SQUASH)).state is SkillState.REVIEW
        assert WithRules("Squash commits", heading="Git").skill(correction_(**SQUASH)).state is SkillState.LIVE

    @pytest.mark.parametrize(
        "rule",
        [
            "Never commit to main.",
            "Always write tests.",
            "Squash your commits before the review",
            "Never squash migrations",
        ],
    )
    def test_other_rules_do_not_hinder_it(self, rule: str) -> None:
        assert WithRules(rule).skill(correction_(**SQUASH)).state is SkillState.LIVE

    @pytest.mark.parametrize(
        ("rule", "state"),
        [
            ("Use `flake8` for Python.", SkillState.REVIEW),
            ("Lint with flake8 before each commit.", SkillState.REVIEW),
            ("Use `flake8 --max-line-length 100`", SkillState.REVIEW),
            ("Never use flake8 here.", SkillState.LIVE),
            ("Write flake8 plugins in their own folder", SkillState.LIVE),
            ("Use flake8-nb for notebooks", SkillState.LIVE),
            ("Lint with ruff.", SkillState.LIVE),
        ],
    )
    def test_a_file_that_names_the_refused_program_says_the_opposite(self, rule: str, state: SkillState) -> None:
        quote = "no, we don't call flake8 directly any more, use ruff to lint in this repo"
        act = Act("shell", "Bash", command="flake8 src").as_json()
        assert WithRules(rule).skill(correction_(quote=quote, act=act, task="lint it")).state is state

    def test_what_a_file_says_already_is_still_a_skill_and_told(self) -> None:
        revision = WithRules("Be brief.", "Always squash commits!").skill(correction_(**SQUASH))
        assert revision.state is SkillState.LIVE
        assert "AGENTS.md:11 says so already" in revision.reason

    def test_a_live_skill_stays_live_while_what_contradicts_a_rule_waits_beside_it(self) -> None:
        loop = WithRules()
        first = loop.skill(correction_(1, **SQUASH))
        loop.rules = [RuleLine("AGENTS.md", 1, "Never squash release branches")]
        more = replace(correction_(2, **SQUASH), quote="and always squash release branches")
        beside = loop.skill(more)
        assert (beside.skill_id != first.skill_id, beside.state) == (True, SkillState.REVIEW)
