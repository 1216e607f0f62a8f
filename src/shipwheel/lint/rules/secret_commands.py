"""Secrets in commands: written down, put into files or logs, left behind by logins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.subjects import RequirementsFile, Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.secrets import judged, leaks, secret_name
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Span
from shipwheel.lint.word import Word

SECRET_RUN = Rule(
    key="secret-run",
    severity="error",
    title="A token or password is written down in a command",
    why="Everyone who has the image, its history or the repository can read it; rotate it, for it is known.",
    remedy="Mount it: `RUN --mount=type=secret,id=NAME,env=NAME ...`, and build with `--secret id=NAME,env=NAME`",
    source="https://docs.docker.com/build/building/secrets/",
)

SECRET_ECHOED = Rule(
    key="secret-echoed",
    severity="error",
    title="A secret is written to a file of the layer, or to the build's log",
    why="A file that a RUN leaves stays in the layer for everyone who has the image, and logs are kept.",
    remedy="Mount the file where the program looks for it: `RUN --mount=type=secret,id=NAME,target=PATH`",
    source="https://docs.docker.com/build/building/secrets/",
)

HF_LOGIN_LAYER = Rule(
    key="hf-login-layer",
    severity="error",
    title="A login leaves its token in a layer",
    why="A login writes the token to a file below the home folder, which stays in the layer even if a secret mount gave it.",
    remedy="Give the token to the one command that needs it: `RUN --mount=type=secret,id=hf_token,env=HF_TOKEN hf download`",
    source="https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
)

_OPTION = re.compile(r"--?([A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_HASHED = re.compile(r"(?:sha1|sha256|argon2|pbkdf2|bcrypt|\$\d\w?\$|\$2[aby]\$)", re.IGNORECASE)
_MOUNTED = re.compile(r"/run/secrets/[\w./-]+")
_PRINTS = ("echo", "printf")
_SINKS = ("/dev/null", "/dev/stderr", "/dev/shm", "/tmp/fifo")


@SECRET_RUN.check(Dockerfile)
def secret_run(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Commands of RUN, CMD, ENTRYPOINT and HEALTHCHECK with a token, a password or an address that holds one."""
    for step in dockerfile.steps("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
        commands = step.commands
        for at, command in enumerate(commands):
            if found := _written(command) or _password_set(command, _piped_to(commands, at)):
                yield Hit(span=found[0], message=f"{step.keyword} has {found[1]} written down")
                break


@SECRET_RUN.check(Script)
def secret_in_script(script: Script) -> Iterator[Hit]:
    """The same in scripts, workflows and Makefiles; of documents only what has the form of a real token."""
    for command in script.commands:
        found = next(
            ((word.span, "a token") for word in _words(command) if leaks(word.text) and not _is_url_of_example(word)), None
        )
        if found := found or (None if script.kind != "shell" else _option_of(command, strict=True)):
            where = {"shell": "the script", "workflow": "the workflow", "document": "the page", "makefile": "the Makefile"}
            yield Hit(span=found[0], message=f"{where[script.kind]} has {found[1]} written down")


@SECRET_RUN.check(RequirementsFile)
def secret_in_requirements(file: RequirementsFile) -> Iterator[Hit]:
    """Addresses of indexes and packages with a password."""
    for name, value, span in file.options:
        if leaks(value):
            yield Hit(span=(span[0], span[0] + len(name)), message=f"{name} has a password in its address")
    for package in file.packages:
        if package.url and leaks(package.url):
            yield Hit(span=package.span, message=f"the address of {package.name or 'a package'} has a password in it")


def _is_url_of_example(word: Word) -> bool:
    return "localhost" in word.text or "127.0.0.1" in word.text


def _written(command: Command) -> tuple[Span, str] | None:
    """The place of the first secret in a command, and what it is."""
    for word in _words(command):
        if leaks(word.text):
            return word.span, "a password in an address" if "://" in word.text else "a token"
    return _option_of(command) or _login_with(command)


def _login_with(command: Command) -> tuple[Span, str] | None:
    """`wandb login KEY`."""
    words = [word for word in command.arguments if not word.text.startswith("-")]
    if command.program != "wandb" or [word.text for word in words[:1]] != ["login"] or len(words) < 2:
        return None
    return (words[1].span, "a token") if "://" not in words[1].text and _literal(words[1], strict=True) else None


def _words(command: Command) -> Iterator[Word]:
    yield from (assignment.value for assignment in command.assignments)
    yield from command.words


def _option_of(command: Command, *, strict: bool = False) -> tuple[Span, str] | None:
    """`--password X`, `--token=X`, `NAME=X` of a name that holds a secret."""
    for assignment in command.assignments:
        if secret_name(assignment.name) and _literal(assignment.value, strict=strict):
            return assignment.span, f"the value of {assignment.name}"
    for word, following in zip(command.arguments, (*command.arguments[1:], None), strict=False):
        match = _OPTION.fullmatch(word.text)
        if not match or not secret_name(match[1]):
            continue
        if match[2] is not None:
            value = Word(text=match[2], span=word.span, known=word.known)
        elif following is not None and not following.text.startswith("-"):
            value = following
        else:
            continue
        if _literal(value, strict=strict):
            return word.span, f"the value of {word.text.partition('=')[0]}"
    return None


def _literal(value: Word, *, strict: bool) -> bool:
    kinds = ("secret",) if strict else ("secret", "weak")
    return value.known and "$" not in value.text and not _HASHED.match(value.text) and judged(value.text) in kinds


def _password_set(command: Command, reader: str) -> tuple[Span, str] | None:
    """`echo user:password | chpasswd`."""
    if command.program in _PRINTS and reader == "chpasswd":
        text = next((word for word in command.arguments if ":" in word.text), None)
        if text and "$" not in text.text and text.known and _is_login(text.text):
            return text.span, "a user's password"
    return None


_LOGIN = re.compile(r"[a-z_][\w-]*:[^\s:/][^\s:]*(?:\\n)?")


def _is_login(text: str) -> bool:
    return _LOGIN.fullmatch(text.strip()) is not None and text.strip() != "root:Docker!"


def _piped_to(commands: tuple[Command, ...], at: int) -> str:
    return commands[at + 1].program if at + 1 < len(commands) and commands[at].after in ("|", "|&") else ""


@SECRET_ECHOED.check(Dockerfile)
def secret_echoed(dockerfile: Dockerfile) -> Iterator[Hit]:
    """RUN that writes a secret variable or a mounted secret into a file that stays, or prints it."""
    for step in dockerfile.steps("RUN"):
        commands = step.commands
        for at, command in enumerate(commands):
            found = _echoed(command, _piped_to(commands, at)) or _kept_by_git(command) or _configured(step, command)
            if found and not any(_removes(later, found[2]) for later in commands[at + 1 :]):
                yield Hit(span=found[0], message=found[1])
                break


def _echoed(command: Command, reader: str) -> tuple[Span, str, str] | None:
    """The place, what happens, and the file that is written ("" for none)."""
    if "substitution" in command.inside:
        return None
    secret = _shown(command)
    if not secret:
        return None
    files = [one.target.text for one in command.redirects if one.target and one.operator.lstrip("1").startswith((">", "&>"))]
    if command.program in ("cp", "install"):
        files = [command.words[-1].text]
    elif reader == "tee":
        files = ["what tee writes"]
    elif reader:
        return None
    if any(file.startswith((*_SINKS, "/run/", "&")) for file in files):
        return None
    if not files:
        return command.span, f"{command.program} prints {secret} into the log of the build", ""
    return command.span, f"{command.program} writes {secret} to {files[0]}, which stays in the layer", files[0]


def _shown(command: Command) -> str:
    """The secret that a command prints or copies; "" for none."""
    if command.program in _PRINTS:
        return next((f"${name}" for word in command.arguments for name in _secrets_of(word.text)), "")
    if command.program in ("cat", "cp", "install"):
        found = next((_MOUNTED.search(word.text) for word in command.arguments if _MOUNTED.search(word.text)), None)
        return found[0] if found else ""
    if command.program == "printenv":
        return next((f"${word.text}" for word in command.arguments if secret_name(word.text)), "")
    return ""


def _secrets_of(text: str) -> Iterator[str]:
    for match in _REFERENCE.finditer(text):
        name = match[1] or match[2]
        if secret_name(name):
            yield name


def _kept_by_git(command: Command) -> tuple[Span, str, str] | None:
    """A token in an address that git writes into its configuration."""
    if command.program != "git":
        return None
    verb = next((word.text for word in command.arguments if not word.text.startswith("-")), "")
    for word in command.arguments:
        secret = next(_secrets_of(word.text), "") if "://" in word.text or "extraheader" in word.text.lower() else ""
        if secret and verb == "config":
            return command.span, f"git config writes ${secret} to .gitconfig, which stays in the layer", ".gitconfig"
        if secret and verb == "clone":
            return command.span, f"git clone writes ${secret} to .git/config, which stays in the layer", ".git"
    return None


_SETS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("aws", ("configure", "set"), "~/.aws/credentials", ".aws"),
    ("npm", ("config", "set"), "~/.npmrc", ".npmrc"),
    ("yarn", ("config", "set"), "~/.yarnrc.yml", ".yarnrc"),
    ("pip", ("config", "set"), "pip.conf", "pip"),
    ("pip3", ("config", "set"), "pip.conf", "pip"),
    ("poetry", ("config",), "~/.config/pypoetry/auth.toml", "pypoetry"),
    ("conda", ("config", "--add"), "~/.condarc", ".condarc"),
)
"""Programs that write what they are told: the verbs, the file that is written, and a part of it that a later rm names."""


