"""Configuration files: presets and TOML files -> one Config.

No torch. A configuration file has the sections [danet], [masks], [model], [loss], [schedule], [train], [eval]. It can
start from a preset with `base = "paper"`. A stamp.json stands for the file that its stage was made with. `--set
section.field=value` on the command line overrides all of them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, did_you_mean
from pipeline.io.build import build, fields_of
from pipeline.io.text import parse_toml, read_json, read_toml
from pipeline.runs.config import SECTIONS, Config, Runtime
from pipeline.runs.layout import STAMP
from pipeline.runs.option_names import SECTION_ALIASES, current_name, is_known, nearest_option, nearest_section
from pipeline.runs.override_value import override_value

PRESET_DIR = Path(__file__).parent / "presets"
Sections = dict[str, dict[str, object]]


def presets() -> list[str]:
    return sorted(path.stem for path in PRESET_DIR.glob("*.toml"))


def load_config(name: str, overrides: tuple[str, ...] = (), runtime: Runtime | None = None) -> Config:
    """Configuration of a preset or TOML file, with overrides.

    name: of a preset, or path of a TOML file or of a stamp. overrides: `section.field=value`. Raises UserError for an
    unknown preset, section or option (with the nearest known one), and for a value out of range.
    """
    sections = read_sections(name)
    given: dict[str, str] = {}  # option -> its override
    for text in overrides:
        given[_override(sections, text)] = f"--set {text}"
    built = {section: _build(section, values, name, given) for section, values in sections.items()}
    return dataclasses.replace(Config(**built), runtime=runtime or Runtime())


def file_text(path: Path) -> str:
    """Configuration that a stamp records, as the text of a file.

    Raises OSError and ValueError for a stamp that cannot be read or records none.
    """
    try:
        command = read_json(path)["command"]
        text = command["config_text"] or f'base = "{command["config"]}"'
    except (KeyError, TypeError) as error:
        raise ValueError("it records no configuration") from error
    return str(text)


def read_sections(name: str, readers: tuple[str, ...] = ()) -> Sections:
    """Sections of a preset or file, and of its base.

    readers: the files whose base this is. Raises UserError as `load_config` does.
    """
    stamped = Path(name).name == STAMP
    path = Path(name) if name.endswith(".toml") or stamped else PRESET_DIR / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"no configuration '{name}'",
            f"{did_you_mean(name, presets())}Known presets: {', '.join(presets())}; or give the path of a .toml file.",
        )
    try:
        table = parse_toml(file_text(path)) if stamped else read_toml(path)
    except ValueError as error:
        raise UserError(
            f"{path} is not TOML: {error}", 'Correct that line, or start from a preset: base = "paper".'
        ) from error
    base = table.pop("base", "")
    if not isinstance(base, str) or name in readers:
        raise UserError(
            f"{path}: base = {base!r} is no preset and no other file", f"Start from a preset: {', '.join(presets())}."
        )
    sections = read_sections(base, (*readers, name)) if base else {}
    for given, values in table.items():
        section = SECTION_ALIASES.get(given, given)
        if section not in SECTIONS or not isinstance(values, dict):
            raise _unknown_section(given, str(path), isinstance(values, dict))
        for key, value in values.items():
            sections.setdefault(section, {})[_known(section, key, str(path))] = value
    return sections


def _override(sections: Sections, text: str) -> str:
    """Write an override `section.field=value` into the sections; returns the option, as section.name."""
    key, equals, value = (word.strip() for word in text.partition("="))
    given, dot, name = key.partition(".")
    section = SECTION_ALIASES.get(given, given)
    if section not in SECTIONS:
        raise _unknown_section(key if dot else given, f"--set {text}", table=False)
    if not equals or not dot or not name:
        raise UserError(f"--set {text}: not of the form section.field=value", "Write for example: --set eval.tau=0.2")
    name = _known(section, name, f"--set {text}")
    target = sections.setdefault(section, {})
    table, dot, own = name.partition(".")
    parsed = override_value(Any if dot else fields_of(SECTIONS[section])[name], value)
    if dot:
        earlier = target.get(table)
        target[table] = {**(earlier if isinstance(earlier, dict) else {}), own: parsed}
    else:
        target[name] = parsed
    return f"{section}.{table}"


def _known(section: str, key: str, where: str) -> str:
    """Current name of an option. Raises UserError for an unknown one, with the nearest known one of any section."""
    name = current_name(section, key)
    if is_known(section, name):
        return name
    meant = nearest_option(f"{section}.{key}")
    known = f"Known in [{section}]: {', '.join(sorted(fields_of(SECTIONS[section])))}."
    remedy = f"Did you mean {meant}?" if meant else known
    raise UserError(f"{where}: unknown option {section}.{key}", f"{remedy} See: sorn options {section}")


def _unknown_section(given: str, where: str, table: bool) -> UserError:
    """Error for an unknown section. given: a section, or an option without one. table: whether it has options."""
    section, dot, name = given.partition(".")
    meant = nearest_section(section) if table else nearest_option(given)
    if not table and not meant and nearest_section(section):
        meant = nearest_section(section) + dot + name
    kind = "section" if table or dot else "option"
    remedy = f"Did you mean {meant}? " if meant else ""
    return UserError(
        f"{where}: unknown {kind} '{section}'", f"{remedy}Sections: {', '.join(SECTIONS)}; see: sorn options"
    )


def _build(section: str, values: dict[str, object], source: str, given: dict[str, str]) -> Any:
    """Dataclass of a section. An error in a value of an override names the override, not the file."""
    remedy = f"Change [{section}] there, or override it with --set; see: sorn options {section}"
    try:
        return build(SECTIONS[section], values, source, prefix=f"{section}.", remedy=remedy)
    except UserError as error:
        option = error.wrong.removeprefix(f"{source}: ").partition(" = ")[0].partition("[")[0]
        if option not in given:
            raise
        wrong = error.wrong.removeprefix(f"{source}: ")
        raise UserError(f"{given[option]}: {wrong}", f"See what it takes: sorn options {option}") from error
