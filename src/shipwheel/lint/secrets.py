"""What is a secret: names of variables that hold one, values that are one, and a text with those taken out."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from shipwheel.lint.source import Span

Value = Literal["nothing", "reference", "placeholder", "weak", "secret"]
"""What stands where a secret would. nothing: empty, a switch, or a word such as none. reference: a variable, a path, a secret
of the platform. placeholder: to be replaced. weak: a common word, as in examples of databases. secret: anything else."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRETS = re.compile(
    "token|secret|credentials?|.*(?:password|passwd|passphrase|apikey|accesskey|secretkey|authtoken|apitoken|accesstoken)"
    "|(?:hf|huggingface|gh|github|gitlab|git|bot|wandb|pypi|npm|jupyter|bearer|openai)token|(?:openai|wandb|anthropic|comet)key"
)
_SHORT = re.compile("pass|pwd|pat")
"""Secrets only behind another word: DB_PASS, GITHUB_PAT."""
_KEYS = re.compile(
    "access|account|anthropic|api|auth|azure|cohere|comet|deploy|encryption|gemini|groq|licen[cs]e|master|mistral|neptune|ngc|openai"
    "|openrouter|pinecone|private|replicate|secret|serper|service|signing|ssh|storage|tavily|wandb"
)
"""What makes a secret of the word key behind it."""
_TAILS = re.compile(r"b(?:ase)?64|base|dev|json|local|prod|production|read|ro|rw|staging|test|value|write|default|\d+")
"""Words that may stand behind the one that names a secret."""
_SWITCH_NAMES = re.compile(
    "max|min|num|pad|eos|bos|unk|sep|cls|mask|special|stop|start|begin|end|next|image|video|audio|im|prefix|suffix|vocab"
    "|old|cur|no|use|allow|require|random|enable|disable|has|is|with|without|skip|public"
)
"""Before TOKEN in models (EOS_TOKEN), before a switch (USE_TOKEN)."""
_PATHS = frozenset(("GOOGLE_APPLICATION_CREDENTIALS", "AWS_SHARED_CREDENTIALS", "PWD", "OLDPWD"))

