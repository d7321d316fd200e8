"""What happens in the scripted repositories. Each returns the corrections that must come of it, all of them."""

import shutil
import sys

from hivemind_cli.core.records import CorrectionKind
from tests.pipeline.hands_repos import SHOP, Desk, Found, run_git, scenario

EDIT, BACK = CorrectionKind.HAND_EDIT, CorrectionKind.REVERTED
NEW = """\
import json
from decimal import Decimal


def load(path):
    with open(path) as file:
        return json.load(file)


def save(path, orders):
    timeout = 30
    text = json.dumps(orders, indent=2)
    with open(path, "w") as file:
        file.write(text)
    return Decimal(timeout)
"""
OLD_RATE, NEW_RATE = "RATE = 0.19\n", "RATE = 0.21\nREDUCED = 0.07\n"
OLD_LOOP = "    result = 0\n    for item in items:\n        result = result + price(item)\n    return result\n"
NEW_LOOP = "    return sum(price(item) for item in items)\n"


def writes_orders(desk: Desk) -> None:
    """A new file, nobody has committed it yet."""
    desk.asks("load and save the orders")
    desk.writes("orders.py", NEW)
    desk.replies()


def edits_shop(desk: Desk) -> None:
    """Two hunks in a file that is committed."""
    desk.asks("raise the rate and shorten the sum")
    desk.edits("shop.py", OLD_RATE, NEW_RATE)
    desk.edits("shop.py", OLD_LOOP, NEW_LOOP)
    desk.replies()


# Formatters and encodings


