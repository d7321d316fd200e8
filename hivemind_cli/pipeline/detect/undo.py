"""Which files a version control command takes back, read from its words."""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import PurePosixPath

from hivemind_cli.core.shell import simple_commands

ALL = "*"
"""Every file of the tree."""
NEW = "+"
"""Every file that no commit has."""
COMMIT = "#"
"""What was committed; `commits_named` says which."""
_TAKES_VALUE = {"checkout": "bB", "stash": "m", "restore": "s", "clean": "e", "revert": "m"}
_LONG_VALUES = frozenset({"--source", "--message", "--mainline", "--exclude", "--conflict", "--orphan"})
_STASH_KEEPS = frozenset({"pop", "apply", "list", "show", "drop", "branch", "clear", "create", "store"})
_MOVES = frozenset({"switch", "pull", "merge", "rebase", "worktree"})
_HEAD = frozenset({"HEAD", "@"})
_COMMITS = frozenset({"commit", "ci", "describe", "new"})
_GOES_ON = frozenset({"--abort", "--quit", "--continue", "--skip"})


def taken_back(command: str) -> tuple[str, ...]:
    """What `command` takes back: paths, ALL, NEW or COMMIT; () for nothing.

    A command that works in another folder (`git -C`, after a `cd`) takes back nothing of this one; a stash before a
    change of branches, or one that comes back at once, is only put aside.
    """
    found: list[str] = []
    for words in simple_commands(command):
        if _goes_elsewhere(words):
            return tuple(found) if not stashes(command) else ()
        name = PurePosixPath(words[0]).name
        if name in ("cd", "pushd"):
            return tuple(found)
        if name == "git":
            found += _git(words[1:])
        elif name in ("hg", "jj", "svn") and len(words) > 1:
            found += _other(name, words[1], words[2:])
    return tuple(found)


def stashes(command: str) -> bool:
    """Does the command put work aside?"""
    return any(words[:2] == ["git", "stash"] for words in simple_commands(command))


def _goes_elsewhere(words: Sequence[str]) -> bool:
    """Does git go to another commit, or bring stashed work back?"""
    if len(words) < 2 or PurePosixPath(words[0]).name != "git":
        return False
    if words[1] == "checkout":
        return not _checkout(list(words[2:]))
    return words[1] in _MOVES or (words[1] == "stash" and len(words) > 2 and words[2] in ("pop", "apply"))


def _git(words: Sequence[str]) -> list[str]:
    while words and words[0].startswith("-"):
        if words[0] in ("-C", "--git-dir", "--work-tree") or words[0].startswith(("--git-dir=", "--work-tree=")):
            return []
        words = words[2:] if words[0] == "-c" else words[1:]
    if not words:
        return []
    verb, rest = words[0], list(words[1:])
    if verb == "checkout":
        return _checkout(rest)
    if verb == "restore":
        options, paths = _parted(verb, rest)
        only_index = bool(options & {"--staged", "-S"}) and not options & {"--worktree", "-W"}
        return [] if only_index else _whole(paths)
    if verb == "reset":
        if not {"--hard", "--merge"} & set(rest):
            return []
        return [ALL, COMMIT] if [word for word in rest if word[0] != "-" and word not in _HEAD] else [ALL]
    if verb == "stash":
        return _stash(rest)
    if verb == "clean":
        options, paths = _parted(verb, rest)
        dry = any(option == "--dry-run" or _short(option, "n") for option in options)
        return [] if dry else _whole(paths) if paths else [NEW]
    if verb == "revert":
        return [] if _GOES_ON & set(rest) else [COMMIT]
    return []


def _checkout(rest: list[str]) -> list[str]:
    if "--" in rest:
        return _whole(rest[rest.index("--") + 1 :])
    options, words = _parted("checkout", rest)
    if any(_short(option, "bBt") or option in ("--orphan", "--track", "--detach") for option in options):
        return []
    if any(option == "--force" or _short(option, "f") for option in options) and len(words) < 2:
        return [ALL]
    return _whole([word for word in words if word == "." or "." in PurePosixPath(word).name])


def _stash(rest: list[str]) -> list[str]:
    if rest and rest[0] in _STASH_KEEPS:
        return []
    if rest and rest[0] in ("push", "save"):
        rest = rest[1:]
    _, paths = _parted("stash", rest)
    return _whole(paths) if paths else [ALL]


def _other(program: str, verb: str, rest: Sequence[str]) -> list[str]:
    if (program, verb) in (("hg", "revert"), ("svn", "revert"), ("jj", "restore")):
        paths = [word for word in rest if not word.startswith("-")]
        return _whole(paths) if paths else [ALL]
    return [ALL] if (program, verb) in (("jj", "undo"), ("jj", "abandon")) else []


def _parted(verb: str, words: Sequence[str]) -> tuple[set[str], list[str]]:
    """Options, and words that are neither options nor their values."""
    options: set[str] = set()
    plain: list[str] = []
    waits = False
    for n, word in enumerate(words):
        if word == "--":
            return options, plain + list(words[n + 1 :])
        if waits:
            waits = False
        elif word.startswith("-") and len(word) > 1:
            options.add(word)
            waits = word in _LONG_VALUES or (len(word) == 2 and word[1] in _TAKES_VALUE.get(verb, ""))
        else:
            plain.append(word)
    return options, plain


def _short(option: str, letters: str) -> bool:
    return not option.startswith("--") and any(letter in option[1:] for letter in letters)


def _whole(paths: Sequence[str]) -> list[str]:
    return [ALL if path in (".", ":/", "./", "*") else path for path in paths]


def commits_named(command: str) -> tuple[str, ...]:
    """The commits that `git revert` and `git reset` name in `command`; () if they name none."""
    found: list[str] = []
    for words in simple_commands(command):
        if PurePosixPath(words[0]).name == "git" and len(words) > 1 and words[1] in ("revert", "reset"):
            found += _parted(words[1], words[2:])[1]
    return tuple(found)


def commits(command: str) -> bool:
    """Does the command commit what stands in the tree?"""
    heads = [words[:2] for words in simple_commands(command) if len(words) > 1]
    return any(
        PurePosixPath(program).name in ("git", "hg", "jj", "svn") and verb in _COMMITS for program, verb in heads
    )


def names(target: str, path: str) -> bool:
    """Is `path`, as the agent gave it, the target of such a command, or in it?"""
    if target == ALL:
        return True
    if "*" in target:
        return fnmatch(path, target) or fnmatch(path, f"*/{target}")
    wanted = [part for part in PurePosixPath(target).parts if part not in (".", "..")]
    given = list(PurePosixPath(path).parts)
    return bool(wanted) and any(given[n : n + len(wanted)] == wanted for n in range(len(given) - len(wanted) + 1))
