"""Hand one payload to hivemind. Never parses, never blocks past its budget, never fails the host.

A host starts it as `<python> -I -S <root>/bin/hivemind_hook.py <host> <event>`, with the payload on stdin. The bytes go
into <root>/spool, untouched; where the host waits for text, `hivemind_hook_recall.py` beside this file answers.
Python 3.8, standard library only. A script is compiled at every start, so this file holds what every event needs and
no more, and does without `os`, whose import alone costs as much as all the rest.
"""

try:
    import posix
    import sys
except BaseException:  # no POSIX system: nothing to do, and nothing to say
    pass

OFF = (b"false", b"0", b"no", b"off")
ON = (b"true", b"1", b"yes", b"on")
PIECE_BYTES = 1 << 16  # what a pipe holds
KEPT_BYTES_MAX = 1 << 20  # a longer payload is delivered, but not searched for a skill
ERRORS_BYTES_MAX = 1 << 16
CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def main():
    posix.umask(0o077)
    silence_stderr()
    coding = sys.getfilesystemencoding()
    script, host, event = (arg.encode(coding, "surrogateescape") for arg in (*sys.argv, "", "")[:3])
    try:
        cwd = posix.getcwdb()
    except OSError:  # the folder was deleted under the session
        cwd = b""
    root = (script if script.startswith(b"/") else cwd + b"/" + script).rsplit(b"/", 2)[0]
    settings = read_settings(root)
    if not wanted(root, cwd, settings):
        return drain()
    source = host + b":" + event
    moment = b""
    if settings.get(b"recall") == b"1":
        moment = listed(settings, b"wait", source + b":") or b""
    kept = [] if moment else None
    try:
        name = drop(root, host, event, cwd, kept)
    except OSError as error:
        drain()
        return note(root, source, error)
    if moment or listed(settings, b"wake", source + b",") is not None:

        def load(name):
            return beside(root, coding, name)

        source = (host, event, cwd)
        load("hivemind_hook_recall").follow(root, settings, source, moment, name, kept, drop, load)
    return None


def silence_stderr():
    """Nothing reaches stderr, and no file of ours is mistaken for a standard stream the host has closed."""
    try:
        fd = -1
        while fd < 3:
            fd = posix.open("/dev/null", posix.O_RDWR)
        posix.dup2(fd, 2)
    except OSError:  # a jail without devices
        pass


def read_settings(root):
    """bytes -> bytes; a missing or damaged file means: capture, and no more."""
    try:
        fd = posix.open(root + b"/bin/hook.settings", posix.O_RDONLY)
        lines = posix.read(fd, PIECE_BYTES).split(b"\n")
        posix.close(fd)
    except OSError:
        return {}
    return {key: value for key, found, value in (line.partition(b"=") for line in lines) if found}


def wanted(root, cwd, settings):
    env = posix.environ
    if (env.get(b"HIVEMIND_INTERNAL") or b"0") not in OFF:  # a session that hivemind itself started
        return False
    if settings.get(b"capture") == b"0" or env.get(b"HIVEMIND_CAPTURE", b"").lower() in OFF:
        return False
    only_cli = settings.get(b"only_cli") == b"1" or env.get(b"HIVEMIND_CAPTURE_ONLY_CLI", b"").lower() in ON
    if only_cli and env.get(b"CLAUDE_CODE_ENTRYPOINT", b"cli") != b"cli":
        return False
    return not (b"/work" in cwd and inside(cwd, root + b"/work"))


def inside(folder, top):
    """By device and inode: either may be named through a link."""
    try:
        mark = posix.stat(top)[1:3]
        while folder:
            if posix.stat(folder)[1:3] == mark:
                return True
            folder = folder.rpartition(b"/")[0]
    except OSError:
        pass
    return False


def listed(settings, key, start):
    """What follows `start` in the first fitting item of a comma list; None if no item fits."""
    items = (b"," + settings.get(key, b"") + b",").partition(b"," + start)
    return items[2].partition(b",")[0] if items[1] else None


