"""What secrets are called and what they look like: tables to read and to add to."""

from __future__ import annotations

from itertools import pairwise

from .cards import CARD_DIGITS
from .rendering import HIDDEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Shape = tuple[tuple[str, ...], str, str]

# fmt: off
STRONG = frozenset((
    "accesskey", "apikey", "cardnumber", "credential", "credentials", "creditcard", "creds",
    "csrf", "csrftoken", "cvc", "cvv", "cvv2", "dbpass", "iban", "jwt", "otp", "passcode",
    "passphrase", "passport", "passwd", "password", "passwords", "privatekey", "pwd",
    "secret", "secretkey", "secrets", "sessionid", "sessionkey", "setcookie", "ssn",
    "userpass", "xsrf", "xsrftoken",
))
"""A key with one of these words in it is secret."""

WEAK = frozenset((
    "auth", "authorization", "bearer", "card", "cc", "cookie", "cookies", "dsn", "pan", "pass",
    "pin", "session", "sid", "sig", "signature", "tok", "token",
))
"""A key is secret in which one of `FOLLOWERS`, or nothing, comes after one of these."""

FOLLOWERS = frozenset((
    "", "data", "hash", "header", "id", "key", "no", "number", "string", "value",
))
# fmt: on

PAIRS = frozenset(
    {
        ("access", "key"),
        ("account", "number"),
        ("api", "key"),
        ("credit", "card"),
        ("encryption", "key"),
        ("private", "key"),
        ("secret", "key"),
        ("set", "cookie"),
        ("signing", "key"),
        ("social", "security"),
    }
)
"""A key in which these two words follow each other is secret."""

PERSONAL = frozenset(
    {
        ("client", "address"),
        ("client", "ip"),
        ("forwarded", "for"),
        ("ip", "address"),
        ("real", "ip"),
        ("remote", "addr"),
        ("remote", "address"),
    }
)
"""Keys of who it is for: hidden unless `send_default_pii`."""

STATEMENTS = frozenset({"db.query.text", "db.statement", "sql"})
"""Keys under which a statement stands: only what is no data is kept."""

ADDRESSES = frozenset(
    {
        "http.request.header.referer",
        "http.response.header.location",
        "http.target",
        "http.url",
        "url.full",
        "url.query",
    }
)
"""Keys under which a URL or its query stands: its parameters are judged by their names."""

PARAMETERS = ("db.query.parameter.", "db.operation.parameter.")
"""How keys of a statement's data begin."""

IN_URLS = frozenset({"code", "key"})
"""Parameters of a URL that are secret there, and nowhere else."""

STRONG_ENDINGS = ("password", "passwd", "secret", "apikey", "sessionid")
WEAK_ENDINGS = ("token", "cookie")
"""What such words end with when words are written together: `dbpassword`."""

_NAMED = (
    r"pass(?:words?|wd|phrase|code|port)|pwd|secrets?|token|credentials?"
    r"|(?:api|access|account|private|secret|session|signing|encryption)[_-]?key"
    r"|session[_-]?id|account[_-]?number|card[_-]?number|credit[_-]?card"
    r"|(?<![a-z])(?:sig(?:nature)?|ssn|iban|jwt|[cx]srf|(?:pin|pan|otp|cvc|cvv2?)(?:[_-]?code)?)"
)
_SHORT_NAMED = (
    r"(?:(?<![a-z])|(?<=(?-i:[a-z]))(?=(?-i:[A-Z]))|(?<=db)|(?<=user))(?:pass|creds|tok|sid)"
)
_SHOWN = r"""(?!\\?["']?\[scrubbed\])"""
_QUOTED = r"""(?:"(?:[^"\\]++|\\[\s\S]?)*+"?|'(?:[^'\\]++|\\[\s\S]?)*+'?)"""
_IN_QUOTES = "|".join(  # JSON in JSON, and `repr` of `repr`
    rf"""\\{sign}(?:[^{sign}\\]++|\\\\(?:\\{sign})?|\\(?![\\{sign}])[\s\S]?)*+(?:\\?{sign})?"""
    for sign in ('"', "'")
)
_VALUE = _SHOWN + rf"""(?:[bru]{{1,2}}(?=["']))?(?:{_IN_QUOTES}|{_QUOTED}|[^\s&,;"'<>]++)"""
_IS = r"""(?:\\?["'])?\s{0,4}[=:][=>]?+\s{0,4}+"""
# These are words of English too: "pass: 12 tests".
_STRICTLY = r"""(?:\\?["']\s{0,4}[=:][=>]?+\s{0,4}+|\s{0,4}=[=>]?+\s{0,4}+)"""
_APART = r"""(?:\s{1,4}+|["'],\s{0,4}+)"""  # in a command, and in a list of its words
_SECOND = _SHOWN + rf"""b?(?:{_QUOTED}|[\w.-]++)(?=\s{{0,4}}(?:[)\]]|\Z))"""
_SCHEMES = r"(?:bearer|basic|token|digest|negotiate|apikey|key|oauth|hawk|aws4-hmac-sha256)"
_REST = _SHOWN + rf"""(?:{_IN_QUOTES}|{_QUOTED}|[^\r\n}}"'][^\r\n}}]*+)"""
_GAP = r"""["']?[\s,]{1,4}["']?"""  # between the words of a command, or of a list of them
_ALONE = r"(?<![A-Za-z0-9_-])"

