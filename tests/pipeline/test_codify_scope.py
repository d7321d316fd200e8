"""What a skill is narrowed to, by the evidence; and when a person means it for all projects."""

from typing import Any

import pytest

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Notice, Scope, SkillRevision, SkillState
from hivemind_cli.pipeline.codify.scope import applies, said_for_all
from hivemind_cli.skills.format import check, render
from tests.pipeline.codify_loop import Loop, correction_


def of(quote: str, act: Act | None = None, **changes: Any) -> Any:
    return applies([correction_(quote=quote, act=act.as_json() if act else {}, **changes)])


class TestTools:
    @pytest.mark.parametrize(
        ("command", "tools"),
        [
            ("scons archive --fast", ["scons"]),
            ("cd app && FOO=1 sudo /usr/bin/git push -f | tee log", ["git", "tee"]),
            ("bash -lc 'ninja all'", ["ninja"]),
            ("echo hello", ["echo"]),
        ],
    )
    def test_the_programs_of_a_command_without_what_wraps_them(self, command: str, tools: list[str]) -> None:
        assert of("no, not so", Act("shell", "Bash", command=command))["tools"] == tools

    def test_a_command_that_the_person_writes_counts_and_a_single_word_in_code_does_not(self) -> None:
        assert of("run `ninja -C out all` and mind `foo`")["tools"] == ["ninja"]

    def test_what_a_page_says_does_not(self) -> None:
        assert of("the page says: run `npm install left`") == {}


class TestLanguages:
    @pytest.mark.parametrize(
        ("path", "languages"), [("src/app.py", ["Python"]), ("web/App.TSX", ["TypeScript"]), ("conf/app.yaml", [])]
    )
    def test_by_the_file_that_was_edited(self, path: str, languages: list[str]) -> None:
        assert of("no, not so", Act("edit", "Edit", path=path)).get("languages", []) == languages

    def test_by_the_files_that_the_person_names(self) -> None:
        assert of("put types into types.ts, e.g. *.rs files too. Done")["languages"] == ["TypeScript", "Rust"]
        assert of("see e.g. the wiki. And i.e. so") == {}


class TestVersions:
    @pytest.mark.parametrize(
        ("quote", "versions"),
        [
            ("we are on python 3.8 here", {"python": "3.8"}),
            ("use pnpm@9 everywhere in this folder", {"pnpm": "9"}),
            ("pydantic v2, not v1", {"pydantic": "2"}),
            ("Node.js 20.11+ only", {"Node.js": "20.11+"}),
            ("scons 4 is what we have", {"scons": "4"}),
            ("wir sind auf Django 4.2", {"Django": "4.2"}),
            ("use port 8080 and line 20, step 3", {}),
            ("at 5 there are 2 spaces", {}),
            ("version 2.0 of the API", {}),
            ("raise it to 3.5 and then by 0.5", {}),
        ],
    )
    def test_a_tool_with_its_version_in_the_persons_words(self, quote: str, versions: dict[str, str]) -> None:
        assert of(quote, Act("shell", "Bash", command="scons x")).get("versions", {}) == versions

    def test_the_description_says_a_version_that_it_would_not_name(self) -> None:
        quote = "no, we build with make here, never with scons, " * 8 + "and that on python 3.8"
        revision = Loop().skill(correction_(quote=quote))
        assert revision.applies["versions"] == {"python": "3.8"}
        assert "python 3.8" in revision.trigger
        assert "python 3.8" in render(revision).split("\n---\n")[0].split("hivemind-applies")[1]
        assert check(render(revision), revision.name) == []


class TestEverywhere:
    @pytest.mark.parametrize(
        "words",
        [
            "in all my repos, use make",
            "use make in every project",
            "no, in all my projects always use make",
            "for all of our projects: make",
            "always, everywhere: use make",
            "in allen meinen Projekten immer make",
            "dans tous mes projets, utilise make",
            "en todos mis proyectos usa make",
            "em todos os projetos use make",
            "in tutti i miei progetti usa make",
            "in al mijn projecten make gebruiken",
            "во всех моих проектах используй make",
            "we wszystkich projektach używaj make",
            "bütün projelerde make kullan",
            "i alla mina projekt, använd make",
            "在所有项目中使用 make",
            "すべてのプロジェクトで make を使う",
            "모든 프로젝트에서 make 사용",
            "every repo uses make",
            "each of my projects has its own lock file",
            "any repo of mine: make",
            "immer make, in jedem Projekt",
            "у всіх моїх проєктах використовуй make",
            "her projede make kullan",
            "brug make i alle mine projekter",
            "ve všech mých projektech používej make",
        ],
    )
    def test_said_outright_in_many_languages(self, words: str) -> None:
        assert said_for_all(words)

    @pytest.mark.parametrize(
        "words",
        [
            "replace it everywhere in this file",
            "not in all projects, only here",
            "this is not how every project does it",
            "use make in this project",
            "all files of the project are formatted",
            "nicht in allen Projekten",
            "überall in dieser Datei",
            "always use make",
            "不是所有项目都用 make",
            "all project dependencies must be pinned",
            "every project file needs a header",
            "put a label on each package in every project folder",
            "any project manager may approve it",
            "add it to all the project's tests",
            "all projections are cached",
            "put this in every projector",
            "all projected values are rounded",
            "alle Projektdateien umbenennen",
        ],
    )
    def test_here_is_not_everywhere(self, words: str) -> None:
        assert not said_for_all(words)

    def test_such_a_skill_is_proposed_for_all_projects_and_waits(self) -> None:
        quote = "in all my repos we build with make, never with scons"
        outputs = Loop().give(correction_(quote=quote))
        (revision,) = [one for one in outputs if isinstance(one, SkillRevision)]
        assert (revision.scope, revision.state) == (Scope.USER, SkillState.REVIEW)
        assert revision.applies["everywhere"] is True
        assert [one.about for one in outputs if isinstance(one, Notice)] == ["review"]
        assert check(render(revision), revision.name) == []

    def test_a_skill_that_is_there_stays_where_it_is(self) -> None:
        loop = Loop()
        first = loop.skill(correction_(1))
        second = loop.skill(correction_(2, quote="in all my repos we build with make, with -j4"))
        assert (second.skill_id, second.scope, second.state) == (first.skill_id, Scope.PROJECT, SkillState.LIVE)


def test_new_evidence_widens_what_a_skill_applies_to() -> None:
    loop = Loop()
    first = loop.skill(correction_(1))
    assert first.applies == {"tools": ["scons"]}
    more = correction_(2, act=Act("shell", "Bash", command="ninja archive").as_json(), quote="make 4.4, see build.rs")
    assert loop.skill(more).applies == {"tools": ["scons", "ninja"], "languages": ["Rust"], "versions": {"make": "4.4"}}
