"""Versions beside each other: what changed, what differs, and since when a line stands."""

from dataclasses import replace

from hivemind_cli.app.versions import blame, changes, diff, in_use, readable
from hivemind_cli.core.records import Scope, SkillState
from tests.app.skills import revision


def test_each_version_tells_what_it_added_and_removed_and_who_did_it() -> None:
    history = [
        revision(1, "A", "B"),
        revision(2, "A", "C", "D", drafter="acme/large"),
        revision(3, "A", "C", "D", reason="accepted by a person"),
        revision(4, "A", "C", "D", scope=Scope.USER, reason="promoted by a person: for every project"),
    ]
    told = [(one.added, one.removed, one.by, one.scope) for one in changes(history)]
    assert told[0][2:] == ("extractive", "")
    assert told[1:] == [
        (2, 1, "acme/large", ""),
        (0, 0, "a person", ""),
        (0, 0, "a person", "every project"),
    ]


def test_a_diff_shows_what_a_person_reads_and_no_provenance() -> None:
    lines = diff(revision(1, "A@c1", "B@c2"), revision(2, "A@c1", "C@c3", trigger="Use when else."))
    assert "-- B" in lines and "+- C" in lines and "+description: Use when else." in lines
    assert not any("hm:" in one or "c3" in one for one in lines)
    assert diff(revision(1, "A"), revision(2, "A", state=SkillState.RETIRED)) == []
    assert diff(None, revision(1, "A"))[-1] == "+- A"


def test_blame_names_the_version_since_which_a_line_stands() -> None:
    history = [revision(1, "A@c1", "B@c2"), revision(2, "new@c3", "A@c1", "B@c2"), revision(3, "new@c3", "B@c2")]
    found = {one.text: (one.since.version, one.number, one.correction_ids) for one in blame(history)}
    assert found["- new"] == (2, 1, ("c3",))
    assert found["- B"] == (1, 2, ("c2",))
    assert found["## Do"] == (1, None, ())
    assert "- A" not in found


def test_a_line_that_an_undo_brought_back_stands_since_the_undo() -> None:
    history = [revision(1, "A"), revision(2, "B"), revision(3, "A", reason="undone by a person")]
    assert {one.since.version for one in blame(history) if one.text == "- A"} == {3}


def test_blame_reads_a_persons_own_markdown() -> None:
    body = "# About\nSome words.\n1. A <!-- hm:c_c1 -->\n2. B\n"
    second = replace(revision(2, "A@c1", "B"), body=body, drafter="person")
    found = {
        one.text: (one.since.version, one.number, one.correction_ids) for one in blame([revision(1, "A@c1"), second])
    }
    assert found["1. A"] == (2, 1, ("c1",))
    assert found["2. B"] == (2, 2, ())
    assert found["Some words."] == (2, None, ())
    assert readable(second)[2:] == ["Some words.", "1. A", "2. B"]


def test_what_was_in_use_is_the_last_live_version_before_the_newest() -> None:
    history = [revision(1), revision(2), revision(3, state=SkillState.RETIRED), revision(4, state=SkillState.REVIEW)]
    assert (found := in_use(history)) and found.version == 2
    assert in_use(history[:1]) is None