def _configured(step: Step, command: Command) -> tuple[Span, str, str] | None:
    """A secret that a program writes into its own configuration, as it is told."""
    found = setting_of(command)
    if found is None or _is_mounted(step, found[1]):
        return None
    return command.span, f"{_name(command)} writes a secret to {found[0]}, which stays in the layer", found[1]


def setting_of(command: Command) -> tuple[str, str] | None:
    """The file into which a command sets a secret, and the part of it that a later rm names."""
    words = tuple(word.text for word in command.arguments if not word.text.startswith("-") or word.text == "--add")
    for program, verbs, file, part in _SETS:
        if command.program == program and words[: len(verbs)] == verbs and _has_secret(command):
            return file, part
    return None


def _has_secret(command: Command) -> bool:
    return any(leaks(word.text) or any(_secrets_of(word.text)) or _MOUNTED.search(word.text) for word in command.arguments)


def _removes(command: Command, file: str) -> bool:
    """Whether a command of the same RUN takes the file away again."""
    texts = [word.text for word in command.arguments]
    if command.program == "git":
        return (
            "--unset" in texts
            or "--unset-all" in texts
            or "--remove-section" in texts
            or ("remote" in texts and "set-url" in texts)
        )
    name = file.strip("\"'").rstrip("/").rpartition("/")[2]
    if command.program in ("rm", "shred", "unlink"):
        return bool(name) and any(name in text or (file == ".git" and not text.startswith("-")) for text in texts)
    return command.program == "find" and "-delete" in texts and name in " ".join(texts)


