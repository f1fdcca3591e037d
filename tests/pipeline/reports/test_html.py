"""What HTML pages share: text stays text, tables keep their columns, pictures come back."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
from PIL import Image

from pipeline.reports import html


def test_text_is_never_markup() -> None:
    assert html.text("<b a='1' c=\"2\">&amp;") == "&lt;b a=&#x27;1&#x27; c=&quot;2&quot;&gt;&amp;amp;"


def test_embedded_json_cannot_end_its_element_and_comes_back() -> None:
    value = [["</script><script>x()</script>", "<!--", "&amp;", 'a"b', None, 0.5, "é\u2028"]]
    element = html.embedded_json("data", value)
    content = re.fullmatch(r'<script type="application/json" id="data">(.*)</script>', element, re.DOTALL)
    assert content is not None and not re.search("[<>&]", content[1])
    assert json.loads(content[1]) == value


def test_table_aligns_numbers_and_escapes_cells() -> None:
    found = html.table([["what", "%"], ["<x>", "1.0"]], label='a "b"')
    assert '<th scope="col">what</th><th scope="col" class="number">%</th>' in found
    assert '<td>&lt;x&gt;</td><td class="number">1.0</td>' in found and 'aria-label="a &quot;b&quot;"' in found


def test_a_picture_comes_back_at_the_height_asked_for() -> None:
    pixels = np.full((40, 20, 3), (200, 30, 60), np.uint8)
    kind, _, data = html.picture_uri(pixels, 80).partition(",")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert kind == "data:image/jpeg;base64" and image.format == "JPEG" and image.size == (40, 80)
        assert np.abs(np.asarray(image).astype(int) - (200, 30, 60)).max() < 6


def test_a_page_is_whole() -> None:
    page = html.page("A <b>", "<p>body</p>", ".x { color: red; }", "let y = 1 < 2;")
    assert page.startswith("<!doctype html>") and "<title>A &lt;b&gt;</title>" in page and '<html lang="en">' in page
    assert page.index(".x {") < page.index("<p>body</p>") < page.index("<script>let y = 1 < 2;</script>")
    assert "<script" not in html.page("A", "")
