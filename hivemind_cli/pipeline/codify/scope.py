"""What the evidence narrows a skill to: tools, languages and versions; or that the person means it for all projects.

Only facts and the person's own words count. Grammar words stand here in some languages, names of tools nowhere.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act, command_heads
from hivemind_cli.core.records import JSON, Correction
from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import stem
from hivemind_cli.pipeline.spoken import own_words

TOOLS_MAX = LANGUAGES_MAX = VERSIONS_MAX = 6
LANGUAGES = {
    "Python": "py pyi pyx ipynb",
    "JavaScript": "js mjs cjs jsx",
    "TypeScript": "ts mts cts tsx",
    "Vue": "vue",
    "Svelte": "svelte",
    "Go": "go",
    "Rust": "rs",
    "Java": "java",
    "Kotlin": "kt kts",
    "Scala": "scala sc",
    "Swift": "swift",
    "Objective-C": "m mm",
    "C": "c",
    "C++": "cc cpp cxx hpp hh",
    "C#": "cs",
    "F#": "fs fsx",
    "Ruby": "rb",
    "PHP": "php",
    "Perl": "pl pm",
    "Lua": "lua",
    "R": "r rmd",
    "Julia": "jl",
    "Haskell": "hs",
    "Elixir": "ex exs",
    "Erlang": "erl hrl",
    "Clojure": "clj cljs cljc",
    "OCaml": "ml mli",
    "Dart": "dart",
    "Zig": "zig",
    "Nim": "nim",
    "Shell": "sh bash zsh fish",
    "PowerShell": "ps1 psm1",
    "SQL": "sql",
    "HTML": "html htm",
    "CSS": "css scss sass less",
    "Markdown": "md mdx markdown",
    "reStructuredText": "rst",
    "LaTeX": "tex",
    "Terraform": "tf tfvars",
    "Nix": "nix",
    "Protocol Buffers": "proto",
    "GraphQL": "graphql gql",
    "Solidity": "sol",
}
"""Language -> extensions of its files. Data formats (json, yaml, toml) are no language: they belong to every tool."""
_BY_EXTENSION = {extension: name for name, extensions in LANGUAGES.items() for extension in extensions.split()}
_FILE = re.compile(r"(?<![\w.])[\w./@*-]*\.([A-Za-z][A-Za-z0-9]{0,8})(?![\w.]*\w)")
_CODE = re.compile(r"`+([^`\n]+)`+")
_PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*")
_DOTTED = r"\d+(?:\.\d+){1,3}(?:\.x)?"
_VERSION = re.compile(
    rf"(?<![\w./-])(?P<tool>[A-Za-z][A-Za-z0-9_.+#-]*?)(?:@|\s+|==|\s*(?:>=|<=|~=|\^|<|>)\s*)(?:v(?:ersion)?\.?\s?)?"
    rf"(?P<version>(?:{_DOTTED}|\d{{1,4}}(?:\.x)?)\+?)(?![\w-]|\.\d)",
)
_MARKED = re.compile(r"(?:@|==|\bv(?:ersion)?\.?\s?)\d", re.IGNORECASE)
_NO_TOOL = frozenset(
    re.findall(
        r"\w+",
        "version release port line step issue ticket section chapter page part phase item point number rule table "
        "figure column row level sprint day week at to of for in on by than about over under least most above below "
        "ab seit bis von nach vor über unter mindestens höchstens schritt zeile seite depuis étape ligne desde línea "
        "paso версия строка шаг",
    )
)
"""What a number may follow without being a version of it."""

_GOES_ON = (
    r"(?=[^\w\s'’]|\s*$|\s+(?:we|i|you|that|is|in|on|at|by|with|for|from|of|and|or|as|but|to|not|here|always|never|must"
    r"|should|shall|will|can|may|has|gets?|needs|uses|wants|please|too|also|now)\b)"
)
"""After one project: more of the sentence, and no noun that "project" only describes ("every project file")."""
_EVERY_PROJECT = (
    rf"(?:every|each|any)(?: single)?(?: (?:one )?of)?(?: (?:my|our|your|the|other|future))*"
    rf" (?:repo|repository|project|code ?base|workspace){_GOES_ON}",
    r"(?:all|any|every one|each)(?: of)?(?: (?:my|our|your|the|other|future))*"
    r" (?:repos|repositories|projects|code ?bases|workspaces|packages of mine)",
    r"any (?:repo|project|package) of mine",
    r"(?:alle[nrm]?(?: (?:meine[nr]?|unsere[nr]?))?|jede[mnrs]?) (?:projekte?n?|repos?|repositor(?:y|ies|ien))",
    r"(?:tous(?: (?:mes|nos|les))?|chaque) (?:projets?|dépôts?|repos?)",
    r"(?:tod[oa]s(?: (?:mis|nuestros|nuestras|los|las|os|as|meus|minhas|nossos))*|cada)"
    r" (?:proyectos?|projetos?|reposit[oó]rios?|repos?)",
    r"(?:tutti(?: i)?(?: (?:miei|nostri))?|ogni) (?:progett[oi]|repository|repo)",
    r"(?:al(?:le)?(?: (?:mijn|onze))?|elke?) (?:projecten|project|repo['’]?s?)",
    r"(?:всех|все|каждом|усіх|всіх|кожному)(?: (?:моих|наших|мои|наши|моїх|наших))?"
    r" (?:про[еє]кт(?:ах|ов|ы|е|ам|ів|и|і)|репозитори(?:ях|ев|и|ям|й)|репозиторі(?:ях|їв|ї))",
    r"(?:wszystkich(?: (?:moich|naszych))?|każdym) (?:projekt(?:ach|ów|ie)|repozytori(?:ach|ów|um))",
    r"(?:bütün|tüm|her) (?:proje|depo)(?:ler|lar)?(?:im|ım|imiz|ımız)?(?:[dt][ea])?",
    r"(?:alla(?: (?:mina|våra))?|varje) (?:projekt(?:en)?|repon?|kodbaser?)",
    r"(?:alle(?: (?:mine|vores|våre))?|hver[te]?) (?:pros?jekte(?:r|ne)?|pros?jekt|repo(?:er|s|ene)?)",
    r"(?:všech(?: (?:mých|našich))?|každém) (?:projekte?ch|projektu|repozitář(?:ích|i))",
)
"""All projects, or each of them; a line for each language."""
_EVERYWHERE = re.compile(rf"(?<!\w)(?:{'|'.join(_EVERY_PROJECT)})(?![\w'’])", re.IGNORECASE)
_UNSPACED = re.compile(
    "(?:所有|全部|每个|任何)(?:的)?(?:我的|我们的)?(?:项目|仓库|代码库|專案)"
    "|(?:すべて|全て|全部|どの)の?(?:プロジェクト|リポジトリ)|모든 ?(?:프로젝트|저장소|리포지토리)"
)
_WHEREVER = re.compile(
    r"\b(?:always(?: and)?,? everywhere|everywhere,? always|wherever (?:i|we) work"
    r"|no matter (?:which|what) (?:repo|project)\w*"
    r"|immer(?: und)?,? überall|überall(?: und)?,? immer|toujours(?: et)?,? partout|partout(?: et)?,? toujours"
    r"|siempre(?: y)?,? en todas partes|sempre(?: e)?,? (?:em todo lugar|dappertutto|ovunque)|altijd(?: en)?,? overal"
    r"|всегда(?: и)?,? везде|везде(?: и)?,? всегда|zawsze(?: i)?,? wszędzie|alltid(?: och)?,? överallt)\b",
    re.IGNORECASE,
)
_NOT_ALL = re.compile(
    r"\b(?:not?|n['’]t|nicht|keine[nrm]?|pas|non|não|niet|geen|не|nie|inte|ikke|except|außer|sauf|excepto|кроме)\b"
    r"[^.,!?;:\n]{0,12}$|不是$|并非$",
    re.IGNORECASE,
)
"""Right before it: "not in all projects"."""


def applies(corrections: Sequence[Correction]) -> JSON:
    """`SkillRevision.applies` from the evidence; what it says nothing of is left out."""
    acts = [Act.of(one.act) for one in corrections if one.act]
    words = [own_words(one.quote) for one in corrections]
    tools = _first(_tools(acts, words), TOOLS_MAX)
    languages = _first(_languages(acts, words), LANGUAGES_MAX)
    found: dict[str, Any] = {
        "tools": tools,
        "languages": languages,
        "versions": versions(words, {name.casefold() for name in (*tools, *languages)}),
        "everywhere": any(map(said_for_all, words)),
    }
    return {key: value for key, value in found.items() if value}


def widened(known: JSON, new: JSON) -> JSON:
    """What a skill applies to once new evidence came: more tools and languages, the newest versions.

    What the person says of all projects is theirs to decide for a skill that is there: it is not taken over.
    """
    joined: dict[str, Any] = {
        "tools": _first((*known.get("tools", ()), *new.get("tools", ())), TOOLS_MAX),
        "languages": _first((*known.get("languages", ()), *new.get("languages", ())), LANGUAGES_MAX),
        "versions": {**known.get("versions", {}), **new.get("versions", {})},
        "everywhere": bool(known.get("everywhere")),
    }
    return {key: value for key, value in joined.items() if value}


def said_for_all(words: str) -> bool:
    """Does the person mean it for all projects? Said outright, or not at all: "everywhere in this file" is here."""
    for pattern in (_EVERYWHERE, _UNSPACED, _WHEREVER):
        for found in pattern.finditer(words):
            if not _NOT_ALL.search(words[: found.start()]):
                return True
    return False


def versions(words: Iterable[str], known: set[str]) -> dict[str, str]:
    """Tool -> version, where the words name one: dotted, or marked as one, or right after a tool in `known`."""
    found: dict[str, str] = {}
    for text in words:
        for one in _VERSION.finditer(text):
            tool, version = one["tool"], one["version"]
            if tool.casefold() in _NO_TOOL or stem(tool.casefold()) in STOPWORDS:
                continue
            if "." in version or _MARKED.search(one.group()) or tool.casefold() in known:
                found[tool] = version
    return dict(list(found.items())[-VERSIONS_MAX:])


def missing_from(trigger: str, scope: JSON) -> str:
    """A sentence for the description about versions it does not mention; "" if there are none."""
    named = [f"{tool} {version}" for tool, version in scope.get("versions", {}).items() if version not in trigger]
    return f"Applies to {', '.join(named)}." if named else ""


def _tools(acts: Iterable[Act], words: Iterable[str]) -> Iterable[str]:
    for act in acts:
        yield from (head.split(" ")[0] for head in act.heads if act.kind == SHELL)
    for text in words:
        for code in _CODE.findall(text):
            for head in command_heads(code) if " " in code.strip() else ():
                yield head.split(" ")[0]


def _languages(acts: Iterable[Act], words: Iterable[str]) -> Iterable[str]:
    extensions = [PurePosixPath(act.path).suffix[1:] for act in acts if act.kind in (EDIT, READ)]
    for text in words:
        extensions += _FILE.findall(text)
    for extension in extensions:
        if name := _BY_EXTENSION.get(extension.casefold()):
            yield name


def _first(names: Iterable[str], most: int) -> list[str]:
    return [name for name in dict.fromkeys(names) if _PROGRAM.match(name)][:most]
