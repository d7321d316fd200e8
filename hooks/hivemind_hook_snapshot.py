"""Recall without a daemon, from the published snapshot. Imported by `hivemind_hook_recall.py` alone.

`fit` and `fenced` repeat core/match.py and core/fence.py, `terms` core/terms.py, `ran_by_another` hosts/running.py;
tests/hooks holds them against each other.
"""

import posix
import time

OPEN = "<hivemind-recall>"
CLOSE = "</hivemind-recall>"
LEAD = "Recorded by hivemind from corrections people made in earlier work here:"
TEXT = b"\x1f"
RUN_BY_OTHERS = (b"claude", b"copilot")
MARKS = (b"DEVIN_PROJECT_DIR", b"COPILOT_CLI", b"GEMINI_SESSION_ID")
SESSIONS = ("session_id", "sessionId", "conversation_id")
TOOLS, CALLS = ("tool_name", "toolName"), ("tool_input", "toolArgs")
STEM_CHARS = 6
UNSPACED = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x0E00, 0x0E7F), (0x20000, 0x2FA1F))
RULE_FACTOR = 0.8
LONG_FACTOR = 0.6
LONG_MATCH_MIN = 1.2
TASK_CHARS_MAX = 20_000
CALL_CHARS_MAX = 4000
WRITTEN, ASKED = ("content", "new_string", "pattern"), ("prompt", "skill", "query", "url")
RETRIEVED = 20
QUERY_TERMS_MAX = 128  # the heaviest; more adds only noise

RETRIEVE = """
SELECT id, version, text, task_terms, rule_terms, origin, lessons, shift FROM docs JOIN (
  SELECT fts.rowid AS found, bm25(fts) AS score FROM fts JOIN docs ON docs.rowid = fts.rowid
  WHERE fts MATCH ? AND docs.workspace_id = ? AND docs.project_id IN ('', ?) ORDER BY score, found LIMIT ?
) ON docs.rowid = found ORDER BY score, found
"""


def answer(root, source, moment, say, name, raw, deadline):
    """(what is printed, the record of it) of what applies and was not given, and remembers it; (b"", b"") for silence.

    say  b"<characters at most> <bytes at most> <the host's line, TEXT in the place of our text>"
    """
    host, _, cwd = source
    chars_max, bytes_max, line = say.split(b" ", 2)
    payload = decode(raw)
    session, agent = context(payload)
    if session is None or ran_by_another(host, payload, posix.environ):
        return b"", b""
    given_file = session_file(root, host, session + "-" + agent if agent else session)
    given = read_lines(given_file)
    told = match(root, moment, payload, cwd, given, deadline)
    block = fenced([text for _, text in told])
    while told and (len(block) > int(chars_max) or len(block.encode("utf-8")) > int(bytes_max)):
        told.pop()
        block = fenced([text for _, text in told])
    if not told or time.monotonic() > deadline:
        return b"", b""
    append(root, given_file, "".join(key + "\n" for key, _ in told).encode("utf-8", "replace"))
    quote = quoter()
    before, _, after = line.partition(TEXT)
    record = b'{"session_id":%s,"moment":%s,"ids":[%s],"text":%s,"of":%s}' % (
        quote(session),
        quote(moment.decode("ascii", "replace")),
        b",".join(quote(key) for key, _ in told),
        quote(block),
        quote(name[-26:].decode("ascii")),
    )
    return before + quote(block) + after + b"\n", record


def context(payload):
    """(session, agent): a subagent's context is its own, also where it has a session id and names its parent's."""
    session, agent = first_string(payload, SESSIONS), string(payload, "agent_id") or string(payload, "agentId")
    return (string(payload, "parentAgentId") or session) if agent and agent == session else session, agent


def ran_by_another(host, payload, env):
    """May this be another host's session that runs hooks registered for `host`? Then its words are not known here.

    As hosts/running.py tells, but for the marks of the environment: they may be inherited, and so doubt is enough.
    """
    if host not in RUN_BY_OTHERS:
        return False
    if "cursor_version" in payload or "hookEventName" in payload:
        return True
    if host != b"claude":
        return False
    if (
        "sessionId" in payload
        or isinstance(payload.get("extra"), dict)
        or ("turn_id" in payload and "model" in payload)
    ):
        return True
    own = env.get(b"CLAUDE_CODE_SESSION_ID") == string(payload, "session_id").encode("utf-8", "replace")
    return not own and any(mark in env for mark in MARKS)


def decode(raw):
    """The JSON object in `raw`; ValueError or StopIteration for anything else."""
    text = raw.decode("utf-8", "replace").strip()
    try:
        from _json import make_scanner
    except ImportError:
        import json

        value = json.loads(text)
    else:
        value, end = make_scanner(Plain())(text, 0)
        if end != len(text):
            raise ValueError("more than one JSON value")
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