SHAPES: tuple[Shape, ...] = (
    (
        ("private key-----",),
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}KEY-----|\Z)",
        HIDDEN,
    ),
    (  # a password may hold "@": it goes on to the last one before the path
        ("://",),
        r"""(?<=://)[^\s/:"'<>]{0,256}+:[^\s/@]{1,256}@(?:[^\s/@"'<>]{0,256}+@)*+""",
        f"{HIDDEN}@",
    ),
    (
        ("?code=", "&code=", "?key=", "&key="),
        rf"""(?i)([?&](?:code|key)=){_SHOWN}[^\s&#"'<>]++""",
        rf"\1{HIDDEN}",
    ),
    (
        ("mysql", "mariadb", "sshp"),
        (
            rf"""(?i)(\b(?:mysql|mariadb|sshpass)[\w-]{{0,16}}"""
            rf"""(?:{_GAP}(?!-p)[^\s"',]{{1,128}}+){{0,16}}+{_GAP}-p){_SHOWN}[^\s"',]++"""
        ),
        rf"\1{HIDDEN}",
    ),
    (
        (" -u", "'-u", '"-u', " --user", "'--user", '"--user'),
        (
            rf"""(?<![\w-])(-u|--user)((?:=|{_GAP})["']?[^\s:/"',=-][^\s:/"',=]{{0,63}}:)"""
            rf"""(?!\d{{1,9}}(?![^\s"',])){_SHOWN}[^\s"',]++"""
        ),
        rf"\1\2{HIDDEN}",
    ),
    (
        ("bearer ", "basic "),
        r"(?i)\b(bearer|basic) {1,4}(?=\S{0,64}[\d=])[\w.~+/=-]{8,}+",
        rf"\1 {HIDDEN}",
    ),
    (("eyj",), _ALONE + r"eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+)?", HIDDEN),
    (("akia", "asia"), r"(?<![A-Z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])", HIDDEN),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-"),
        _ALONE + r"(?:gh[pousr]_|github_pat_|glpat-|npm_|pypi-)[\w-]{20,}+",
        HIDDEN,
    ),
    (("xox", "xapp-"), _ALONE + r"(?:xox[abeoprs]|xapp)-[\w-]{10,}+", HIDDEN),
    (("sk_", "rk_", "sk-"), _ALONE + r"(?:[sr]k_(?:live|test)_|sk-)[\w-]{16,}+", HIDDEN),
    (("aiza",), _ALONE + r"AIza[\w-]{35}", HIDDEN),
    (
        ("qmon_", "whsec_", "shpat_", "hf_", "dop_v1_", "dckr_pat_"),
        _ALONE + r"(?:qmon|whsec|shpat|hf|dop_v1|dckr_pat)_[\w+/=-]{20,}+",
        HIDDEN,
    ),
    (
        ("auth",),
        rf"(?i)(authorization{_IS})({_SCHEMES}\s++)?+{_REST}",
        rf"\1\2{HIDDEN}",
    ),
    (("cookie",), rf"(?i)(cookie{_IS}){_REST}", rf"\1{HIDDEN}"),
    # What databases, and the libraries before them, quote when they refuse: other people's data.
    (("key (",), rf"(?i)(key \([^)\n]{{1,256}}\)=\(){_SHOWN}[^\n]*+", rf"\1{HIDDEN})"),
    (("row contains (",), rf"(?i)(row contains \(){_SHOWN}[^\n]*+", rf"\1{HIDDEN})"),
    (
        ("duplicate entry '",),
        rf"(?i)(duplicate entry '){_SHOWN}[^\n]*?(' for key|\Z|\n)",
        rf"\1{HIDDEN}\2",
    ),
    (("[parameters: ",), rf"(\[parameters: ){_SHOWN}[\s\S]*?(\](?=\s|\Z)|\Z)", rf"\1{HIDDEN}\2"),
)
"""What a text in lower case must hold, the pattern (of linear time), what takes its place."""


