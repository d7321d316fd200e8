"""Which commands are checks: tests, builds, type checks, linters.

Known runners by a table, others by the words of their kind: `make check`, `npm run lint:ci`, `./scripts/test.sh`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from hivemind_cli.core.shell import simple_commands


def _table(text: str) -> dict[str, str]:
    """Lines of `name name: word word`: each name -> its words, "" where the line has no colon."""
    rows = (line.partition(": ") for line in text.strip().splitlines())
    return {name: words for names, _, words in rows for name in names.split()}


_CHECKS = _table("""
pytest py.test tox nox unittest nose2 behave doctest mypy dmypy pyright basedpyright pyre pytype flake8 pylint
bandit py_compile compileall import-linter lint-imports jest vitest mocha ava tap jasmine wtr tsc vue-tsc
svelte-check eslint oxlint standard xo stylelint webpack rollup esbuild tsup markdownlint staticcheck gotestsum
ginkgo rustc javac kotlinc ktlint detekt checkstyle scalac msbuild rspec rubocop standardrb minitest brakeman phpunit
pest phpstan psalm phpcs paratest clj-kondo ghc hlint elm-test swiftlint swiftc gcc g++ cc clang clang++ clang-tidy
cppcheck ctest ninja shellcheck hadolint actionlint yamllint ansible-lint tflint bats busted luacheck prove vale
astro: check build
biome: check lint ci
black: --check
cargo: test build check clippy nextest bench
cmake: --build
crystal: spec build
dart: test analyze compile
dotnet: test build publish
dune: build test runtest
elm: make
flutter: test analyze build
gleam: test build check
go: test build vet
helm sqlfluff: lint
isort: --check --check-only -c
karma: start
lein: test check
meson hardhat: test compile
mix: test compile credo dialyzer
mvn mvnw: test verify package compile install
next: build lint
ng: test build lint
nim: c check test
pants deno: test check lint
playwright fastlane bun: test
pre-commit lefthook cypress golangci-lint: run
prettier: --check -c
rebar3: eunit ct compile dialyzer
srb: tc
stack cabal swift bazel bazelisk buck2 dbt forge: test build
terraform: validate
trunk: build check
ty ruff: check
vite parcel nuxt: build
wasm-pack zig: build test
""")
"""Program -> the words that make it a check; "": any use of it."""
_TASK_RUNNERS = _table("""
make gmake just task rake rails invoke inv poe hatch pdm npm pnpm yarn bun composer mage earthly nx turbo moon lerna
rush gulp grunt wireit deno artisan manage.py setup.py noxfile.py dagger act mise devbox pixi rye symfony gradle gradlew
mvn mvnw sbt mill ant xcodebuild console
""")
_WRAPPERS = _table("""
npx bunx pnpx xvfb-run dotenv nix-shell cross-env kcov wsl winpty flock retry gtimeout script caffeinate chronic
unbuffer strace valgrind firejail fvm vendor steam-run ssh
bun: x run
bundle kubectl direnv asdf: exec
docker: run exec compose
docker-compose podman: run exec
nix: develop shell run
npm mise: exec x
pnpm yarn: exec dlx
uv poetry pipenv pdm hatch rye pixi conda mamba devbox op doppler coverage: run
""")
"""Program -> the words after which the command comes that it runs; "": at once."""
_INTERPRETERS = re.compile(r"(?:python|py|pypy|node|ruby|php|perl|bash|sh|zsh|deno|bun|tsx|ts-node|elixir|lua)[\d.]*$")
_NOT_CHECKS = _table("""
grep rg ag ack cat bat ls find fd echo printf cd mkdir rm mv cp ln git gh glab sed awk head tail touch vim nano code
less more which man curl wget tree wc sort uniq diff chmod chown tar unzip kill ps open tee xargs jq docker brew apt
apt-get pip pip3 apk dnf yum read source export stat file du df history env printenv type sleep true false
""")
_WORDS = re.compile(
    r"(?:^|[:_./-])(?:(?P<test>tests?|testing|specs?|e2e|unit|integration)"
    r"|(?P<lint>lint\w*|checks?|vet|verify|validate|ci|qa|analy[sz]e|clippy|quality)"
    r"|(?P<types>type-?checks?|types|tsc)|(?P<build>builds?|compile\w*|assemble|bundle))(?:$|[:_./-]|\d)",
    re.IGNORECASE,
)
_KINDS = _table("""
eslint ruff flake8 pylint rubocop golangci-lint clippy stylelint shellcheck ktlint detekt phpcs swiftlint: lint
biome: lint
mypy pyright basedpyright tsc vue-tsc svelte-check psalm phpstan srb pyre pytype dialyzer: types
make ninja cmake gcc g++ cc clang clang++ javac rustc webpack vite rollup esbuild tsup next msbuild ghc: build
elm: build
""")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SCANNED_MAX = 10
"""Words of a wrapper looked through for the command: its own options and their values stand before it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check that a command runs."""

    kind: str
    """test, lint, types, build."""
    name: str
    """As a person calls it: `pytest`, `npm run lint`."""


@lru_cache(maxsize=1024)
def checks_of(command: str) -> tuple[Check, ...]:
    """The checks that `command` runs, in order, without repeats; () for none."""
    return tuple(dict.fromkeys(check for words in simple_commands(command) if (check := _check(words))))


def _check(words: Sequence[str], depth: int = 0) -> Check | None:
    name = PurePosixPath(words[0]).name.lower().removesuffix(".exe").removesuffix(".cmd")
    rest = list(words[1:])
    if name in _NOT_CHECKS and name not in _WRAPPERS:
        return None
    if name in _CHECKS and _is_use(_CHECKS[name], rest):
        return _named(name, rest)
    if _INTERPRETERS.match(name):
        return _interpreted(rest, depth)
    if depth < 3 and (name in _WRAPPERS or name == "time"):
        inner = _wrapped(name, rest)
        for n in range(min(len(inner), _SCANNED_MAX)):
            if not inner[n].startswith("-") and (found := _known(inner[n:], depth + 1)):
                return found
    if name in _TASK_RUNNERS:
        return _task(name, rest)
    if "/" in words[0] or name.endswith((".sh", ".py", ".js", ".rb")):
        return _script(words[0])
    return _generic(name, rest)


def _known(words: Sequence[str], depth: int) -> Check | None:
    """What a wrapper runs, if it is a check; any word of its options may stand first, so guesses are not made."""
    name = PurePosixPath(words[0]).name
    known = (
        name in _CHECKS or name in _TASK_RUNNERS or name in _WRAPPERS or _INTERPRETERS.match(name) or "/" in words[0]
    )
    return _check(words, depth) if known else None


def _wrapped(name: str, rest: list[str]) -> list[str]:
    verbs = _WRAPPERS.get(name, "").split()
    if not verbs:
        return rest
    at = next((n for n, word in enumerate(rest) if word in verbs), None)
    return [] if at is None else rest[at + 1 :]


def _interpreted(rest: list[str], depth: int) -> Check | None:
    """`python -m pytest`, `node --test`, `ruby test/all.rb`."""
    if "-m" in rest[:4] and rest.index("-m") + 1 < len(rest):
        return _check(rest[rest.index("-m") + 1 :], depth + 1)
    if "--test" in rest:
        return Check("test", "node --test")
    script = next((n for n, word in enumerate(rest) if not word.startswith("-")), None)
    if script is None or {"-c", "-e", "--eval", "-r"} & set(rest[:script]):
        return None
    if PurePosixPath(rest[script]).name in _TASK_RUNNERS:
        return _task(PurePosixPath(rest[script]).name, rest[script + 1 :])
    return _script(rest[script]) if "." in rest[script] or "/" in rest[script] else None


def _is_use(verbs: str, rest: Sequence[str]) -> bool:
    if not verbs:
        return not {"--version", "--help", "-h", "-V", "--init"} & set(rest)
    wanted = set(verbs.split())
    first = next((word for word in rest if not word.startswith(("-", "+"))), "")
    return first in wanted or bool({word for word in wanted if word.startswith("-")} & set(rest))


def _named(name: str, rest: Sequence[str]) -> Check:
    first = next((word for word in rest if not word.startswith(("-", "+"))), "")
    verb = first if first in _CHECKS[name].split() else ""
    word = _WORDS.search(verb or name)
    told = _KINDS.get(name) or _KINDS.get(verb)
    return Check(told or (word.lastgroup if word and word.lastgroup else "test"), f"{name} {verb}".strip())


def _task(name: str, rest: Sequence[str]) -> Check | None:
    words = [word for word in rest if not word.startswith("-") and "=" not in word]
    if words[:1] == ["ci"] and name in ("npm", "pnpm", "yarn", "bun"):  # it installs
        return None
    for word in words[:4]:
        match = _WORDS.search(_CAMEL.sub("-", word))
        if match and match.lastgroup:
            return Check(match.lastgroup, f"{name} {word}")
    bare = name in ("make", "gmake", "ninja") and not words
    return Check("build", name) if bare else None


def _script(path: str) -> Check | None:
    match = _WORDS.search(PurePosixPath(path).name)
    return Check(match.lastgroup, PurePosixPath(path).name) if match and match.lastgroup else None


def _generic(name: str, rest: Sequence[str]) -> Check | None:
    word = rest[0] if rest else ""
    match = _WORDS.fullmatch(word) or _WORDS.fullmatch(name)
    return Check(match.lastgroup, f"{name} {word}".strip()) if match and match.lastgroup else None
