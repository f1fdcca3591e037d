"""The README's pictures from the outputs of `make demo`: the same outputs give the same bytes.

Run: make pictures    (which runs the demo first; the report's needs chromium, and stays as it is without)
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
QUALITY = 88  # of JPEG
VIEW, WIDTH = (1280, 2140), 900  # of the report: the window, and how wide it is drawn; pixels
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def save(image: Image.Image, path: Path) -> None:
    image.convert("RGB").save(path, quality=QUALITY, optimize=True)
    print(f"{path}: {image.width}x{image.height}, {path.stat().st_size / 1e3:.0f} kB")


def screenshot(browser: str, page: Path) -> Image.Image:
    """The top of a page as the browser shows it."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        size = f"--window-size={VIEW[0]},{VIEW[1]}"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            size,
            f"--user-data-dir={folder}",
        ]
        command = [browser, *options, f"--screenshot={shot}", page.resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if not shot.exists():
            sys.exit(f"{browser} drew no {page}:\n{done.stderr[-1000:]}")
        with Image.open(shot) as image:
            return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the demo's outputs are")
    parser.add_argument("--out", type=Path, default=HERE)
    given = parser.parse_args()
    demo = given.runs / "synped_demo-danet"
    sources = {
        "synped.jpg": given.runs / "synped_demo/data/contact-sheet.jpg",
        "labels.jpg": demo / "masks/pictures/labels.png",
    }
    report = demo / "eval/report.html"
    for source in (*sources.values(), report):
        if not source.exists():
            sys.exit(f"there is no {source}. Run `make demo` first.")
    for name, source in sources.items():
        with Image.open(source) as image:
            save(image, given.out / name)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        save(screenshot(browser, report), given.out / "report.jpg")
    else:
        print(f"no {', '.join(BROWSERS)}: report.jpg stays as it is")


if __name__ == "__main__":
    main()