class Plain:
    """What `_json.make_scanner` asks of a decoder."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo = None


def quoter():
    """A function: str -> the JSON string, ASCII bytes."""
    try:
        from _json import encode_basestring_ascii as encode
    except ImportError:
        from json import dumps as encode
    return lambda text: encode(text).encode("ascii")


def session_file(root, host, session):
    """As core/paths.py names it."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in session[:100])
    return root + b"/injected/" + host + b"-" + safe.encode("ascii")


def read_lines(path):
    """Lines as str; none if the file is missing."""
    try:
        fd = posix.open(path, posix.O_RDONLY)
    except FileNotFoundError:
        return frozenset()
    text = b""
    while True:
        piece = posix.read(fd, 65536)
        if not piece:
            break
        text += piece
    posix.close(fd)
    return frozenset(text.decode("utf-8", "replace").split("\n"))


def append(root, path, lines):
    try:
        posix.mkdir(root + b"/injected", 0o700)
    except FileExistsError:
        pass
    fd = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, 0o600)
    posix.write(fd, lines)
    posix.close(fd)


def match(root, moment, payload, cwd, given, deadline):
    """[("id@version", text), ...] of what applies and was not given, the best first."""
    db = connect(root + b"/index/snapshot.sqlite")
    # A slow disk or a huge snapshot must not hold the host: the query is abandoned at the deadline.
    db.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
    meta = dict(db.execute("SELECT key, value FROM meta"))
    if meta.get("version") != "2":
        return []
    top, workspace, project = place(db, meta, payload, cwd)
    stop = frozenset(row[0] for row in db.execute("SELECT term FROM stop"))
    rarity = dict(db.execute("SELECT term, weight FROM rarity"))
    task = task_text(moment, payload)
    query = frozenset(terms(task or call_text(payload, top))) - stop

    def weigh(term):
        return 0.0 if term in stop else weight(term) * rarity.get(term, 1.0)

    words = sorted(query, key=lambda term: (-weigh(term), term))[:QUERY_TERMS_MAX]
    if not words:
        return []
    wording = " OR ".join('"%s"' % word for word in words)
    slope, bias, scored = float(meta["fit_slope"]), float(meta["fit_bias"]), []
    for row in db.execute(RETRIEVE, (wording, workspace, project, RETRIEVED)):
        id, version, text, tasks, rule, origin, lessons, shift = row
        subjects = [frozenset(line.split()) for line in tasks.split("\n") if line]
        odds = slope * fit(query, subjects, frozenset(rule.split()), weigh) + bias + shift
        scored.append((-max(-20.0, min(20.0, odds)), len(scored), "%s@%s" % (id, version), text, origin, lessons))
    best = choose(sorted(scored), meta, float(meta["applies_min" if task else "call_applies_min"]), given)
    chars_max = 4 * int(meta["tokens_max"])
    return [(key, cut(text, chars_max)) for key, text in best]


def choose(scored, meta, applies_min, given):
    """[(id@version, text), ...] of those that are said: as pipeline/recall chooses, with the margin of abstain.py."""
    from math import exp

    told, room = set(), []
    for minus, _, key, text, origin, lessons in scored:
        own = {line for line in lessons.split("\n") if line}
        if 1.0 / (1.0 + exp(minus)) < applies_min:
            break
        repeated = key in given or any(one + "@0" in given for one in origin.split())
        if not repeated and not told & own:
            room.append((-minus, key, text))
        told |= own
    limit = int(meta["limit"])
    left_out = room[limit][0] + 4 * float(meta["margin_min"]) if len(room) > limit else -20.0
    return [(key, text) for odds, key, text in room[:limit] if odds >= left_out]


def connect(path):
    """Read-only, without locks: a published snapshot never changes, it is replaced."""
    safe = b"/-_.~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    name = "".join(chr(byte) if byte in safe else "%%%02X" % byte for byte in path)
    uri = "file:" + name + "?mode=ro&immutable=1"
    try:
        from _sqlite3 import connect
    except ImportError:
        from sqlite3 import connect
    return connect(uri, uri=True)


def place(db, meta, payload, cwd):
    """(project root or "", workspace_id, project_id): the longest known root above the session's folder."""
    folders = [payload.get("cwd"), cwd.decode("utf-8", "surrogateescape")]
    row = None
    for folder in folders:
        if row is None and isinstance(folder, str) and folder.startswith("/"):
            above = parents(folder)
            holes = ",".join("?" * len(above))
            sql = (
                "SELECT root, workspace_id, project_id FROM roots WHERE root IN (%s) ORDER BY length(root) DESC LIMIT 1"
            )
            row = db.execute(sql % holes, above).fetchone()
    named = posix.environ.get(b"HIVEMIND_WORKSPACE_ID", b"").decode("utf-8", "replace")
    top, workspace, project = row or ("", meta.get("workspace", ""), "")
    return top, named or workspace, project