_NOTHING = re.compile(
    r"|true|false|yes|no|on|off|enabled|disabled|none|null|nil|empty|dummy|fake|unused|n/?a"
    r"|not[-_ ]?(?:needed|used|required|set|applicable|provided)|no[-_]?(?:key|token|auth)"
    r"|sk-no-key-required|ignored?|placeholder|test(?:ing)?|token-abc123|unset|undefined|build(?:[-_]?time)?(?:[-_]only)?",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\$\{?[A-Za-z_(]|\$\{\{|\{\{|%\(|<\(|^(?:\./|\.\./|~/|file:|vault:|op://|secret://|arn:|sm://)|^!|`|^os\.(?:getenv|environ)|\.get\("
)
_PLACEHOLDER = re.compile(
    r"change.?(?:me|it|this)|must[-_ ]?(?:be[-_ ]?)?set"
    r"|your|<.*>|^[xX*.#_-]{3,}$|xxxx|replace|insert|example|placeholder|todo|put[-_ ].*here|to[-_]be[-_]"
    r"|my[-_]?(?:secret|token|password|api|key)|sample|redacted|\.\.\.",
    re.IGNORECASE,
)
_CAPITALS = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
"""TOKEN, YOUR_KEY: a word that stands for a value."""
_WEAK = re.compile(
    r"(?:admin|root|user(?:name)?|guest|pass(?:wd|word)?|secret|postgres(?:ql)?|mysql|mariadb|mongo(?:db)?|redis|rabbitmq|minio|mlflow"
    r"|airflow|jupyter|grafana|neo4j|elastic|kafka|clickhouse|label-?studio|feast|dagster|prefect|token|key|access|api|default|local"
    r"|demo|dev|test|db|app|top|[-_.@!#])+\d{0,4}[!@#]?|\d{1,8}|qwerty\w*|letmein|hunter2|hello\w{0,5}|welcome\d*|abc\d*|foo|bar|foobar|baz",
    re.IGNORECASE,
)

_LEET = str.maketrans("013457$", "oleasts")
"""Digits for letters, as examples have them: T0pS3cr3t."""

_MIXED = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])\S+")
_READABLE = re.compile(
    r"(?:[A-Za-z]?[a-z]+\d{0,3}|[A-Z]+\d{0,3}|v?\d{1,8}|[-_./:+=@,]++)(?:[-_./:+=@,]++(?:[A-Za-z]?[a-z]*|[A-Z]*)v?\d{0,8})*"
)
_HEX = re.compile(r"[0-9a-f]+")
_INK = re.compile(r"[^\r\n]")

_UNREAL = re.compile(r"([A-Za-z.*])\1{4}|your|example|123456789|abcdefgh|placeholder|token|secret|change", re.IGNORECASE)
"""Tokens of documentation."""

_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"hf_(?=[A-Za-z]*[0-9A-Z])[A-Za-z0-9]{6,}"
    r"|sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}|[sr]k_live_[A-Za-z0-9]{10,}"
    r"|gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|A(?:KI|SI)A[0-9A-Z]{12,}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|nvapi-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-Ag[A-Za-z0-9_-]{40,}"
    r"|dckr_pat_[A-Za-z0-9_-]{20,}|r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|lsv2_[a-z]{2}_[A-Za-z0-9_]{30,}|pplx-[a-z0-9]{30,}"
    r"|xai-[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{40,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
    r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]*+)"
)
"""Shapes that the makers of tokens gave them so that they can be found."""

_LOGIN = re.compile(r"(?<=://)(?P<user>[^\s/@:'\"`?#]*+)(?::(?P<password>[^\s/@'\"`]*+))?@(?=[\w\[$.-])")

_NAMED = re.compile(
    r"(?:(?<![\w.$-])[\"']?|(?P<spaced>(?<![\w-])--?|\bENV[ \t]++))(?P<name>[A-Za-z_][A-Za-z0-9_.-]*+)[\"']?"
    r"(?:[ \t]*(?:=|:=|:)[ \t]*|(?(spaced)(?:,[ \t]*|[ \t]+|[ \t]*\r?\n[ \t]*-[ \t]+)|(?!)))"
)
"""What stands before the value in NAME=value, NAME: value, "NAME": "value", --name value, ENV NAME value."""
_VALUE = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'|[^\s\"',;&|)\]}]++")
_LISTED = re.compile(
    r"name[\"']?:[ \t]*[\"']?(?P<name>[A-Za-z_]\w*+)[\"']?[ \t]*,?\s*[\"']?value[\"']?:[ \t]*(?P<value>[^\s,}][^\r\n,}]*+)"
)
"""Kubernetes' way to set a variable."""
_BEHIND = re.compile(
    r"(?:\b(?:Bearer|Basic)[ \t]+|\bwandb[ \t]+login[ \t]+(?:--relogin[ \t]+)?|\bauthtoken[ \t]+"
    r"|\b(?:docker|podman|helm|skopeo|crane)[ \t][^\n|;&]{0,200}?login\b[^\n|;&]{0,200}?[ \t]-p[ \t]+"
    r"|\bmysql\w*[ \t][^\n|;&]{0,200}?[ \t]-p)"
    r"[\"']?(?P<value>[^\s\"'$;&|-][^\s\"';&|]*+)"
)
_SOURCE = re.compile(r"\b(?:src|source)=(?P<value>[\w+=-]{16,})")
"""Where `--secret` wants a file, and some write the secret."""
_PIPED = re.compile(
    r"\becho[ \t]+(?:-[ne]+[ \t]+)?[\"']?(?P<value>[^\s\"'$|;&][^\"'|;&\n]{0,200}+)[\"']?[ \t]*"
    r"\|[^\n;&]{0,120}?(?:chpasswd|passwd\b|-stdin)"
)