_LOGINS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("huggingface-cli", ("login",), "~/.cache/huggingface/token", "huggingface"),
    ("hf", ("auth", "login"), "~/.cache/huggingface/token", "huggingface"),
    ("wandb", ("login",), "~/.netrc", ".netrc"),
    ("docker", ("login",), "~/.docker/config.json", ".docker"),
    ("podman", ("login",), "auth.json", "auth.json"),
    ("gh", ("auth", "login"), "~/.config/gh/hosts.yml", "gh"),
    ("az", ("login",), "~/.azure", ".azure"),
    ("gcloud", ("auth", "activate-service-account"), "~/.config/gcloud", "gcloud"),
    ("gcloud", ("auth", "login"), "~/.config/gcloud", "gcloud"),
    ("ngrok", ("config", "add-authtoken"), "ngrok.yml", "ngrok"),
    ("ngrok", ("authtoken",), "ngrok.yml", "ngrok"),
    ("comet", ("login",), "~/.comet.config", ".comet"),
    ("clearml-login", (), "~/clearml.conf", "clearml"),
)
"""Program, verbs, the file that is written, and a part of it that a later rm names."""
_INTERPRETER = re.compile(r"python[\d.]*")
_PYTHON_LOGIN = re.compile(r"huggingface_hub.*\blogin\(|\bwandb\.login\(", re.DOTALL)


