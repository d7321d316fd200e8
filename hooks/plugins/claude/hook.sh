#!/bin/sh
# Hands one event of Claude Code to hivemind: sh hook.sh EVENT, the payload on stdin. Fails open and silent.
# Where the person's settings run hivemind's hooks themselves (`hivemind install`), this says and does nothing.
home=${HIVEMIND_HOME:-$HOME/.hivemind}
hook=$home/bin/hivemind_hook.py
settings=${CLAUDE_CONFIG_DIR:-$HOME/.claude}/settings.json
exec 2>/dev/null

if [ -r "$hook" ] && ! { [ -r "$settings" ] && grep -q hivemind_hook.py "$settings"; }; then
    # The Python that runs the daemon: the first word of `daemon=` in hook.settings, words end in U+001F.
    python=$(sed -n 's/^daemon=\([^[:cntrl:]]*\).*/\1/p' "$home/bin/hook.settings")
    [ -x "$python" ] || python=$(command -v python3)
    [ -x "$python" ] && exec "$python" -I -S "$hook" claude "$1"
fi
cat >/dev/null
exit 0
