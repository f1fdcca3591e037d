"""Commands and options in messages, tried as if somebody pasted them into a shell, without running anything."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from pipeline.errors import UserError

ROOT = Path(__file__).parents[1]
START = re.compile(r"(?<![\w/.+-])(make|sorn) (?=[a-z])")
ANNOUNCED = re.compile(r"(\b[Rr]un|[Ww]rite|[Ss]ee|[\w ]+|`): ?$|`$|\($")
END = re.compile(r"(?<=\.\.\.)[.,;:)]+$|(?<!\.)[.,;:)]{1,2}$")  # of an option in a sentence; "..." stands for a value
PLACEHOLDER = re.compile(r"^$|[A-Z]+$|.*\.\.\.$|.*\bX\b|\{")  # FILE, NAME, "..."; X: a value in the source code
STAGES = ("data", "labeler", "masks", "train", "eval", "status", "verify", "clean")


@functools.cache
def makefile() -> tuple[set[str], set[str]]:
    """Targets and variables of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    known = re.search(r"^KNOWN +:= (.*)$", text, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert known and phony
    return set(phony[1].split()), set(known[1].split())


def commands(text: str) -> Iterator[str]:
    """Commands in a sentence.

    A command ends before an unquoted ";", ")", "`", or before ", " or ". ". In prose ("make it smaller") the second
    word is no target, and nothing announces a command.
    """
    position = 0
    while match := START.search(text, position):
        line = _until_end(text[match.start() :])
        position = match.start() + max(len(line), 1)
        if ANNOUNCED.search(text[: match.start()]) or _is_ours(line.split()):
            yield line


def _is_ours(words: list[str]) -> bool:
    from pipeline.cli.app import main

    second = words[1] if len(words) > 1 else ""
    return second in (makefile()[0] if words[0] == "make" else main.commands) or any("=" in w for w in words[1:])


def _until_end(text: str) -> str:
    quote = ""
    for number, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in ";`\n)" or (sign in ",." and text[number + 1 : number + 2] in ("", " ", "\n")):
            if sign == "." and text[max(0, number - 2) : number] == "..":
                continue
            return text[:number]
    return text


def faults(text: str) -> list[str]:
    """What is wrong with the commands and options of a message."""
    found, rest = [], text
    for line in commands(text):
        rest = rest.replace(line, "")
        try:
            require(line)
        except (AssertionError, ValueError, UserError, click.ClickException) as error:
            said = error.format_message() if isinstance(error, click.ClickException) else str(error)
            found.append(f"cannot be pasted: {line}: {said}")
    options = re.findall(r"--set ('[^']*'|\S+)", rest)
    try:
        require_settings([option[1:-1] if option[0] == "'" else END.sub("", option.strip('"')) for option in options])
    except (AssertionError, UserError) as error:
        found.append(f"no option: {' '.join(options)}: {error}")
    return found


def require(line: str) -> None:
    """Raises an error for a command that make or `sorn` would refuse before any work."""
    program, *words = shlex.split(line)
    require_make(words) if program == "make" else require_sorn(words)


def require_make(words: list[str]) -> None:
    targets, known = makefile()
    given = dict(word.partition("=")[::2] for word in words if "=" in word)
    asked = [word for word in words if "=" not in word and not word.startswith("-")]
    assert len(asked) == 1 and asked[0] in targets, f"targets {asked}"
    assert given.keys() <= known, f"unknown variables {given.keys() - known}"
    (target,) = asked
    ours = ["tables", "run"] if target == "tables" else [target] if target in STAGES else []
    arguments = shlex.split(given.get("ARGS", "").replace("$$", "$"))
    grid = shlex.split(given.get("GRID", ""))
    assert ours or not arguments, f"make {target} takes no ARGS"
    if ours:
        require_sorn([*ours, *arguments, *grid])


def require_sorn(words: list[str]) -> None:
    """Raises an error for what `require_command_line` refuses, and for a wrong --set."""
    require_command_line(words)
    require_settings([value for option, value in itertools.pairwise(words) if option == "--set"])


def require_command_line(words: list[str]) -> None:
    """Raises click's error for a command or an option that does not exist, for a word too many and a wrong choice."""
    from pipeline.cli.app import main

    command: click.Command = main
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    context = click.Context(command, info_name="sorn", allow_extra_args=False)
    given, more, _ = command.make_parser(context).parse_args([word for word in rest if word != "..."])
    assert not (more or (isinstance(command, click.Group) and "help" not in given)), f"{command.name} takes no {more}"
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and isinstance(given.get(parameter.name or ""), str):
            parameter.type.convert(given[parameter.name or ""], parameter, context)


def require_settings(settings: list[str]) -> None:
    """Raises an error for a --set whose option does not exist, or does not take the value."""
    from pipeline.runs.config import SECTIONS
    from pipeline.runs.config_loading import load_config
    from pipeline.runs.option_names import full_name, is_known

    named, valued = [], []
    for text in settings:
        name, equals, value = text.partition("=")
        section, _, option = full_name(name).partition(".")
        if not PLACEHOLDER.match(name):
            assert equals and section in SECTIONS and is_known(section, option), f"unknown option {name}"
            named.append(text)
            valued += [] if PLACEHOLDER.match(value) else [text]
    try:
        load_config("demo", tuple(named))  # an option may need another one whose value is the user's
    except UserError:
        load_config("demo", tuple(valued))


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Texts of a program with their lines. In an f-string X stands for a value, NAME=X for assigned("NAME", ...)."""
    tree = ast.parse(source)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in ast.walk(node) if part is not node}
            yield node.lineno, "".join(_shown(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | documents:
            yield node.lineno, node.value


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    call = part.value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "assigned":
        (name, *_) = call.args
        return f"{name.value if isinstance(name, ast.Constant) else 'X'}=X"
    return "X"
