"""Check of a plug-in's class against its protocol: attributes, methods, their parameters."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

CONSTRUCTOR = ("options", "source")
ATTRIBUTES = {"name": str, "version": int}


def require_protocol(found: type, protocol: type, title: str, file: Path, mend: str) -> None:
    """Raise UserError for a class that lacks what the protocol names.

    title, file, mend: of the plug-in, for the message.
    """
    for fault in (_abstract(found), *_attributes(found), *_methods(found, protocol), _constructor(found)):
        if fault:
            raise UserError(f"{title}: class {found.__name__} in {file} {fault}", mend)


def _abstract(found: type) -> str:
    missing: frozenset[str] = getattr(found, "__abstractmethods__", frozenset())
    return f"leaves abstract: {', '.join(sorted(missing))}" if missing else ""


def _attributes(found: type) -> list[str]:
    faults = []
    for name, kind in ATTRIBUTES.items():
        value = getattr(found, name, None)
        if value is None:
            faults.append(f"has no attribute {name} ({kind.__name__})")
        elif type(value) is not kind:
            faults.append(f"has {name} = {value!r}, which is not {kind.__name__}")
    return faults


def _methods(found: type, protocol: type) -> list[str]:
    wanted = {name: value for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"}
    return [_method(found, name, value) for name, value in wanted.items()]


def _method(found: type, name: str, wanted: Any) -> str:
    parameters = list(inspect.signature(wanted).parameters)
    asked = f"{name}({', '.join(parameters)})"
    method = getattr(found, name, None)
    if method is None or method is wanted:  # a subclass of the protocol inherits a method that does nothing
        return f"has no method {asked}"
    if not callable(method):
        return f"has '{name}', but it is no method: {asked} is expected"
    if isinstance(inspect.getattr_static(found, name), (staticmethod, classmethod)):
        parameters = parameters[1:]
    given = _unfit(method, parameters)
    return f"has the method {name}{given}, which cannot be called as {asked}" if given else ""


def _constructor(found: type) -> str:
    given = _unfit(found, CONSTRUCTOR)
    return f"is made with {given}, not with ({', '.join(CONSTRUCTOR)})" if given else ""


def _unfit(method: Any, parameters: Any) -> str:
    """Signature of what cannot be called with so many parameters; "" if it can."""
    try:
        signature = inspect.signature(method)
    except ValueError:  # of compiled code
        return ""
    try:
        signature.bind(*parameters)
    except TypeError:
        return str(signature)
    return ""
