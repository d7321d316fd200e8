"""The answer to a host that waits: the daemon's, else what the snapshot says. Imported by `hivemind_hook.py` alone.

Late means silent: an answer is written whole and in time, or not at all. `fit` and `fenced` repeat core/match.py and
core/fence.py, `terms` core/terms.py; tests/hooks holds them against each other.
"""

import posix
import time

OPEN = "<hivemind-recall>"
CLOSE = "</hivemind-recall>"
LEAD = "Recorded by hivemind from corrections people made in earlier work here:"
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
ANSWER_BYTES_MAX = 1 << 20
NOT_READY = b"\0"
SPAWN_EVERY_S = 2.0
FD_MAX = 1 << 16
ENV_KEPT = frozenset(
    b"HOME PATH USER LOGNAME LANG TZ TMPDIR SHELL TERM SSL_CERT_FILE SSL_CERT_DIR "
    b"HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy "
    b"HF_HOME HF_HUB_CACHE CUDA_VISIBLE_DEVICES".split()
)
ENV_KEPT_STARTS = (b"LC_", b"XDG_", b"HIVEMIND_")
ENV_DROPPED = (b"HIVEMIND_WORKSPACE_ID", b"HIVEMIND_INTERNAL")  # one session's own, not the daemon's

RETRIEVE = """
SELECT id, version, text, task_terms, rule_terms, origin, lessons, shift FROM docs JOIN (
  SELECT fts.rowid AS found, bm25(fts) AS score FROM fts JOIN docs ON docs.rowid = fts.rowid
  WHERE fts MATCH ? AND docs.workspace_id = ? AND docs.project_id IN ('', ?) ORDER BY score, found LIMIT ?
) ON docs.rowid = found ORDER BY score, found
"""


def follow(root, settings, source, moment, name, kept, drop):
    """After a drop: make sure the daemon runs and, where `moment` is not empty, answer the host.

    source  (host, event, cwd), bytes
    kept    list[bytes]: the payload's first megabyte; None where no answer is wanted
    drop    hivemind_hook.drop, for the record of what was given without a daemon
    """
    key = b"deadline_start_ms" if moment == b"session_start" else b"deadline_ms"
    ms = settings.get(key, b"")
    deadline = time.monotonic() + (int(ms) if ms.isdigit() else 150) / 1000
    text = ask(root, b"recall " + name + b"\n" if moment else b"", deadline)
    child = 0
    if text is None or text == NOT_READY:
        if text is None:
            child = spawn(root, settings)
        if moment:
            snapshot_answer(root, source, moment, name, b"".join(kept), deadline, drop)
    elif text[:1] == b"{" and text.find(b"\n", 0, -1) < 0 and time.monotonic() < deadline:
        speak(text)
    if child:
        posix.waitpid(child, 0)


def ask(root, request, deadline):
    """The daemon's answer; b"" for silence or lateness; None if no daemon listens. An empty request only knocks.

    NOT_READY if it listens but its store is not open yet: it hangs up without a word.
    """
    import _socket

    try:
        posix.chdir(root + b"/run")  # by relative name: a socket's path may have 104 bytes at most on macOS
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        sock.connect("daemon.sock")
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError:  # it is there, but too busy
        return b""
    if not request:
        return b""
    try:
        sock.sendall(request)
        return receive(sock, deadline)
    except OSError:
        return b""


def receive(sock, deadline):
    """What follows the line `<length>`, if it is exactly so long and all there in time; else b""."""
    received = b""
    while len(received) <= ANSWER_BYTES_MAX:
        size, found, text = received.partition(b"\n")
        if found and len(text) >= int(size):
            return text if len(text) == int(size) else b""
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock.settimeout(left)
        piece = sock.recv(65536)
        if not piece:
            return b"" if received else NOT_READY
        received += piece
    return b""


def speak(text):
    while text:
        text = text[posix.write(1, text) :]


# The daemon


def spawn(root, settings):
    """Start the daemon, its own session, holding nothing of ours. Returns a child to wait for, or 0."""
    argv = settings.get(b"daemon", b"").split(b"\x1f")
    if not argv[0].startswith(b"/") or not may_spawn(root + b"/run"):
        return 0
    child = posix.fork()
    if child:
        return child
    try:
        posix.setsid()
        null = posix.open("/dev/null", posix.O_RDWR)
        for fd in (0, 1, 2):  # before the second fork: when the hook is gone, so is the last hold on its pipes
            posix.dup2(null, fd)
        if posix.fork() == 0:
            posix.closerange(3, FD_MAX)
            posix.chdir("/")
            posix.execve(argv[0], argv, daemon_env(root, settings))
    finally:
        posix._exit(0)


