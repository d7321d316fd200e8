"""Read and change settings. core/config.py is the schema; here is how its values are found and checked.

Nearest wins, key by key: flag, `HIVEMIND_*`, the project's `.hivemind.toml`, `config.toml`, default.
"""

import ast
import contextlib
import dataclasses
import difflib
import inspect
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hivemind_cli.core import config as config_module
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE, Paths

PROJECT_FILE = ".hivemind.toml"
WORKSPACE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ORIGINALS = {
    "HIVEMIND_WORKSPACE_ID": "workspace",
    "HIVEMIND_DEBUG": "debug",
    "HIVEMIND_CAPTURE": "capture.enabled",
    "HIVEMIND_CAPTURE_ONLY_CLI": "capture.only_cli",
    "HIVEMIND_SKILLIFY_EVERY_N_TURNS": "codify.every_n_turns",
}
_NOT_FOR_PROJECTS = re.compile(r"(?:llm|embedding|storage|daemon)\..*|debug")
"""A cloned repository must not be able to spend a person's money, move their records or have its model loaded."""
_CHOICES = {
    "codify.publish": ("auto", "review"),
    "recall.hold": ("once", "never"),
    "llm.provider": ("auto", "none", *config_module.PROVIDERS),
    "embedding.runtime": ("auto", "onnx", "sentence_transformers", "hashing", "none"),
    "storage.engine": ("duckdb", "inmemory"),
}
_EMBEDDINGS = "HIVEMIND_EMBEDDINGS"
"""The original's switch: true or false, a runtime, or else a model's name or folder."""
_UNIT = frozenset({"recall.applies_min", "recall.margin_min"})
"""0..1. All other numbers are above 0, but for those in _FROM_ZERO."""
_FROM_ZERO = frozenset(
    {
        "codify.retire_after_days",
        "llm.usd_per_day",
        "llm.tokens_per_day",
        "llm.calls_day_max",
        "llm.judge_calls_day_max",
        "llm.evaluate_calls_day_max",
        "recall.limit",
    }
)
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class Setting(NamedTuple):
    """One key of the schema."""

    key: str
    """Dotted: recall.hold."""
    type: str
    """str, bool, int or float."""
    default: Any
    doc: str


class Loaded(NamedTuple):
    """All settings, and where each came from."""

    config: Config
    origin: dict[str, str]
    """Key -> default, config.toml, .hivemind.toml, flag, or the variable's name."""


def load(
    paths: Paths,
    env: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    project_root: Path | None = None,
) -> Loaded:
    """The settings as they hold now. `flags`: dotted key -> value; None means not given.

    ConfigError names the file and line, the variable or the flag at fault.
    """
    values = {setting.key: setting.default for setting in reference()}
    origin = dict.fromkeys(values, "default")

    def take(found: Mapping[str, Any], source: Callable[[str], str]) -> None:
        for key, value in found.items():
            values[key], origin[key] = value, source(key)

    take(_file(paths.config), lambda _: "config.toml")
    if project_root is not None:
        take(_file(project_root / PROJECT_FILE, of_project=True), lambda _: PROJECT_FILE)
    from_env = _environment(env)
    take({key: value for key, (value, _) in from_env.items()}, lambda key: from_env[key][1])
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    take({key: _checked(key, value, "The flag") for key, value in given.items()}, lambda _: "flag")
    return Loaded(_assemble(values), origin)


def project_workspace(root: Path) -> str:
    """`workspace` in the project's file; "" if there is none. ConfigError as `load`."""
    return str(_file(root / PROJECT_FILE, of_project=True).get("workspace", ""))


