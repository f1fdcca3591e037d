"""search.html: the numbers of search.json, sound in a browser, obeying no name."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from browser import SCHEMES, look, needs_browser, require_sound
from markupsafe import escape
from searches import HOSTILE, run


def test_the_page_shows_the_numbers_of_the_json_and_obeys_no_name(tmp_path, folder, model, kept):
    queries = ["--query", folder / HOSTILE, folder / "<b>" / "01.png"]
    run("search", "--model", model, "--gallery", kept, *queries, "--out", tmp_path, "--top", 30)
    page, found = (tmp_path / "search.html").read_text(), json.loads((tmp_path / "search.json").read_text())
    assert [query["query"] for query in found["queries"]] == [str(folder / HOSTILE), str(folder / "<b>" / "01.png")]
    sections = page.split("<section>")[1:]
    for section, query in zip(sections, found["queries"], strict=True):
        between = r"(?:<div class=.small.>.*?</div>\s*)*"  # its rate, and whether it is the query's own picture
        pattern = rf"<div>(\d+)\. <b>(-?[\d.]+)</b></div>\s*{between}<table>(.*?)</table>\s*<div[^>]*>(.*?)</div>"
        shown = re.findall(pattern, section, re.DOTALL)
        assert len(shown) == len(query["hits"]) == 30
        for (rank, similarity, rows, name), hit in zip(shown, query["hits"], strict=True):
            assert int(rank) == hit["rank"] and similarity == f"{hit['similarity']:.3f}"
            assert html.unescape(name) == hit["name"] and Path(hit["path"]) == folder / hit["name"]
            values = re.findall(r'class="number">(.*?)<', rows)
            both = [a and b for a, b in zip(query["visible"], hit["visible"], strict=True)]
            stripes = [f"{s:.3f}" if seen else "hidden" for s, seen in zip(hit["stripes"], both, strict=True)]
            assert values == [f"{hit['global']:.3f}", *stripes]
        assert section.count("data:image/jpeg;base64,") == 30 + 2 and "picture not found" not in section
    assert "<img src=x" not in page and "<b>/" not in page and escape(HOSTILE) in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # opens from disk, without a network


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_sound_in_a_browser(tmp_path, folder, model, kept, scheme):
    run("search", "--model", model, "--gallery", kept, "--query", folder / HOSTILE, "--out", tmp_path, "--top", 30)
    require_sound(look(tmp_path, (tmp_path / "search.html").read_text(), scheme))


def test_pictures_that_are_gone_leave_a_word_and_can_be_found_elsewhere(tmp_path, folder, model, kept):
    query = folder / "<b>" / "02.png"
    (tmp_path / "empty").mkdir()
    words = ["search", "--model", model, "--gallery", kept, "--query", query, "--out", tmp_path, "--top", 4]
    run(*words, "--pictures", tmp_path / "empty")
    assert (tmp_path / "search.html").read_text().count("picture not found") == 4
    (tmp_path / "moved").symlink_to(folder)
    run(*words, "--pictures", tmp_path / "moved")
    assert "picture not found" not in (tmp_path / "search.html").read_text()


CLICK = """<script>
document.querySelector("button.enlarge").click();
const seen = { open: document.getElementById("large").open, same: document.querySelector("dialog img").src ===
  document.querySelector("button.enlarge img").src };
document.getElementById("large").click();
seen.closed = !document.getElementById("large").open;
</script>"""


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_click_enlarges_a_picture(tmp_path, model, folder, kept, scheme):
    run("search", "--model", model, "--gallery", kept, "--query", folder / "<b>" / "05.png", "--out", tmp_path)
    seen = look(tmp_path, (tmp_path / "search.html").read_text(), scheme, CLICK)
    require_sound(seen)
    assert all(seen[width][key] for width in ("390", "1280") for key in ("open", "same", "closed"))