def secret_name(name: str) -> bool:
    """Whether a variable or an option of that name holds a secret: HF_TOKEN, db-password; not MAX_TOKENS, PASSWORD_FILE."""
    if name in _PATHS:
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and _TAILS.fullmatch(words[-1]):
        words.pop()
    if words[-3:] == ["access", "key", "id"]:
        words.pop()
    if not words or any(map(_SWITCH_NAMES.fullmatch, words[:-1])):
        return False
    before, last = words[-2:-1], words[-1]
    if last == "key":
        return bool(before and _KEYS.fullmatch(before[0]))
    return bool(_SECRETS.fullmatch(last) or (before and _SHORT.fullmatch(last)))


def judged(value: str) -> Value:
    """What a value that stands where a secret would is."""
    text = value.strip().strip("\"'").strip()
    if _NOTHING.fullmatch(text):
        return "nothing"
    if tokens_in(text):
        return "secret"
    if _REFERENCE.search(text) or _is_path(text):
        return "reference"
    if _PLACEHOLDER.search(text) or _CAPITALS.fullmatch(text):
        return "placeholder"
    return "weak" if _WEAK.fullmatch(text) else "secret"


def _is_path(text: str) -> bool:
    return text.startswith("/") and not generated(text)


def generated(text: str) -> bool:
    """Whether a program made it: long, letters and digits, no words."""
    if len(text) < 16 or not _MIXED.fullmatch(text) or _READABLE.fullmatch(text):
        return False
    total = len(text)
    entropy = -sum(count / total * math.log2(count / total) for count in Counter(text).values())
    return entropy >= (3.0 if _HEX.fullmatch(text) else 3.5)


def tokens_in(text: str) -> list[Span]:
    """Where tokens of known shapes stand, and passwords in addresses."""
    found = [match.span() for match in _TOKENS.finditer(text)]
    return sorted([*found, *_logins(text)])


def _logins(text: str) -> Iterator[Span]:
    """The secret part of `scheme://user:password@host`, or of `scheme://token@host`."""
    for match in _LOGIN.finditer(text):
        password = match["password"]
        if password in (None, "", "x-oauth-basic") and generated(match["user"]):
            yield match.span("user")
        elif password and not _REFERENCE.search(password) and password[0] not in "$%<{":
            yield match.span("password")


def leaks(text: str) -> list[Span]:
    """Where real ones of those stand: no placeholders, no passwords such as `postgres` or `S3cr3t`."""
    return [span for span in tokens_in(text) if not _UNREAL.search(text[slice(*span)]) and not _common(text[slice(*span)])]


def _common(value: str) -> bool:
    """Whether it is a password that everybody writes."""
    return any(_WEAK.fullmatch(one) for one in (value, value.translate(_LEET)))


def redacted(text: str) -> str:
    """The text with every value that may be a secret made of `*`: of the same length, line ends kept.

    Give it a whole file and take lines from the result: what a value belongs to may stand on the line above.
    """
    pieces, at = [], 0
    for start, end in sorted(_values(text)):
        pieces += [text[at:start], _INK.sub("*", text[max(at, start) : end])]
        at = max(at, end)
    return "".join((*pieces, text[at:]))


def _values(text: str) -> Iterator[Span]:
    yield from tokens_in(text)
    for pattern in (_BEHIND, _PIPED):
        yield from (match.span("value") for match in pattern.finditer(text))
    yield from (match.span("value") for match in _SOURCE.finditer(text) if generated(match["value"]))
    for match in _LISTED.finditer(text):
        if secret_name(match["name"]) and _kept_back(match["value"]):
            yield match.span("value")
    for match in _NAMED.finditer(text):
        value = secret_name(match["name"]) and _VALUE.match(text, match.end())
        if value and _kept_back(value[0]):
            yield value.span()


def _kept_back(value: str) -> bool:
    return judged(value) not in ("nothing", "reference") and not value.startswith(("-", "="))