def may_spawn(run):
    """At most one hook in SPAWN_EVERY_S says yes; the others find the lock taken or the mark fresh."""
    try:
        posix.mkdir(run, 0o700)
    except FileExistsError:
        pass
    fd = posix.open(run + b"/spawned", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
    try:
        posix.lockf(fd, posix.F_TLOCK, 0)
        mark = posix.fstat(fd)
        if mark.st_size and 0 <= time.time() - mark.st_mtime < SPAWN_EVERY_S:
            return False
        posix.lseek(fd, 0, 0)
        posix.write(fd, b"1")
        posix.utime(fd)
        return True
    except OSError:
        return False
    finally:
        posix.close(fd)


def daemon_env(root, settings):
    """Few variables, by name; and our own root, whatever the host's environment says."""
    asked = settings.get(b"env", b"").split(b",")
    env = {
        key: value
        for key, value in posix.environ.items()
        if (key in ENV_KEPT or key.startswith(ENV_KEPT_STARTS) or key in asked) and key not in ENV_DROPPED
    }
    env[b"HIVEMIND_HOME"] = root
    return env


# Recall without a daemon


def snapshot_answer(root, source, moment, name, raw, deadline, drop):
    """Match the payload against the snapshot; say, remember and record what applies."""
    host, event, cwd = source
    if host != b"claude" or moment == b"session_start":
        return
    payload = decode(raw)
    session = payload.get("session_id")
    if not isinstance(session, str):
        return
    agent = string(payload, "agent_id")  # a subagent's context is its own
    given_file = session_file(root, host, session + "-" + agent if agent else session)
    given = read_lines(given_file)
    ids, block = match(root, moment, payload, cwd, given, deadline)
    if not ids or time.monotonic() > deadline:
        return
    append(root, given_file, "".join(key + "\n" for key in ids).encode("utf-8", "replace"))
    quote = quoter()
    speak(
        b'{"hookSpecificOutput":{"hookEventName":%s,"additionalContext":%s}}\n'
        % (quote(event.decode("utf-8", "replace")), quote(block))
    )
    body = b'{"session_id":%s,"moment":%s,"ids":[%s],"text":%s,"of":%s}' % (
        quote(session),
        quote(moment.decode("ascii", "replace")),
        b",".join(quote(key) for key in ids),
        quote(block),
        quote(name[-26:].decode("ascii")),
    )
    drop(root, host, b"hivemind:injection", cwd, None, body)


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
    """(["id@version", ...], the fenced block) of what applies and was not given; ([], "") for silence."""
    db = connect(root + b"/index/snapshot.sqlite")
    # A slow disk or a huge snapshot must not hold the host: the query is abandoned at the deadline.
    db.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
    meta = dict(db.execute("SELECT key, value FROM meta"))
    if meta.get("version") != "2":
        return [], ""
    top, workspace, project = place(db, meta, payload, cwd)
    stop = frozenset(row[0] for row in db.execute("SELECT term FROM stop"))
    rarity = dict(db.execute("SELECT term, weight FROM rarity"))
    task = task_text(moment, payload)
    query = frozenset(terms(task or call_text(payload, top))) - stop

    def weigh(term):
        return 0.0 if term in stop else weight(term) * rarity.get(term, 1.0)

    words = sorted(query, key=lambda term: (-weigh(term), term))[:QUERY_TERMS_MAX]
    if not words:
        return [], ""
    wording = " OR ".join('"%s"' % word for word in words)
    slope, bias, scored = float(meta["fit_slope"]), float(meta["fit_bias"]), []
    for row in db.execute(RETRIEVE, (wording, workspace, project, RETRIEVED)):
        id, version, text, tasks, rule, origin, lessons, shift = row
        subjects = [frozenset(line.split()) for line in tasks.split("\n") if line]
        odds = slope * fit(query, subjects, frozenset(rule.split()), weigh) + bias + shift
        scored.append((-max(-20.0, min(20.0, odds)), len(scored), "%s@%s" % (id, version), text, origin, lessons))
    best = choose(sorted(scored), meta, float(meta["applies_min" if task else "call_applies_min"]), given)
    chars_max = 4 * int(meta["tokens_max"])
    return [key for key, _ in best], fenced([cut(text, chars_max) for _, text in best])


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
        return string(payload, "prompt")[:TASK_CHARS_MAX]
    call = tool_input(payload)
    if moment == b"subagent" or string(payload, "tool_name") in ("Task", "Agent") or "subagent_type" in call:
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
        tool = string(payload, "tool_name")
        said = [string(call, key) for key in ASKED]
        parts = [tool if tool.startswith("mcp__") else "", *(said if any(said) else leaves(call))]
    return "\n".join(part for part in parts if part)[:CALL_CHARS_MAX]


def tool_input(payload):
    call = payload.get("tool_input")
    return call if isinstance(call, dict) else {}


def leaves(value):
    """Every key and text in a JSON value."""
    if isinstance(value, dict):
        return [*value, *leaves([*value.values()])]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [str(value)]


def string(fields, key):
    value = fields.get(key)
    return value if isinstance(value, str) else ""


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