@HF_LOGIN_LAYER.check(Dockerfile)
def hf_login_layer(dockerfile: Dockerfile) -> Iterator[Hit]:
    """RUN that logs in without logging out in the same RUN."""
    for step in dockerfile.steps("RUN"):
        for at, command in enumerate(step.commands):
            found = login_of(command)
            if found and not _undone(step, at, found[1]) and not _is_mounted(step, found[1]):
                yield Hit(span=command.span, message=f"{_name(command)} leaves the token in {found[0]} of this layer")
                break
        else:
            yield from _logged_in_by_heredoc(step)


def _logged_in_by_heredoc(step: Step) -> Iterator[Hit]:
    """The same in a program that stands in the RUN."""
    if not any(_INTERPRETER.fullmatch(command.program) for command in step.commands):
        return
    for heredoc in step.instruction.heredocs:
        text = heredoc.body.text
        file, part = _file_of_python(text)
        if _PYTHON_LOGIN.search(text) and "logout(" not in text and not _is_mounted(step, part):
            yield Hit(span=step.span, message=f"login() leaves the token in {file} of this layer")
            break


def _file_of_python(text: str) -> tuple[str, str]:
    return ("~/.netrc", ".netrc") if "wandb" in text else ("~/.cache/huggingface/token", "huggingface")


def login_of(command: Command) -> tuple[str, str] | None:
    """The file that a login writes, and the part of it that a later rm names."""
    words = [word.text for word in command.arguments]
    plain = tuple(word for word in words if not word.startswith("-"))
    name = command.program
    if name == "xargs" and plain:
        name, plain = plain[0], plain[1:]
    for program, verbs, file, part in _LOGINS:
        if name == program and plain[: len(verbs)] == verbs and not {"--help", "-h"}.intersection(words):
            return file, part
    if _INTERPRETER.fullmatch(command.program) and any(_PYTHON_LOGIN.search(word) for word in words):
        return _file_of_python(" ".join(words))
    return None


def _undone(step: Step, at: int, part: str) -> bool:
    """Whether the same RUN logs out or removes the file."""
    for later in step.commands[at + 1 :]:
        words = [word.text for word in later.arguments]
        if "logout" in words or "revoke" in words:
            return True
        if later.program in ("rm", "shred") and any(
            part in word or word.rstrip("/").endswith(("/.cache", "/root")) for word in words
        ):
            return True
    return False


def _is_mounted(step: Step, part: str) -> bool:
    """Whether the file lies in a mount, and so in no layer."""
    targets = [mount.options.get("target", "") for mount in step.mounts if mount.type in ("cache", "tmpfs", "secret")]
    return any(part in target or target.rstrip("/") in ("/root", "/root/.cache") for target in targets)


def _name(command: Command) -> str:
    words = [command.program]
    for word in command.arguments:
        if word.text.startswith("-") or not word.known or len(words) > 2 or leaks(word.text) or not _WORD.fullmatch(word.text):
            break
        words.append(word.text)
    return " ".join(words)


_WORD = re.compile(r"login|auth|config(?:ure)?|set|authtoken|add-authtoken|activate-service-account")
