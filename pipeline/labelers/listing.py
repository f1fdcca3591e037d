"""Lists of labelers and keypoint finders, with their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.labelers import registry
from pipeline.labelers.registry import Plugin, PluginKind


@dataclass(frozen=True)
class Listed:
    """One line of a list of plug-ins.

    package: "" for a built-in one. about: a sentence. options: with their defaults. wrong: why it cannot be used, or
    "".
    """

    name: str
    package: str
    about: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    wrong: str = ""


def list_built_in(kind: PluginKind) -> list[Listed]:
    """Built-in plug-ins. Imports them."""
    return [listed(Plugin(kind, name, target)) for name, target in sorted(kind.built_in.items())]


def list_outside(kind: PluginKind) -> list[Listed]:
    """Plug-ins of entry points; imports them.

    Those that cannot be used are in the list with the reason.
    """
    found = []
    for name in registry.outside_names(kind):
        try:
            found.append(listed(registry.find_outside(kind, name)))
        except UserError as error:
            found.append(Listed(name, registry.packages_of(registry.claims(kind, name)), wrong=str(error)))
    return found


def listed(plugin: Plugin) -> Listed:
    """One plug-in as a line of the list; imports it.

    Raises UserError for one that cannot be used.
    """
    kind, module = plugin.implementation, plugin.module
    text = module.__doc__ if plugin.built_in else kind.__doc__ or module.__doc__
    options = [
        value
        for key, value in vars(module).items()
        if key.endswith("Options") and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
    ]
    defaults = {field.name: _default(field) for field in dataclasses.fields(options[0])} if len(options) == 1 else {}
    return Listed(plugin.name, plugin.package, (text or "").strip().partition("\n")[0], defaults)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()
