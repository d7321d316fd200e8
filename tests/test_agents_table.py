"""The README says of each agent what its adapter can do."""

from hivemind_cli.hosts import HOSTS
from tests.agents_table import BEGIN, END, README, table, written


def test_the_readme_tells_what_the_adapters_can_do() -> None:
    text = README.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text == written(text), "write it anew: python -m tests.agents_table"


def test_it_has_a_line_for_each_agent() -> None:
    lines = table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == list(HOSTS)
    assert all(line.count("|") == lines[0].count("|") for line in lines)
