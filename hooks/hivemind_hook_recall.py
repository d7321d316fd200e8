"""The answer to a host that waits: the daemon's, else what the snapshot says. Imported by `hivemind_hook.py` alone.

Late means silent: an answer is written whole and in time, or not at all. Without a daemon, one is started, and
`hivemind_hook_snapshot.py` beside this file answers.
"""

import posix
import time

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


def follow(root, settings, source, moment, name, kept, drop, load):
    """After a drop: make sure the daemon runs and, where `moment` is not empty, answer the host.

    source  (host, event, cwd), bytes
    kept    list[bytes]: the payload's first megabyte; None where no answer is wanted
    drop    hivemind_hook.drop, for the record of what was given without a daemon
    load    name -> the module in the file beside this one
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
            say = settings.get(b"say:" + source[0] + b":" + source[1])
            if say and moment != b"session_start":
                text, record = load("hivemind_hook_snapshot").answer(
                    root, source, moment, say, name, b"".join(kept), deadline
                )
                if text:
                    speak(text)
                    drop(root, source[0], b"hivemind:injection", source[2], None, record)
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