def parents(folder):
    """`folder` and every folder above it but "/", as SQLite can take them."""
    parts = folder.encode("utf-8", "replace").decode("utf-8").rstrip("/").split("/")[:100]
    return ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]


def task_text(moment, payload):
    """What the person, or the agent of a subagent, asked for; "" at every other call."""
    if moment == b"prompt":
        extra = payload.get("extra")
        asked = string(payload, "prompt") or (string(extra, "user_message") if isinstance(extra, dict) else "")
        before, found, rest = asked.partition(OPEN)  # some hosts show us what we said before
        return (before + rest.partition(CLOSE)[2] if found else asked)[:TASK_CHARS_MAX]
    call = tool_input(payload)
    if moment == b"subagent" or first_string(payload, TOOLS) in ("Task", "Agent") or "subagent_type" in call:
        return (string(call, "prompt") or string(payload, "prompt"))[:TASK_CHARS_MAX]
    return ""


def call_text(payload, top):
    """What the agent is about to do; "" if the payload does not show it."""
    call = tool_input(payload)
    path = string(call, "file_path") or string(call, "notebook_path")
    if top and path.startswith(top + "/"):
        path = path[len(top) + 1 :]
    parts = [string(call, "command"), path, *(string(call, key) for key in WRITTEN)]
    if not any(parts):
        tool = first_string(payload, TOOLS) or ""
        said = [string(call, key) for key in ASKED]
        parts = [tool if tool.startswith("mcp__") else "", *(said if any(said) else leaves(call))]
    return "\n".join(part for part in parts if part)[:CALL_CHARS_MAX]


def tool_input(payload):
    for key in CALLS:
        call = payload.get(key)
        if isinstance(call, str) and call.lstrip().startswith("{"):
            call = decode(call.encode("utf-8", "replace"))
        if isinstance(call, dict):
            return call
    return {}


def leaves(value):
    """Every key and text in a JSON value."""
    if isinstance(value, dict):
        return [*value, *leaves([*value.values()])]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [str(value)]


def string(fields, key):
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def first_string(fields, keys):
    """The first of these that is a text; None if none is."""
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str):
            return value
    return None


def cut(text, chars_max):
    """`text`, or its first whole lines that fit."""
    if len(text) <= chars_max:
        return text
    end = text.rfind("\n", 0, chars_max + 1)
    return text[: end if end > 0 else chars_max]


# The same rules as hivemind_cli/core


def fenced(parts):
    inside = "\n\n".join(untagged(part).strip() for part in parts)
    return "%s\n%s\n\n%s\n%s" % (OPEN, LEAD, inside, CLOSE)


def untagged(part):
    """`part` without our fence, in any case; regular expressions cost more than all of this."""
    kept = []
    at = part.find("<")
    start = 0
    while at >= 0:
        for tag in (OPEN, CLOSE):
            if part[at : at + len(tag)].replace("\u0130", "i").replace("\u0131", "i").lower() == tag:
                kept.append(part[start:at])
                start = at + len(tag)
        at = part.find("<", max(at + 1, start))
    if not kept:
        return part
    return untagged("".join(kept) + part[start:]) if len(kept) < 100 else ""  # a tag taken out may make another


def terms(text):
    if not text.isascii():
        import unicodedata

        text = unicodedata.normalize("NFKC", text)
    found = []
    for word in words_of(text.casefold()):
        if unspaced(word[0]):
            found.extend(word[i : i + 2] for i in range(max(len(word) - 1, 1)))
        else:
            found.append(stem(word))
    return found


def words_of(text):
    words = []
    start = -1
    script = False
    for i, char in enumerate(text):
        inside = char.isalnum()
        if start >= 0 and not inside and char > "\u02ff" and ("a" + char).isidentifier():
            continue  # a combining mark, such as a vowel of Hindi or Thai: part of its word
        other = inside and char > "\u0dff" and unspaced(char)
        if start >= 0 and (not inside or other != script):
            words.append(text[start:i])
            start = -1
        if inside and start < 0:
            start, script = i, other
    if start >= 0:
        words.append(text[start:])
    return words


def stem(word):
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:STEM_CHARS]


def weight(term):
    if unspaced(term[0]):
        return 0.6
    return min(len(term) - 1, STEM_CHARS - 1) / (STEM_CHARS - 1)


def unspaced(char):
    code = ord(char)
    return any(low <= code <= high for low, high in UNSPACED)


def fit(query, tasks, rule, weigh):
    from math import fsum, sqrt

    whole = fsum(map(weigh, query))

    def one(subject):
        own = fsum(map(weigh, subject))
        if not own or not whole:
            return 0.0
        shared = fsum(map(weigh, query & subject))
        fit = shared / sqrt(whole * own)
        if shared >= LONG_MATCH_MIN:
            fit = max(fit, LONG_FACTOR * shared / own)
        return min(fit, 1.0)

    return 1.0 - (1.0 - max(map(one, tasks), default=0.0)) * (1.0 - RULE_FACTOR * one(rule))
