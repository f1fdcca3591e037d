"""Options of a bank, which its queries share."""

from __future__ import annotations

import dataclasses
import re

from pipeline.errors import UserError
from pipeline.features.embedding import Embedder
from pipeline.features.mapped import MappedBank
from pipeline.io.text import parse_json
from pipeline.runs.config import EVAL_PRECISIONS
from pipeline.runs.stored_options import read_model

EVALUATED = {
    "adapt_norms": "norms that were adapted to its gallery",
    "place": "pictures that were put where the parts in them belong",
}
# Options of an evaluation that search does not have for its queries.


def as_bank(embedder: Embedder, mapped: MappedBank, flip: bool) -> Embedder:
    """Embedder with precision, batch size and flips of a bank.

    flip: whether flips are asked for. Raises UserError for a bank of another network or of another precision than the
    embedder asks for, without the flips asked for, and with norms adapted to its gallery.
    """
    precision, most = _precision(mapped, embedder), _most(mapped, embedder)
    if embedder.precision not in ("auto", precision):
        wrong = f"{mapped.path} holds features in {precision}, not in {embedder.precision}"
        raise UserError(wrong, f"Leave --precision out, or embed the pictures again, with {embedder.precision}.")
    found = dataclasses.replace(embedder, precision=precision, most=most, flip=_flip(mapped, flip))
    if found.int8 and parse_json(mapped.attrs["config"]).get("int8") != found.int8.record.digest:
        wrong = f"{mapped.path} holds features of another int8 network than {found.int8.graph}"
        raise UserError(wrong, "Embed the pictures again; of an evaluation, with ARGS=--force.")
    return found


def other_network(mapped: MappedBank, content: str) -> UserError:
    """Error for a bank that does not fit the network."""
    remedy = "Name the model that made it, or embed the pictures again with this one: sorn embed."
    return UserError(f"{mapped.path} holds {content}", remedy)


def _precision(mapped: MappedBank, embedder: Embedder) -> str:
    """Precision of the bank, in which queries are computed too. Raises UserError for a bank of another network."""
    if mapped.attrs.get("checkpoint_sha256") != embedder.sha256:
        raise other_network(mapped, f"features of another checkpoint than {embedder.weights}")
    try:
        made = parse_json(mapped.attrs["config"])
        same = read_model(made["model"]) == embedder.about.model
        precision, size = str(made["precision"]), parse_json(mapped.attrs.get("image_size", "null"))
    except (KeyError, ValueError, TypeError) as error:
        raise other_network(mapped, f"features of a network that its attributes do not describe ({error})") from error
    if not same or precision not in EVAL_PRECISIONS[1:]:
        raise other_network(mapped, f"features of another configuration than {embedder.weights.parent} describes")
    if size and tuple(size) != embedder.image_size:
        raise other_network(mapped, f"features of images of {size[0]}x{size[1]}, not {embedder.image_size}")
    return precision


def _flip(mapped: MappedBank, asked: bool) -> bool:
    """Whether the bank's features are averaged with those of mirror images; then those of queries are too.

    Raises UserError where that is asked of a bank without, and for EVALUATED.
    """
    made = parse_json(mapped.attrs["config"])
    for option, what in EVALUATED.items():
        if made.get(option) is True:  # with place = "either" the gallery is as it is
            wrong = f"{mapped.path} holds features of {what} (eval.{option})"
            raise UserError(wrong, "Evaluate without that option, or give the folder of the pictures.")
    if asked and not made.get("flip"):
        wrong = f"{mapped.path} holds features without those of mirror images, which --flip asks for"
        raise UserError(wrong, "Leave --flip out, or embed the pictures again: sorn embed FOLDER --model MODEL --flip.")
    return bool(made.get("flip"))


def _most(mapped: MappedBank, embedder: Embedder) -> int:
    """Largest number of images per forward pass of the bank; with another number the last bits of features differ.

    Banks of older builds and of evaluations do not record it: then it is that of `embedder`.
    """
    size = mapped.attrs.get("batch_size", str(embedder.most))
    if not re.fullmatch("[1-9][0-9]{0,5}", size):
        raise other_network(mapped, f"features of batches of {size} images")
    return int(size)
