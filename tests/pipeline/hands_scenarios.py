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


# A person's hand


@scenario
def one_line_is_changed(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.swap("shop.py", ("REDUCED = 0.07", "REDUCED_RATE = 0.07"))
    return [Found(EDIT, "shop.py", "REDUCED = 0.07", "REDUCED_RATE = 0.07")]


@scenario
def one_line_is_changed_and_committed_with_the_rest(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.swap("shop.py", ("REDUCED = 0.07", "REDUCED_RATE = 0.07"))
    desk.commits("all of it")
    return [Found(EDIT, "shop.py", "REDUCED = 0.07", "REDUCED_RATE = 0.07")]


@scenario
def a_line_is_only_added_to(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.swap("orders.py", ("json.dumps(orders, indent=2)", "json.dumps(orders, indent=2, sort_keys=True)"))
    return [
        Found(
            EDIT,
            "orders.py",
            "    text = json.dumps(orders, indent=2)",
            "    text = json.dumps(orders, indent=2, sort_keys=True)",
        )
    ]


@scenario
def parentheses_that_mean_something_are_taken_out(desk: Desk) -> list[Found]:
    desk.asks("gross prices")
    desk.writes("gross.py", "def gross(net, rate):\n    return net * (1 + rate)\n")
    desk.replies()
    desk.swap("gross.py", ("net * (1 + rate)", "net * 1 + rate"))
    return [Found(EDIT, "gross.py", "    return net * (1 + rate)", "    return net * 1 + rate")]


@scenario
def a_function_is_deleted(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.put("orders.py", NEW[: NEW.index("def save")].rstrip() + "\n")
    return [Found(EDIT, "orders.py", "def save(path, orders):")]


@scenario
def a_formatter_runs_and_one_line_is_changed(desk: Desk) -> list[Found]:
    writes_orders(desk)
    text = NEW.replace('"w"', "'w'").replace(
        "json.dumps(orders, indent=2)", "json.dumps(\n        orders,\n        indent=2,\n    )"
    )
    desk.put("orders.py", text.replace("timeout = 30", "timeout = 60").replace("\n", "\r\n"))
    return [Found(EDIT, "orders.py", "    timeout = 30", "    timeout = 60")]


@scenario
def a_line_of_several_turns_ago_is_changed(desk: Desk) -> list[Found]:
    writes_orders(desk)
    for n in range(3):
        desk.asks(f"now the part about {n}")
        desk.writes(f"part{n}.py", f"PART = {n}\n")
        desk.replies()
    desk.swap("orders.py", ("timeout = 30", "timeout = 60"))
    return [Found(EDIT, "orders.py", "    timeout = 30", "    timeout = 60")]


@scenario
def only_the_persons_part_counts_after_the_agents_command(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes("orders.py", NEW)
    desk.runs("sed -i 's/timeout = 30/timeout = 60/' orders.py")
    desk.replies()
    desk.swap("orders.py", ("timeout = 60", "timeout = 90"), ("indent=2", "indent=4"))
    return [Found(EDIT, "orders.py", "    timeout = 60", "    timeout = 90")]


@scenario
def a_renamed_file_is_changed_too(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.commits("the agent's", "orders.py")
    desk.git("mv", "orders.py", "purchases.py")
    desk.swap("purchases.py", ("timeout = 30", "timeout = 60"))
    return [Found(EDIT, "orders.py", "    timeout = 30", "    timeout = 60")]


@scenario
def after_a_merge_of_other_files_the_hand_still_counts(desk: Desk) -> list[Found]:
    desk.git("checkout", "-qb", "docs")
    desk.put("README.md", "# Shop\n\nSells everything.\n")
    desk.commits("docs")
    desk.git("checkout", "-q", "main")
    edits_shop(desk)
    desk.git("merge", "-q", "docs")
    desk.swap("shop.py", ("RATE = 0.21", "RATE = 0.20"))
    return [Found(EDIT, "shop.py", "RATE = 0.21", "RATE = 0.20")]


@scenario
def a_hand_edit_is_found_after_a_restart(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.restarts()
    desk.swap("shop.py", ("RATE = 0.21", "RATE = 0.20"))
    return [Found(EDIT, "shop.py", "RATE = 0.21", "RATE = 0.20")]


@scenario
def after_many_edits_and_a_restart_the_file_is_still_known(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes("rows.py", "".join(f"row_{n} = {n}\n" for n in range(80)))
    for n in (7, 70, 30):
        desk.edits("rows.py", f"row_{n} = {n}\n", f"row_{n} = 'agent {n}'\nextra_{n} = 1\n")
    desk.runs("sed -i 's/^row_50 = 50/row_50 = 51/' rows.py")
    desk.edits("rows.py", "row_1 = 1\n", "")
    desk.replies()
    desk.restarts()
    desk.swap("rows.py", ("extra_70 = 1", "extra_70 = 2"), ("row_50 = 51", "row_50 = 52"))
    return [Found(EDIT, "rows.py", "extra_70 = 1", "extra_70 = 2")]


@scenario
def the_persons_change_stays_told_after_a_restart(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.swap("shop.py", ("RATE = 0.21", "RATE = 0.20"))
    desk.asks("go on with the rest of it")
    desk.restarts()
    desk.asks("go on with the rest of that")
    desk.edits("shop.py", "import sys\n", "import json\n")
    desk.replies()
    desk.restarts()
    return [Found(EDIT, "shop.py", "RATE = 0.21", "RATE = 0.20")]


@scenario
def git_in_the_hosts_own_shell_is_told_once(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.person_runs("git checkout -- shop.py")
    return [Found(BACK, "shop.py")]


@scenario
def a_generator_in_the_hosts_own_shell(desk: Desk) -> list[Found]:
    desk.put("generate.sh", "sed -i 's/timeout = 30/timeout = 60/' orders.py\n")
    writes_orders(desk)
    desk.person_runs("sh generate.sh")
    return []


@scenario
def a_hand_edit_in_a_worktree(desk: Desk) -> list[Found]:
    other = desk.tree.parent / "other"
    desk.git("worktree", "add", "-q", str(other))
    desk.tree = other
    edits_shop(desk)
    desk.swap("shop.py", ("RATE = 0.21", "RATE = 0.20"))
    return [Found(EDIT, "shop.py", "RATE = 0.21", "RATE = 0.20")]


@scenario
def a_submodule_is_updated_and_one_line_of_it_changed(desk: Desk) -> list[Found]:
    library = desk.tree.parent / "library"
    shutil.copytree(desk.tree, library)
    desk.git("submodule", "--quiet", "add", str(library), "lib")
    desk.commits("with the library")
    desk.asks("raise the rate")
    desk.edits("lib/shop.py", OLD_RATE, NEW_RATE)
    desk.writes("orders.py", NEW)
    desk.replies()
    desk.git("checkout", "-q", "-b", "elsewhere")
    desk.swap("lib/shop.py", ("RATE = 0.21", "RATE = 0.20"))
    return [Found(EDIT, "lib/shop.py", "RATE = 0.21", "RATE = 0.20")]


@scenario
def there_is_no_git_at_all(desk: Desk) -> list[Found]:
    desk.tree = desk.tree.parent / "plain"
    desk.tree.mkdir()
    desk.asks("write them")
    desk.writes("orders.py", NEW)
    desk.writes("shop.py", SHOP)
    desk.writes("scratch.py", "x = compute(1)\n")
    desk.replies()
    desk.swap("orders.py", ("timeout = 30", "timeout = 60"))
    desk.put("shop.py", SHOP.replace("\n", "\r\n"))
    (desk.tree / "scratch.py").unlink()
    return [
        Found(EDIT, "orders.py", "    timeout = 30", "    timeout = 60"),
        Found(BACK, "scratch.py", "x = compute(1)"),
    ]


@scenario
def part_of_it_is_put_back_by_hand(desk: Desk) -> list[Found]:
    desk.asks("raise the rate and shorten the sum")
    desk.writes("shop.py", SHOP.replace(OLD_RATE, NEW_RATE).replace(OLD_LOOP, NEW_LOOP))
    desk.replies()
    desk.swap("shop.py", (NEW_LOOP, OLD_LOOP))
    return [Found(EDIT, "shop.py", NEW_LOOP.rstrip("\n"), "    result = 0")]


# Taken back


@scenario
def the_last_of_two_edits_is_undone(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.swap("shop.py", (NEW_LOOP, OLD_LOOP))
    return [Found(BACK, "shop.py", NEW_LOOP.rstrip("\n"), "    result = 0")]


@scenario
def git_checkout_takes_it_back(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.git("checkout", "--", "shop.py")
    return [Found(BACK, "shop.py", "RATE = 0.21")]


@scenario
def git_restore_takes_it_back_behind_the_persons_own_change(desk: Desk) -> list[Found]:
    desk.swap("shop.py", ("def total(items)", "def total(lines)"), ("for item in items", "for item in lines"))
    desk.asks("raise the rate")
    desk.edits("shop.py", OLD_RATE, NEW_RATE)
    desk.replies()
    desk.git("restore", "shop.py")
    return [Found(BACK, "shop.py", "RATE = 0.21")]


@scenario
def git_revert_takes_it_back(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.commits("the agent's")
    desk.git("revert", "--no-edit", "HEAD")
    return [Found(BACK, "shop.py", "RATE = 0.21")]


@scenario
def a_hard_reset_takes_it_back(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.git("reset", "-q", "--hard")
    return [Found(BACK, "shop.py", "RATE = 0.21")]


@scenario
def a_hard_reset_takes_the_agents_commit_back(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.runs("git commit -qam mine")
    desk.replies()
    desk.git("reset", "-q", "--hard", "HEAD~1")
    return [Found(BACK, "shop.py", "RATE = 0.21")]


@scenario
def git_stash_takes_it_away(desk: Desk) -> list[Found]:
    edits_shop(desk)
    desk.git("stash", "-q")
    return [Found(BACK, "shop.py", "RATE = 0.21")]


@scenario
def git_clean_takes_a_new_file_away(desk: Desk) -> list[Found]:
    writes_orders(desk)
    desk.git("clean", "-qf")
    return [Found(BACK, "orders.py", "def save(path, orders):")]


@scenario
def git_clean_takes_a_new_folder_away(desk: Desk) -> list[Found]:
    desk.asks("write it")
    desk.writes("orders/load.py", NEW)
    desk.replies()
    desk.git("clean", "-qfd")
    return [Found(BACK, "orders/load.py", "def save(path, orders):")]


@scenario
def the_editor_undoes_it(desk: Desk) -> list[Found]:
    desk.swap("shop.py", ("def total(items)", "def total(lines)"), ("for item in items", "for item in lines"))
    before = desk.read("shop.py")
    desk.asks("raise the rate")
    desk.edits("shop.py", OLD_RATE, NEW_RATE)
    desk.replies()
    desk.put("shop.py", before)
    return [Found(BACK, "shop.py", "RATE = 0.21")]
