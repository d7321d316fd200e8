"""Made-up secrets, each in a context where people and agents leave them.

Built at run time from parts, so that no scanner sees a literal token in this file. The same at every run.
"""

import base64
import json
import random
import string
from dataclasses import dataclass

_RANDOM = random.Random(13)
_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_URLSAFE = _ALNUM + "_-"
_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret and where it stands."""

    kind: str
    """What it is."""
    context: str
    """prompt, tool input, tool output, diff, env, json, yaml, shell."""
    value: str
    """What must not survive."""
    text: str
    """`value` (or its escaped form) in its context."""


def _run(alphabet: str, size: int) -> str:
    """At least one digit, one upper and one lower case letter where the alphabet has them."""
    must = [c for c in ("7", "K", "q") if c in alphabet]
    chars = must + [_RANDOM.choice(alphabet) for _ in range(size - len(must))]
    _RANDOM.shuffle(chars)
    chars[0] = next(c for c in chars if c.isalnum())
    return "".join(chars)


def _jwt() -> str:
    def part(value: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return ".".join((part({"alg": "HS256", "typ": "JWT"}), part({"sub": _run(_ALNUM, 12)}), _run(_URLSAFE, 43)))


def _pem(label: str, lines: int = 6) -> str:
    dashes = "-" * 5
    body = "\n".join(_run(_ALNUM + "+/", 64) for _ in range(lines))
    return f"{dashes}BEGIN {label}{dashes}\n{body}\n{dashes}END {label}{dashes}"


def _doc(**fields: str) -> str:
    """A JSON document inside a string of a JSON document: quotes and line ends are escaped twice."""
    return json.dumps({"content": json.dumps(fields, indent=1)})


def _build() -> list[Secret]:
    made: list[Secret] = []

    def add(kind: str, context: str, value: str, text: str = "{}") -> None:
        made.append(Secret(kind, context, value, text.replace("{}", value)))

    aws = "AKI" + "A" + _run(_UPPER, 16)
    add("aws", "prompt", aws, "why does the upload with {} say AccessDenied?")
    add("aws", "env", _run(_ALNUM + "/+", 40), "AWS_REGION=eu-west-1\nAWS_SECRET_ACCESS_KEY={}\nDEBUG=1\n")
    add("aws", "yaml", _run(_ALNUM + "/+", 40), "provider:\n  aws_secret_access_key: {}\n  region: eu\n")
    add("aws", "json", "ASI" + "A" + _run(_UPPER, 16), '{"AccessKeyId": "{}", "Expiration": "2026-11-20"}')
    add("github", "shell", "gh" + "p_" + _run(_ALNUM, 36), "git clone https://{}@github.com/o/r.git")
    add("github", "tool input", "gh" + "o_" + _run(_ALNUM, 36), '{"command": "printf x\\n{} | login"}')
    add("github", "tool output", "gh" + "s_" + _run(_ALNUM, 36), "Logged in with {}.")
    add("github", "diff", "github" + "_pat_" + _run(_ALNUM, 22) + "_" + _run(_ALNUM, 59), "-old\n+GH_TOKEN={}\n")
    add("gitlab", "yaml", "glp" + "at-" + _run(_URLSAFE, 20), "variables:\n  TOKEN: {}\n")
    add("slack", "env", "xox" + "b-" + _run(string.digits, 11) + "-" + _run(_ALNUM, 24), "SLACK={}\n")
    hook = "/".join(("T" + _run(_UPPER, 8), "B" + _run(_UPPER, 8), _run(_ALNUM, 24)))
    add("slack", "shell", hook, "curl -d @x https://hooks.slack" + ".com/services/{}")
    add("stripe", "prompt", "sk_" + "live_" + _run(_ALNUM, 24), "use {} for the charge")
    add("stripe", "env", "whs" + "ec_" + _run(_ALNUM, 32), "STRIPE_WH={}\n")
    add("openai", "prompt", "sk" + "-" + _run(_ALNUM, 48), "here is my key {}, try again")
    add("openai", "json", "sk" + "-proj-" + _run(_URLSAFE, 60), '{"openai": "{}"}')
    add("anthropic", "env", "sk" + "-ant-api03-" + _run(_URLSAFE, 90), "ANTHROPIC_API_KEY={}\n")
    add("google", "tool output", "AI" + "za" + _run(_URLSAFE, 35), "const map = load('{}');")
    add("google", "json", "ya" + "29." + _run(_URLSAFE, 60), '{"access_token":"{}","expires_in":3599}')
    add("google", "json", "GOC" + "SPX-" + _run(_URLSAFE, 28), '{"client_secret":"{}"}')
    account = _pem("PRIVATE KEY")
    made.append(Secret("google", "json", account, json.dumps({"type": "service_account", "private_key": account})))
    azure = _run(_ALNUM + "+/", 86) + "=="
    add("azure", "env", azure, "CONN=DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};Suffix=y\n")
    add("azure", "shell", _run(_ALNUM, 43) + "%3D", "azcopy 'https://a.blob.core.windows.net/c?sv=2024&sig={}&se=1' .")
    add("registry", "env", "np" + "m_" + _run(_ALNUM, 36), "//registry.example/:_authToken={}\n")
    add("registry", "shell", "py" + "pi-AgEIcHlwaS5vcmc" + _run(_URLSAFE, 80), "twine upload -p {} dist/*")
    add("huggingface", "prompt", "h" + "f_" + _run(_ALNUM, 34), "login with {} first")
    add("twilio", "diff", "S" + "K" + _run(_HEX, 32), "+  sid = '{}'\n")
    add("twilio", "env", _run(_HEX, 32), "TWILIO_AUTH_TOKEN={}\n")
    add("sendgrid", "yaml", "S" + "G." + _run(_URLSAFE, 22) + "." + _run(_URLSAFE, 43), "mail:\n  key: {}\n")
    add("mailgun", "shell", "ke" + "y-" + _run(_HEX, 32), "curl -s --user 'api:{}' https://mail.example")
    add("telegram", "prompt", _run(string.digits, 10) + ":" + "AA" + _run(_URLSAFE, 33), "the bot is {} ok?")
    discord = ".".join(("M" + _run(_ALNUM, 25), _run(_ALNUM, 6), _run(_URLSAFE, 38)))
    add("discord", "tool input", discord, '{"new_string": "client.login(\'{}\')"}')
    add("jwt", "tool output", _jwt(), "set-header x: {}\n")
    add("jwt", "shell", _jwt(), "http GET :8000/me 'Authorization: Bearer {}'")
    add("pem", "diff", _pem("RSA PRIVATE KEY").replace("\n", "\n+"), "+{}\n")
    ssh = _pem("OPENSSH PRIVATE KEY")
    add("ssh", "tool output", ssh, "$ cat id_ed25519\n{}\n$")
    made.append(Secret("ssh", "tool input", ssh, _doc(path="id", text=ssh)))
    add("pem", "tool output", _pem("EC PRIVATE KEY").rsplit("\n", 1)[0], "{}")
    tail = _pem("PRIVATE KEY").split("\n", 3)[3]
    add("pem", "tool output", tail, "$ tail -4 key.pem\n{}\n")
    add("url", "env", "p" + _run(_ALNUM, 11), "DATABASE_URL=postgres://app:{}@db.internal:5432/app\n")
    add(
        "url",
        "tool input",
        "w0r" + "d@" + _run(_ALNUM, 9),
        '{"command": "psql postgresql://app:{}@db/app -c \'select 1\'"}',
    )
    add("url", "shell", _run(_ALNUM, 14), "git remote add o https://deploy:{}@git.example/x.git")
    add("url", "yaml", _run(_ALNUM, 14), "broker: amqp://guest:{}@mq:5672//\n")
    add("dsn", "env", "Zebra" + "-crossing-9", "CONN=Server=db;Database=app;User Id=sa;Password={};Encrypt=true\n")
    basic = base64.b64encode(b"deploy:" + _run(_ALNUM, 12).encode()).decode()
    add("authorization", "shell", basic, "curl -H 'Authorization: Basic {}' https://api.example")
    add("authorization", "json", _run(_ALNUM, 32), '{"headers": {"Authorization": "Bearer {}"}}')
    add(
        "authorization",
        "tool input",
        _run(_ALNUM, 24),
        '{"command": "curl -H \\"X-Api-Key: {}\\" https://api.example"}',
    )
    add("cookie", "tool output", _run(_ALNUM, 32), "< HTTP/1.1 200\n< Set-Cookie: sid={}; Path=/; HttpOnly\n< Date: x")
    add(
        "cookie", "shell", _run(_ALNUM, 26), "curl --cookie 'x' -H 'Cookie: theme=dark; PHPSESSID={}' https://x.example"
    )
    add("password", "env", "correct" + "horse", "DB_HOST=db\nDB_PASSWORD={}\nDB_PORT=5432\n")
    add("password", "yaml", "hunter" + "two" + "hunter", "db:\n  user: app\n  password: {}\n")
    add("password", "json", "Tr0ub4" + "dor&3xyz", '{"user": "bob", "password": "{}"}')
    made.append(Secret("password", "tool input", "s3cr3t" + "-pa55wd", _doc(user="bob", password="s3cr3t" + "-pa55wd")))
    add("password", "shell", "swordfish" + "-77", "mysqldump -u root --password {} app > dump.sql")
    add("password", "shell", "open" + "sesame!9", "curl -u admin:{} https://x.example/api")
    add("password", "prompt", "Wint3r" + "-is-c0ming", "log in as admin, the password is {} and check the page")
    add("password", "diff", "qwerty" + "-8812-z", "-password = 'old'\n+password = \"{}\"\n")
    add("netrc", "tool output", "net" + "rcpass99", "machine git.example\n  login bob\n  password {}\n")
    docker = base64.b64encode(b"bob:" + _run(_ALNUM, 16).encode()).decode()
    add("docker", "json", docker, '{"auths": {"registry.example": {"auth": "{}"}}}')
    add("key", "env", "0x" + _run(_HEX, 64), "DEPLOYER_PRIVATE_KEY={}\n")
    add("key", "tool input", _run(_ALNUM, 40), '{"new_string": "const apiKey = \'{}\';"}')
    add("key", "yaml", _run(_ALNUM + "+/", 43) + "=", "app:\n  encryption_key: {}\n")
    add("key", "env", _run(_HEX, 64), "SECRET_KEY_BASE={}\n")
    add("password", "prompt", "Blau" + "wal-1984", "Das Passwort ist {}, bitte einloggen")
    add("password", "prompt", "鯨" + "Whale-2044x", "密码：{} 请登录")
    add("password", "tool input", "Kestrel" + "-2044x", '{"args": ["--user", "bob", "--password", "{}"]}')
    add("key", "prompt", _run(_ALNUM, 24), "API key: {}")
    add("private", "prompt", "the merger with" + " the other firm", "fix the title <private>{}</private> of the page")
    add("private", "prompt", "my salary and" + " my address", "fix it <private>{}")
    return made


CORPUS: list[Secret] = _build()