@scenario
def a_real_formatter_runs(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes(
        "messy.py",
        "def call( a,b ):\n  x = { 'one':1,'two' : 2 }\n  if (a == b) :\n    return fetch(a, b, "
        "timeout_seconds = 30, retries=5, headers = { 'accept' : 'application/json', 'x-request' : 'shop' })\n"
        "  return ( x )\n",
    )
    desk.replies()
    before = desk.read("messy.py")
    desk.shell(f"{sys.executable} -m ruff format messy.py")
    assert desk.read("messy.py") != before
    return []


@scenario
def a_formatter_reflows_and_requotes(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes(
        "cart.ts",
        "import { b, a } from './lib'\n\nexport const load = async id => {\n"
        "  const cart = await fetchCart(id, { currency: 'EUR', withTaxes: true, retries: 3, color: 0xFFAA })\n"
        "  return cart.items.map(item => item.price)\n}\n",
    )
    desk.replies()
    desk.put(
        "cart.ts",
        'import { a, b } from "./lib";\n\nexport const load = async (id) => {\n  const cart = await fetchCart(id, {\n'
        '    currency: "EUR",\n    withTaxes: true,\n    retries: 3,\n    color: 0xffaa,\n  });\n'
        "  return cart.items.map((item) => item.price);\n};\n",
    )
    return []


@scenario
def imports_are_sorted_and_the_unused_dropped(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes(
        "a.py",
        "import sys\nimport zlib\nfrom os import path\nfrom os import getcwd\nimport abc\n\n"
        "print(abc, sys, path, getcwd)\n",
    )
    desk.replies()
    desk.put("a.py", "import abc\nimport sys\nfrom os import getcwd, path\n\nprint(abc, sys, path, getcwd)\n")
    return []


@scenario
def line_ends_and_encoding_change(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes("orders.py", NEW)
    desk.writes("menu.txt", "Crème brûlée\nCafé\n")
    desk.replies()
    (desk.tree / "orders.py").write_bytes(b"\xef\xbb\xbf" + NEW.replace("\n", "\r\n").encode())
    (desk.tree / "menu.txt").write_bytes("Crème brûlée\r\nCafé".encode("latin-1"))
    return []


@scenario
def the_agents_formatter_runs_and_then_the_persons(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes(
        "a.py",
        "def f( a,b ):\n"
        "  return g( a , b , timeout_in_seconds=30, number_of_retries=5, backoff_factor=2.5, verify=True)\n",
    )
    desk.runs(f"{sys.executable} -m ruff format a.py")
    desk.replies()
    desk.shell(f"{sys.executable} -m ruff format --line-length 140 a.py")
    return []


# Git brings changes


def teammate(desk: Desk, branch: str) -> None:
    """On another branch somebody changed the lines the agent wrote."""
    desk.git("checkout", "-qb", branch)
    desk.swap("shop.py", ("0.21", "0.22"), ("def price(net)", "def price(net, rate)"))
    desk.commits("theirs")
    desk.git("checkout", "-q", "main")


def committed_work(desk: Desk, branch: str = "theirs") -> None:
    desk.asks("raise the rate")
    desk.edits("shop.py", OLD_RATE, NEW_RATE)
    desk.runs("git add -A && git commit -qm mine")
    desk.runs("true")
    teammate(desk, branch)
    desk.replies()


@scenario
def a_branch_is_merged(desk: Desk) -> list[Found]:
    committed_work(desk)
    desk.put("notes.md", "mine\n")
    desk.commits("meanwhile")
    desk.git("merge", "-q", "--no-edit", "theirs")
    assert "0.22" in desk.read("shop.py")
    return []


@scenario
def a_branch_is_merged_by_fast_forward(desk: Desk) -> list[Found]:
    committed_work(desk)
    desk.git("merge", "-q", "theirs")
    return []


@scenario
def a_merge_stops_with_a_conflict(desk: Desk) -> list[Found]:
    committed_work(desk)
    desk.swap("shop.py", ("REDUCED = 0.07", "REDUCED = 0.07\nZERO = 0"), ("RATE = 0.21", "RATE = 0.210"))
    desk.commits("meanwhile")
    desk.replies()  # what the person changed before is not looked at here
    desk.git("merge", "-q", "theirs", check=False)
    assert "<<<<" in desk.read("shop.py")
    return []


@scenario
def the_work_is_rebased(desk: Desk) -> list[Found]:
    committed_work(desk)
    desk.put("notes.md", "mine\n")
    desk.commits("meanwhile")
    desk.git("rebase", "-q", "theirs")
    assert "0.22" in desk.read("shop.py")
    return []


@scenario
def a_colleagues_work_is_pulled(desk: Desk) -> list[Found]:
    bare = desk.tree.parent / "origin.git"
    run_git(desk.tree.parent, "clone", "-q", "--bare", str(desk.tree), str(bare))
    desk.git("remote", "add", "origin", str(bare))
    edits_shop(desk)
    desk.runs("git commit -qam mine && git push -q origin main")
    desk.replies()
    clone = desk.tree.parent / "clone"
    run_git(desk.tree.parent, "clone", "-q", str(bare), str(clone))
    (clone / "shop.py").write_text((clone / "shop.py").read_text().replace("0.21", "0.25"))
    run_git(clone, "commit", "-qam", "theirs")
    run_git(clone, "push", "-q")
    desk.git("pull", "-q", "--ff-only", "origin", "main")
    assert "0.25" in desk.read("shop.py")
    return []


@scenario
def another_branch_is_checked_out(desk: Desk) -> list[Found]:
    desk.git("checkout", "-qb", "feature")
    edits_shop(desk)
    desk.commits("the agent's")
    desk.git("checkout", "-q", "main")
    assert desk.read("shop.py") == SHOP
    return []


@scenario
def a_commit_is_picked(desk: Desk) -> list[Found]:
    committed_work(desk)
    desk.git("cherry-pick", "theirs")
    assert "0.22" in desk.read("shop.py")
    return []


@scenario
def the_persons_own_work_is_stashed_and_popped(desk: Desk) -> list[Found]:
    desk.put("README.md", "# Shop\n\nSells other things.\n")
    desk.git("stash", "-q")
    edits_shop(desk)
    desk.git("stash", "pop", "-q")
    return []


@scenario
def a_stash_is_popped_into_the_agents_file(desk: Desk) -> list[Found]:
    desk.swap(
        "shop.py",
        ("import sys\n", "import sys\nimport json\n"),
        ("return net * (1 + RATE)", "return round(net * (1 + RATE), 2)"),
    )
    desk.git("stash", "-q")
    desk.asks("shorten the sum")
    desk.edits("shop.py", OLD_LOOP, NEW_LOOP)
    desk.runs("git commit -qam mine")
    desk.replies()
    desk.git("stash", "pop", "-q")
    return []


@scenario
def everything_is_stashed_and_comes_back(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.git("stash", "-q")
    desk.git("stash", "pop", "-q")
    return []


@scenario
def the_work_is_committed(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.commits("the agent's")
    return []


@scenario
def a_reset_moves_the_branch_and_leaves_the_files(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.commits("too early")
    desk.git("reset", "-q", "--mixed", "HEAD~1")
    desk.git("reset", "-q", "--soft", "HEAD")
    return []


@scenario
def the_same_file_in_another_worktree(desk: Desk) -> list[Found]:
    other = desk.tree.parent / "other"
    desk.git("worktree", "add", "-q", str(other))
    edits_shop(desk)
    (other / "shop.py").write_text("nothing = 0\n")
    run_git(other, "checkout", "-q", "--", "shop.py")
    return []


# Others' and programs' work


@scenario
def generated_ignored_and_lock_files_change(desk: Desk) -> list[Found]:
    desk.put(".gitattributes", "schema.py linguist-generated\n")
    desk.commits()
    files = {
        "client.py": "# Code generated by protoc. DO NOT EDIT.\nVERSION = 1\n",
        "schema.py": "TABLE = 'orders'\n",
        "settings.local": "port = 8000\n",
        "build/out.js": "const port = 8000\n",
        "package-lock.json": '{"name": "shop", "version": "1.0.0"}\n',
        "uv.lock": 'name = "shop"\nversion = "1.0.0"\n',
        "app.min.js": "const port=8000\n",
    }
    desk.asks("write them")
    for name, text in files.items():
        desk.writes(name, text)
    desk.replies()
    for name, text in files.items():
        desk.put(name, text.replace("1", "2").replace("8000", "9000").replace("orders", "carts"))
    return []


@scenario
def the_agents_own_command_rewrites_it(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes("orders.py", NEW)
    desk.runs("sed -i 's/timeout = 30/timeout = 60/' orders.py && mv README.md READ.md")
    desk.replies()
    return []


@scenario
def the_agents_command_removes_it(desk: Desk) -> list[Found]:
    desk.asks("write a scratch file")
    desk.writes("scratch.py", NEW)
    desk.runs("rm scratch.py")
    desk.replies()
    return []


@scenario
def another_agent_writes_it_meanwhile(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.asks("longer timeouts", session="s2")
    desk.edits("orders.py", "    timeout = 30\n", "    timeout = 90\n", session="s2")
    desk.replies(session="s2")
    return []


@scenario
def another_agents_command_changes_it_meanwhile(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.asks("longer timeouts", session="s2")
    desk.runs("sed -i 's/timeout = 30/timeout = 90/' orders.py", session="s2")
    return []


@scenario
def a_subagent_changes_it(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes("orders.py", NEW)
    desk.edits("orders.py", "    timeout = 30\n", "    timeout = 90\n", agent_id="a1")
    desk.replies()
    return []


@scenario
def files_are_renamed_and_moved(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.commits("the agent's", "orders.py")
    desk.git("mv", "orders.py", "purchases.py")
    desk.asks("another")
    desk.writes("tool.py", NEW.replace("load", "fetch"))
    desk.replies()
    (desk.tree / "tools").mkdir()
    shutil.move(desk.tree / "tool.py", desk.tree / "tools" / "tool.py")
    return []


@scenario
def a_picture_takes_its_place(desk: Desk) -> list[Found]:
    desk.asks("a place for the logo")
    desk.writes("logo.png", "to be drawn\n")
    desk.replies()
    (desk.tree / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    return []


@scenario
def a_person_writes_beside_it(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.swap("shop.py", ("def price(net)", "def price(net, rate=RATE)"))
    desk.put("shop.py", desk.read("shop.py") + "\n\ndef discount(net):\n    return net * 0.9\n")
    return []
