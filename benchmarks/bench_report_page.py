"""Time of report.html in a browser: opening the page from disk, and the ranked lists of single queries.

    python benchmarks/bench_report_page.py runs/synped-danet/eval --queries 50

Needs chromium and a finished evaluation; without them nothing is measured. The page measures itself in real time and
tells a server of this program.
"""

from __future__ import annotations

import argparse
import http.server
import json
import shutil
import statistics
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from report import emit

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MEASURE = """<script>
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
addEventListener("load", async () => {
  await painted();
  const opened = performance.now(), one = document.getElementById("one"), shown = [];
  const buttons = () => [...document.querySelectorAll("#queries tbody button")];
  document.getElementById("more").click();
  const all = buttons(), step = Math.max(1, Math.floor(all.length / COUNT));
  for (let i = 0; i < all.length && shown.length < COUNT; i += step) {
    const start = performance.now();
    all[i].click();
    while (!one.dataset.ready) await new Promise((done) => setTimeout(done, 1));
    const files = new Set([...one.querySelectorAll(".thumb")].map((thumb) => thumb.style.backgroundImage.slice(5, -2)));
    await Promise.all([...files].map((src) => Object.assign(new Image(), { src }).decode()));
    await painted();
    shown.push(performance.now() - start);
    one.querySelector('[data-at="close"]').click();
  }
  new Image().src = "http://127.0.0.1:PORT/?said=" + encodeURIComponent(JSON.stringify({ opened, shown }));
});
</script></body>"""


def lacking(folder: Path | None) -> str:
    """What is missing for a measurement, and the remedy; "" if nothing is."""
    if BROWSER is None:
        return "no chromium here: apt-get install chromium"
    if folder is None:
        return "no evaluation is named: python benchmarks/bench_report_page.py runs/synped_demo-danet/eval"
    if not (folder / "report.html").is_file() or not (folder / "lists").is_dir():
        return f"{folder} has no report.html with its folder lists/: name an evaluation that make eval has finished"
    return ""


def measure(folder: Path, queries: int) -> dict[str, list[float]]:
    """Milliseconds until the page was painted, and until each list was. folder: with report.html and lists."""
    assert BROWSER is not None
    said: dict[str, list[float]] = {}
    told = threading.Event()

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = parse_qs(urlsplit(self.path).query).get("said")
            if found:
                said.update(json.loads(found[0]))
                told.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = MEASURE.replace("COUNT", str(queries)).replace("PORT", str(server.server_port))
    page = folder / "measured.html"
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1280,900"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page.write_text((folder / "report.html").read_text(encoding="utf-8").replace("</body>", script))
        started = subprocess.Popen(
            [BROWSER, *options, f"--user-data-dir={profile}", page.absolute().as_uri()], stderr=subprocess.DEVNULL
        )
        try:
            if not told.wait(300):
                raise TimeoutError("the page told nothing in five minutes")
        finally:
            started.terminate()
            started.wait()
            page.unlink()
            server.shutdown()
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="an evaluation: the folder of report.html")
    parser.add_argument("--queries", type=int, default=50, help="lists that are opened")
    given = parser.parse_args()
    if missing := lacking(given.folder):
        print(missing)
        emit("report_page", {}, {})
        return
    said = measure(given.folder, given.queries)
    lists = sum(path.stat().st_size for path in (given.folder / "lists").iterdir())
    print(f"report.html {(given.folder / 'report.html').stat().st_size / 1e6:.2f} MB, lists/ {lists / 1e6:.2f} MB")
    print(f"page opened and painted: {said['opened']:.0f} ms")
    shown = sorted(said["shown"])
    print(
        f"{len(shown)} lists opened and painted: median {statistics.median(shown):.0f} ms, "
        f"95 % {shown[int(0.95 * (len(shown) - 1))]:.0f} ms, slowest {shown[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
