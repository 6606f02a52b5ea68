#!/usr/bin/env python3
"""Renders report.html in a real browser, without a window, and checks what only a browser knows.

    tests/render_report.py [--keep FOLDER] RUN/report.html ..

At the width of a desk and of a phone: nothing is wider than the page, every picture is decoded, nothing is fetched, the picture is
not blank; as a PDF: it prints. FOLDER keeps the pictures. The browser is $CHROMIUM, or a Chromium or Chrome on the path; without
one nothing is checked, and that is said.
"""

import argparse
import html
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTHS = {"desk": 1280, "tablet": 768, "phone": 360}
HEIGHT = 2400

# what the page is asked, from a page around it: it runs no script itself
PROBE = """<!doctype html><title>probe</title><body style="margin:0"><script>
const found = {};
let left = 0;
for (const [name, width] of Object.entries(WIDTHS)) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:800px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    const wide = [...page.querySelectorAll("body *")].filter(e =>
      !e.closest(".scroll, pre, .hidden") && e.getBoundingClientRect().right > width + 1);
    found[name] = {
      scroll: root.scrollWidth, client: root.clientWidth, text: page.body.innerText.length,
      wide: wide.slice(0, 5).map(e => e.tagName + "." + (e.getAttribute("class") || "")),
      broken: [...page.images].filter(i => !i.complete || i.naturalWidth == 0).length,
      images: page.images.length, charts: page.querySelectorAll("svg").length,
      fetched: frame.contentWindow.performance.getEntriesByType("resource").map(r => r.name)
        .filter(n => !n.startsWith("data:")),
    };
    if (--left == 0) {
      const out = document.createElement("pre");
      out.id = "found";
      out.textContent = JSON.stringify(found);
      document.body.replaceChildren(out);
    }
  };
  left += 1;
  frame.src = PAGE;
  document.body.append(frame);
}
</script>"""


def browser():
    """The browser's command, if there is one."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def run(command, profile, *arguments):
    """Starts the browser with an empty profile, no network, and these arguments."""
    base = [
        command, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        "--allow-file-access-from-files", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
    ]
    return subprocess.run(base + list(arguments), capture_output=True, text=True, timeout=120, check=False).stdout


def colours(png):
    """How many different bytes a PNG file's pixels have: a blank picture has hardly any."""
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    return len(set(zlib.decompress(data)))


def check(command, page, keep):
    """What is wrong with a page, in sentences."""
    faults = []
    url = page.resolve().as_uri()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        profile = folder / "profile"
        probe = folder / "probe.html"
        probe.write_text(PROBE.replace("WIDTHS", json.dumps(WIDTHS)).replace("PAGE", json.dumps(url)))
        dom = run(command, profile, "--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom", probe.as_uri())
        answer = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
        if not answer:
            return ["the browser did not render the page"]
        for name, found in json.loads(html.unescape(answer[1])).items():
            if found["scroll"] > found["client"] or found["wide"]:
                faults.append(f"{name}: {found['scroll']} wide on {found['client']}: {found['wide']}")
            if found["broken"]:
                faults.append(f"{name}: {found['broken']} of {found['images']} pictures are broken")
            if found["fetched"]:
                faults.append(f"{name}: fetched {found['fetched']}")
            if found["text"] < 500:
                faults.append(f"{name}: hardly any text")
            print(f"  {name}: {found['text']} characters, {found['charts']} charts, {found['images']} images")
        shots = pathlib.Path(keep) if keep else folder
        shots.mkdir(parents=True, exist_ok=True)
        for name, width in WIDTHS.items():
            frame = folder / f"{name}.html"
            style = f"width:{width}px;height:{HEIGHT}px;border:0"
            frame.write_text(f'<!doctype html><body style="margin:0"><iframe src="{url}" style="{style}"></iframe>')
            shot = shots / f"{name}.png"
            size = f"--window-size={max(width, 500)},{HEIGHT}"
            run(command, profile, size, f"--screenshot={shot}", frame.as_uri())
            if not shot.exists() or colours(shot.read_bytes()) < 40:
                faults.append(f"{name}: the picture is blank")
        printed = shots / "print.pdf"
        run(command, profile, "--no-pdf-header-footer", f"--print-to-pdf={printed}", url)
        if not printed.exists() or printed.stat().st_size < 10_000:
            faults.append("print: the PDF is empty")
    return faults


def main():
    """Checks every page named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--keep", help="a folder for the pictures (of the last page)")
    arguments = parser.parse_args()
    command = browser()
    if command is None:
        print("no Chromium or Chrome found ($CHROMIUM names one): nothing is checked")
        return 0
    faults = []
    for page in arguments.pages:
        print(page)
        found = check(command, page, arguments.keep)
        faults += found
        for fault in found:
            print(f"  FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
