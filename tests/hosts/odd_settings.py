"""Settings files as people have them, by name."""

_FOREIGN_GROUP = '{"matcher": "Bash", "hooks": [{"type": "command", "command": "~/bin/guard.sh", "timeout": 5}]}'

ODD: dict[str, bytes] = {
    "empty-file": b"",
    "empty-object": b"{}",
    "empty-object-newline": b"{}\n",
    "empty-object-spread": b"{\n}\n",
    "white-space-only": b"  \n\n",
    "two-spaces": b'{\n  "model": "opus",\n  "permissions": {\n    "allow": ["Bash(ls)", "Read"]\n  }\n}\n',
    "four-spaces-no-newline": b'{\n    "model": "opus",\n    "env": {\n        "A": "1"\n    }\n}',
    "tabs": b'{\n\t"model": "opus",\n\t"statusLine": {\n\t\t"type": "command"\n\t}\n}\n',
    "minified": b'{"model":"opus","env":{"A":"1"},"n":1.50e3}',
    "one-line": b'{ "model": "opus", "env": { "A": "1" } }\n',
    "crlf": b'{\r\n  "model": "opus",\r\n  "env": {}\r\n}\r\n',
    "bom": b'\xef\xbb\xbf{\n  "model": "opus"\n}\n',
    "unicode": '{\n  "name": "Zoë – 設定",\n  "escaped": "\\u00e9\\ud83d\\ude00",\n  "raw": "😀"\n}\n'.encode(),
    "odd-spacing": b'{\n   "a" : [1,2 ,\t3],\n\n   "b":true\n}\n\n\n',
    "empty-hooks": b'{\n  "hooks": {},\n  "model": "opus"\n}\n',
    "foreign-on-our-events": (
        '{\n  "hooks": {\n    "PreToolUse": [\n      ' + _FOREIGN_GROUP + '\n    ],\n    "Stop": [{"hooks": []}],\n'
        '    "Notification": [\n      {\n        "hooks": [\n          {"type": "command", "command": "bell"}\n'
        "        ]\n      }\n    ]\n  },\n"
        '  "model": "opus"\n}\n'
    ).encode(),
    "foreign-inline": ('{\n  "hooks": {"PreToolUse": [' + _FOREIGN_GROUP + '], "SessionEnd": []}\n}\n').encode(),
    "foreign-minified": (
        b'{"hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"type":"command","command":"x"}]}],"Stop":[]}}'
    ),
    "hooks-first-of-many": b'{\n  "hooks": {\n    "Stop": []\n  },\n  "z": 1,\n  "a": {"b": null}\n}\n',
}

REFUSED: dict[str, bytes] = {
    "comment": b'{\n  "model": "opus" // mine\n}\n',
    "trailing-comma": b'{\n  "model": "opus",\n}\n',
    "cut-off": b'{"model": "op',
    "an-array": b"[1, 2]",
    "hooks-is-a-list": b'{"hooks": []}',
    "an-event-is-an-object": b'{"hooks": {"Stop": {}}}',
    "a-key-twice": b'{"hooks": {}, "hooks": {}}',
    "not-utf-8": b'{"name": "Zo\xeb"}',
    "nul-bytes": b"\x00\x00\x00",
}
