"""What a person does by hand in the scripted repositories; hands_scenarios.py has what must not count."""

import shutil

from tests.pipeline.hands_repos import SHOP, Desk, Found, scenario
from tests.pipeline.hands_scenarios import (
    BACK,
    EDIT,
    NEW,
    NEW_LOOP,
    NEW_RATE,
    OLD_LOOP,
    OLD_RATE,
    edits_shop,
    writes_orders,
)

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
