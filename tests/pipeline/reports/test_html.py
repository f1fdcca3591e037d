"""What HTML pages share: text stays text, tables keep their columns, pictures come back."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from pipeline.reports import html
from pipeline.reports.evaluation.page import ReportPage
from pipeline.reports.evaluation.query_table import QueryTable
from pipeline.reports.html import Table, Thumbnail, environment, render

PAGE = ReportPage("A <b a='1'>", "p", "", [])


def macro(name: str, *values: object) -> str:
    return str(getattr(environment().get_template("macros.html.j2").module, name)(*values))


def test_text_is_never_markup() -> None:
    found = environment().from_string('<p title="{{ page }}">{{ page }}</p>').render(page="<b a='1' c=\"2\">&amp;")
    assert found.count("&lt;b a=&#39;1&#39; c=&#34;2&#34;&gt;&amp;amp;") == 2


def test_a_name_that_a_template_gets_wrong_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="titel"):
        environment().from_string("{{ page.titel }}").render(page=PAGE)


def test_embedded_json_cannot_end_its_element_and_comes_back() -> None:
    value = [["</script><script>x()</script>", "<!--", "&amp;", 'a"b', None, 0.5, "é\u2028"]]
    page = environment().get_template("report/query_table.html.j2").render(view=QueryTable([], value, "queries.csv"))
    content = re.search(r'<script type="application/json" id="queries-data">(.*)</script>', page, re.DOTALL)
    assert content is not None and not re.search("[<>&]", content[1])
    assert json.loads(content[1]) == value


def test_inline_code_and_notices_are_escaped() -> None:
    assert macro("inline", "see `a<b>`, <i>").strip() == "see <code>a&lt;b&gt;</code>, &lt;i&gt;"
    assert macro("notice", "<i>").strip() == '<p class="note"><b>Notice.</b> &lt;i&gt;</p>' and not macro("notice", "")


def test_table_aligns_numbers_and_escapes_cells() -> None:
    found = macro("table", Table([["what", "%"], ["<x>", "1.0"]], label='a "b"'))
    assert '<th scope="col">what</th><th scope="col" class="number">%</th>' in found
    assert '<td>&lt;x&gt;</td><td class="number">1.0</td>' in found and 'aria-label="a &#34;b&#34;"' in found


def test_a_picture_comes_back_at_the_height_asked_for() -> None:
    pixels = np.full((40, 20, 3), (200, 30, 60), np.uint8)
    kind, _, data = html.picture_uri(pixels, 80).partition(",")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert kind == "data:image/jpeg;base64" and image.format == "JPEG" and image.size == (40, 80)
        assert np.abs(np.asarray(image).astype(int) - (200, 30, 60)).max() < 6


def test_a_page_is_whole() -> None:
    page = render("report.html.j2", PAGE)
    assert page.startswith("<!doctype html>") and '<html lang="en">' in page
    assert "<title>A &lt;b a=&#39;1&#39;&gt;</title>" in page
    css, js = (Path(html.__file__).parent / "static" / name for name in ("report.css", "report.js"))
    assert css.read_text() in page and f"{js.read_text()}</script>" in page


def test_a_thumbnail_says_its_size() -> None:
    found = Thumbnail.of(np.zeros((40, 20, 3), np.uint8), 80, "<alt>")
    assert (found.width, found.height) == (40, 80)
    assert re.fullmatch(
        r'<img src="data:[^"]+" width="40" height="80" alt="&lt;alt&gt;">', macro("image", found).strip()
    )


@pytest.mark.parametrize(
    ("value", "text"), [(0.834, ".83"), (1.0, "1.00"), (-0.06, "−.06"), (-0.001, ".00"), (-1, "−1.00")]
)
def test_similarities_are_short(value: float, text: str) -> None:
    assert html.short(value) == text