def drop(root, host, event, cwd, kept=None, body=None):
    """Write aside, then rename: a reader sees the whole payload or none of it. Returns the file's name.

    The payload is `body`, else all of stdin, of which the first KEPT_BYTES_MAX are added to the list `kept`.
    """
    import time

    env = posix.environ
    # Another host may run Claude Code's hooks: whose variables are set, and which session Claude Code named.
    mark = b"devin " if b"DEVIN_PROJECT_DIR" in env else b"copilot " if b"COPILOT_CLI" in env else b""
    mark = mark and mark + b"claude:" + env.get(b"CLAUDE_CODE_SESSION_ID", b"")
    now = time.time_ns()
    ulid = new_ulid(now // 1000000)
    name = file_name(now, time.monotonic_ns()) + ulid
    fields = (
        (b"v", b"1"),
        (b"id", ulid),
        (b"time_ns", b"%d" % now),
        (b"host", host),
        (b"event", event),
        (b"cwd", cwd),
        (b"entrypoint", env.get(b"CLAUDE_CODE_ENTRYPOINT", b"")),
        (b"workspace", env.get(b"HIVEMIND_WORKSPACE_ID", b"")),
        (b"mark", mark),
    )
    head = b"".join(key + b"=" + escaped(value) + b"\n" for key, value in fields) + b"\n"
    spool = root + b"/spool"
    aside = spool + b"/tmp/" + name
    fd = open_fresh(spool, aside)
    try:
        if body is None:
            pour(fd, head, kept)
        else:
            write(fd, head + body)
        posix.close(fd)
        rename(aside, spool + b"/new", name)
    except BaseException:
        posix.unlink(aside)
        raise
    return name


def new_ulid(ms):
    number = int.from_bytes(ms.to_bytes(6, "big") + posix.urandom(10), "big")
    return bytes([CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)])


def file_name(now, monotonic):
    """Sorts by what cannot go back: the boot, and the time since it."""
    try:
        fd = posix.open("/proc/sys/kernel/random/boot_id", posix.O_RDONLY)
        boot = posix.read(fd, 8)
        posix.close(fd)
    except OSError:
        boot, monotonic = b"00000000", now
    return b"%s-%020d-" % (boot, monotonic)


def escaped(value):
    return value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def open_fresh(spool, aside):
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    try:
        return posix.open(aside, flags, 0o600)
    except FileNotFoundError:
        for folder in (spool, spool + b"/tmp", spool + b"/new"):
            make(folder)
        return posix.open(aside, flags, 0o600)


def rename(aside, folder, name):
    try:
        posix.rename(aside, folder + b"/" + name)
    except FileNotFoundError:
        make(folder)
        posix.rename(aside, folder + b"/" + name)


def make(folder):
    try:
        posix.mkdir(folder, 0o700)
    except FileExistsError:
        pass


def pour(fd, head, kept):
    size = 0
    while True:
        piece = read_stdin()
        write(fd, head + piece)
        if not piece:
            return
        head = b""
        size += len(piece)
        if kept is not None and size <= KEPT_BYTES_MAX:
            kept.append(piece)


def write(fd, data):
    while data:
        data = data[posix.write(fd, data) :]


def read_stdin():
    try:
        return posix.read(0, PIECE_BYTES)
    except OSError:  # closed, or a folder: the same as empty
        return b""


def drain():
    """Read what will not be kept: a host must never find its pipe broken."""
    while read_stdin():
        pass


def note(root, source, error):
    """One line for `hivemind doctor`; the payload is lost to the spool, the transcript still has it."""
    import time

    fd = posix.open(root + b"/spool/hook.errors", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, 0o600)
    if posix.fstat(fd).st_size < ERRORS_BYTES_MAX:
        write(fd, b"%d %s errno=%d\n" % (time.time_ns(), escaped(source)[:80], error.errno or 0))


def beside(root, coding, name):
    """A module in a file beside this one: only few events need it, and an imported file is compiled once."""
    folder = root + b"/bin"
    sys.path.insert(0, folder.decode(coding, "surrogateescape"))
    try:
        module = __import__(name)
    except (EOFError, TypeError, ValueError):  # power loss tore the compiled copy: the next hook makes a new one
        cached = "/__pycache__/%s.%s.pyc" % (name, sys.implementation.cache_tag)
        posix.unlink(folder + cached.encode())
        raise
    del sys.path[0]
    return module


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # whatever happened, it is not the host's problem
        pass
    posix._exit(0)  # spares the interpreter's farewell, a tenth of the whole