def set_value(paths: Paths, key: str, value: Any) -> Any:
    """Write `key` to config.toml, keeping comments and order; text is read as the key's type. The value written.

    ConfigError, and nothing written, for what `load` would refuse.
    """
    import tomlkit
    from tomlkit.items import Table

    checked = _checked(key, value, "`hivemind config set`", words=True)
    _file(paths.config)  # a file that is already at fault is not ours to rewrite
    document = tomlkit.parse(_read(paths.config))
    section, _, name = key.rpartition(".")
    if section and section not in document:
        document.add(section, tomlkit.table())
    place = document[section] if section else document
    if section and not isinstance(place, Table | dict):
        raise ConfigError(f"`{section}` in {paths.config} is no table.", fix=f"Write it as a section [{section}].")
    place[name] = checked
    _write(paths.config, tomlkit.dumps(document))
    return checked


@lru_cache(maxsize=1)
def reference() -> tuple[Setting, ...]:
    """Every setting in the order of core/config.py, with the docs that stand under its field."""
    docs = _field_docs()
    found: list[Setting] = []
    for field in dataclasses.fields(Config):
        default = _default(field)
        if dataclasses.is_dataclass(default):
            for inner in dataclasses.fields(default):
                doc = docs.get((type(default).__name__, inner.name), "")
                value = getattr(default, inner.name)
                found.append(Setting(f"{field.name}.{inner.name}", type(value).__name__, value, doc))
        else:
            found.append(Setting(field.name, type(default).__name__, default, docs.get(("Config", field.name), "")))
    return tuple(found)