NEEDLES_OF_NAMES = (
    *("pass", "pwd", "secret", "token", "key", "auth", "cookie", "cred", "sig", "session"),
    *("pin", "pan", "otp", "cv", "ssn", "iban", "jwt", "srf", "number", "tok", "sid"),
)


def shapes_of(names: str, needles: tuple[str, ...]) -> tuple[Shape, ...]:
    """Make the shapes of what follows a name: after `=` or `:`, after an option, in a pair."""
    more = rf"[\w-]{{0,64}}?(?:{names}|authorization|cookie)"
    told = rf"""["'](?:key|name)\\?["']\s{{0,4}}:\s{{0,4}}\\?["']{more}\\?["']"""
    return (
        (needles, rf"(?i)((?:{names}){_IS}){_VALUE}", rf"\1{HIDDEN}"),
        (("--",), rf"(?i)(?<![\w-])(--{more}{_APART})(?![\"']?-){_VALUE}", rf"\1{HIDDEN}"),
        (
            ("['", '["', "('", '("', "[b'", "(b'"),
            rf"""(?i)([(\[]b?["']{more}["'],\s{{0,4}}+){_SECOND}""",
            rf"\1{HIDDEN}",
        ),
        (("value",), rf"""(?i)({told},\s{{0,4}}\\?["']value{_IS}){_VALUE}""", rf"\1{HIDDEN}"),
        (
            ("</",),
            (
                rf"(?i)(<(?:\w{{1,64}}:)?{more}(?:\s[^<>=]{{1,64}}=[^<>]{{0,256}})?>(?:<!\[cdata\[)?)"
                rf"{_SHOWN}[^<]++(?=</)"
            ),
            rf"\1{HIDDEN}",
        ),
    )


NAMED_SHAPES = (
    *shapes_of(rf"{_NAMED}|{_SHORT_NAMED}(?![a-z])", NEEDLES_OF_NAMES)[1:],
    *shapes_of(_NAMED, NEEDLES_OF_NAMES)[:1],
    (
        ("pass", "creds", "tok", "sid"),
        rf"(?i)({_SHORT_NAMED}{_STRICTLY}|[_-](?:pass|creds|tok|sid){_IS}){_VALUE}",
        rf"\1{HIDDEN}",
    ),
)

ADDRESS = (
    ("@", "%40"),
    r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    HIDDEN,
)
"""An e-mail address."""

SHORTEST_SECRET = len("pwd=x")
SHORTEST_TOKEN = min(CARD_DIGITS)
SIGNS = ("=", ":", "--", "',", '",', "</")
"""What stands after a name, or before it, if its value follows."""

_OTHERS = {
    needle
    for needles, _, _ in (*SHAPES, ADDRESS)
    for needle in needles
    if needle != "@" and not any(known in needle for known in NEEDLES_OF_NAMES)
}
NEEDLES_WITH_A_LINE = tuple(needle for needle in _OTHERS if "_" in needle)
NEEDLES = tuple(_OTHERS.difference(NEEDLES_WITH_A_LINE))
"""What tells that a pattern may match: names where there is a sign, the rest in longer texts."""


def hides_key(key: str, extra: tuple[str, ...] = (), *, personal: bool = False) -> bool:
    """Say whether a key names a secret, however it is written: `apiKey`, `API_KEY`, `x-api-key`.

    `extra` are more words, or words in a row, that make it one (see `phrase`); `personal` keys are
    told from others only when asked to.
    """
    words = [*_words(key), ""]
    if extra:
        row = f" {' '.join(words)}"
        if any(said in row for said in extra):
            return True
    return any(
        word in STRONG
        or word.endswith(STRONG_ENDINGS)
        or (word, following) in PAIRS
        or (personal and (word, following) in PERSONAL)
        or ((word in WEAK or word.endswith(WEAK_ENDINGS)) and following in FOLLOWERS)
        for word, following in pairwise(words)
    )


def shapes_of_own(phrases: tuple[str, ...]) -> tuple[Shape, ...]:
    """Make the shapes of what follows an application's own names, written in any of their ways."""
    rows = [said.split() for said in phrases]
    names = "|".join("[ _-]?".join(row) for row in rows)
    needles = tuple(row[0] for row in rows)
    return shapes_of(rf"(?<![a-z])(?:{names})(?![a-z])", needles) if rows else ()


def phrase(said: str) -> str:
    """Write a key of the application's own as `hides_key` looks for it; "" if it has no letters."""
    row = " ".join(_words(said))
    return f" {row} " if row else ""


def _words(key: str) -> Iterator[str]:
    word = ""
    for before, letter in zip(" " + key, key, strict=False):
        begins = letter.isupper() and before.islower()
        if word and (begins or not letter.isalpha()):
            yield word
            word = ""
        if letter.isalpha():
            word += letter.lower()
    if word:
        yield word