def variable(key: str) -> str:
    """The environment variable of a key: recall.hold -> HIVEMIND_RECALL_HOLD."""
    return f"HIVEMIND_{key.replace('.', '_').upper()}"


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _field_docs() -> dict[tuple[str, str], str]:
    docs: dict[tuple[str, str], str] = {}
    try:
        module = ast.parse(inspect.getsource(config_module))
    except OSError:  # a build without sources: settings work, their docs are empty
        return docs
    for node in module.body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if (
                isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[node.name, field.target.id] = inspect.cleandoc(after.value.value)
    return docs


def _assemble(values: Mapping[str, Any]) -> Config:
    sections: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (sections.setdefault(section, {}) if section else top)[name] = value
    for field in dataclasses.fields(Config):
        if field.name in sections:
            top[field.name] = type(_default(field))(**sections[field.name])
    return Config(**top)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read.", why=f"{exc}.", fix="Make it a readable UTF-8 text file.") from exc


def _file(path: Path, *, of_project: bool = False) -> dict[str, Any]:
    """Dotted key -> checked value of one TOML file; {} if it is not there."""
    text = _read(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is no valid TOML.", why=f"{exc}.", fix="Correct that line.") from exc
    found: dict[str, Any] = {}
    for name, value in document.items():
        flat = {f"{name}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
        if not flat and name not in _sections():
            raise _unknown(name, _where(path, text, name))
        for key, one in flat.items():
            where = _where(path, text, key)
            checked = _checked(key, one, where)
            if of_project and _NOT_FOR_PROJECTS.fullmatch(key):
                raise ConfigError(
                    f"{where}: a project may not set `{key}`.",
                    why="A cloned repository must not spend your money, move your records or bring its own model.",
                    fix=f"Remove the line; to set it for yourself, run `hivemind config set {key} VALUE`.",
                )
            found[key] = checked
    return found


def _where(path: Path, text: str, key: str) -> str:
    """`path:line` of a key, as near as plain reading finds it."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1].strip("\"'")
            if current == key:
                return f"{path}:{number}"
        written = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if not written:
            continue
        said = written[1].replace('"', "").replace("'", "")
        if (current == section and said == name) or (not current and said in (key, section)):
            return f"{path}:{number}"
    return str(path)


def _environment(env: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """Key -> (checked value, variable). The schema's own names win over the originals."""
    found: dict[str, tuple[Any, str]] = {}
    switch = env.get(_EMBEDDINGS, "").strip()
    if switch:
        key, value = _embeddings(switch)
        found[key] = (value, _EMBEDDINGS)
    names = [*_ORIGINALS.items(), *((variable(setting.key), setting.key) for setting in reference())]
    for name, key in names:
        if env.get(name, "") != "":
            found[key] = (_checked(key, env[name], name, words=True), name)
    return found


def _embeddings(switch: str) -> tuple[str, str]:
    """(key, value) that HIVEMIND_EMBEDDINGS stands for."""
    on = _WORDS.get(switch.lower())
    if on is not None:
        return "embedding.runtime", "auto" if on else "none"
    return ("embedding.runtime" if switch in _CHOICES["embedding.runtime"] else "embedding.model"), switch


def _sections() -> frozenset[str]:
    return frozenset(setting.key.partition(".")[0] for setting in reference() if "." in setting.key)


def _unknown(key: str, where: str) -> ConfigError:
    names = [setting.key for setting in reference()]
    near = difflib.get_close_matches(key, [*names, *_sections()], 1, 0.6)
    if not near and "." in key:  # the right key in the wrong section
        near = [name for name in names if name.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    fix = f"Did you mean `{near[0]}`?" if near else "`hivemind config show` lists every setting."
    return ConfigError(f"{where}: there is no setting `{key}`.", fix=fix)


def _checked(key: str, value: Any, where: str, *, words: bool = False) -> Any:
    """`value` in the key's type and range. `words`: text from outside is read as that type."""
    setting = next((setting for setting in reference() if setting.key == key), None)
    if setting is None:
        raise _unknown(key, where)
    if words and isinstance(value, str):
        value = _from_words(setting, value, where)
    if setting.type == "float" and type(value) is int:
        value = float(value)
    if type(value).__name__ != setting.type:
        raise _refused(setting, value, where, f"it takes {_TYPES[setting.type]}")
    if key in _CHOICES and value not in _CHOICES[key]:
        near = difflib.get_close_matches(str(value), _CHOICES[key], 1)
        raise _refused(setting, value, where, f"it takes {' or '.join(_CHOICES[key])}", near[0] if near else "")
    if setting.type in ("int", "float"):
        _check_range(setting, value, where)
    if key == "llm.model" and value.startswith("-"):  # a program would take it for an option
        raise _refused(setting, value, where, "a model's name begins with no dash")
    if key == "workspace" and value and not WORKSPACE_NAME.fullmatch(value):
        raise _refused(setting, value, where, "a name has lower case letters, digits, `.`, `_`, `-`, at most 64")
    return value


def _check_range(setting: Setting, value: float, where: str) -> None:
    if setting.key in _UNIT:
        if not 0 <= value <= 1:
            raise _refused(setting, value, where, "it lies between 0 and 1")
    elif not (value > 0 or (setting.key in _FROM_ZERO and value == 0)) or value > 1e9:
        least = "from 0" if setting.key in _FROM_ZERO else "above 0"
        raise _refused(setting, value, where, f"it takes a number {least} up to a billion")


_TYPES = {"str": "text", "bool": "true or false", "int": "a whole number", "float": "a number"}


def _from_words(setting: Setting, value: str, where: str) -> Any:
    said = value.strip()
    if setting.type == "str":
        return said
    if setting.type == "bool" and said.lower() in _WORDS:
        return _WORDS[said.lower()]
    with contextlib.suppress(ValueError):
        if setting.type == "int":
            return int(said)
        if setting.type == "float":
            return float(said)
    raise _refused(setting, value, where, f"it takes {_TYPES[setting.type]}")


def _refused(setting: Setting, value: Any, where: str, why: str, near: str = "") -> ConfigError:
    shown = str(value)[:60]
    fix = f"Did you mean `{near}`?" if near else f"The default is `{str(setting.default).lower() or 'empty'}`."
    return ConfigError(f"{where}: `{setting.key}` cannot be `{shown}`:", why=f"{why}.", fix=fix)


def _write(path: Path, text: str) -> None:
    """Aside, then renamed: a reader sees the old file or the new. A link keeps pointing at its file."""
    path = path.resolve()
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(path.stat().st_mode & 0o777 if path.exists() else FILE_MODE)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written.", why=f"{exc}.", fix="Check its folder's permissions.") from exc
