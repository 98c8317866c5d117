"""Drives the studio's page in headless Chromium; see scripts/studio-check."""

import argparse
import contextlib
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Page, expect, sync_playwright

FRAME = (640, 480)
PHOTO = (340, 340)  # of the frame: somebody at arm's length
FRAMES_PER_PHOTO = 8
HOSTILE = "<img src=x onerror=alert(1)>"
# Two people of celeb5; the first photos are recorded, the others recognised.
PEOPLE = {"Ben": "ben_afflek", "Mindy": "mindy_kaling"}
RECORDED = range(0, 6)
SECOND_TIME = range(6, 9)
NEW = range(9, 13)


def video(photos, path):
    """Writes photos as a film, each shown for a while, of the kind that Chromium's fake camera plays."""
    with open(path, "wb") as film:
        for photo in photos:
            picture = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
            picture = ImageOps.contain(picture, PHOTO)
            whole = Image.new("RGB", FRAME, (60, 70, 80))
            whole.paste(picture, ((FRAME[0] - picture.width) // 2, (FRAME[1] - picture.height) // 2))
            frame = io.BytesIO()
            whole.save(frame, "JPEG", quality=92)
            film.write(frame.getvalue() * FRAMES_PER_PHOTO)


class Films:
    """The films of each person, and the file that the camera plays."""

    def __init__(self, folder, data):
        self.playing = folder / "camera.mjpeg"
        self.films = {}
        for name, person in PEOPLE.items():
            photos = sorted((data / "photos" / "celeb5" / person).iterdir())
            for part, which in [("recorded", RECORDED), ("second", SECOND_TIME), ("new", NEW)]:
                path = folder / f"{name}-{part}.mjpeg"
                video([photos[at] for at in which], path)
                self.films[name, part] = path
        self.insert("Ben", "recorded")

    def insert(self, name, part):
        shutil.copy(self.films[name, part], self.playing)


def turn(page: Page, on: bool):
    button = page.locator("#camera")
    if (button.text_content() == "Turn camera off") != on:
        button.click()
    expect(button).to_have_text("Turn camera off" if on else "Turn camera on")
    if on:
        expect(page.locator("#numbers")).to_contain_text("frames/s", timeout=60_000)


def faces(page: Page, name) -> int:
    card = page.locator(".card", has=page.locator(f'input[aria-label="Name of {name}"]'))
    return card.locator(".faces li").count()


def hold(page: Page, name, wanted, keyboard=False):
    """Holds the button until there are so many more faces."""
    button = page.get_by_role("button", name=f"Hold to record {name}", exact=True)
    before = faces(page, name)
    if keyboard:
        button.focus()
        page.keyboard.down("Space")
    else:
        button.hover()
        page.mouse.down()
    end = time.monotonic() + 120
    while faces(page, name) < before + wanted and time.monotonic() < end:
        expect(button).to_have_attribute("aria-pressed", "true")
        page.wait_for_timeout(200)
    page.keyboard.up("Space") if keyboard else page.mouse.up()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(700)
    after = faces(page, name)
    page.wait_for_timeout(700)
    assert after >= before + wanted, f"{after - before} faces recorded of {name}"
    assert faces(page, name) == after, "faces come after the button was let go"
    return after


def recording_ends_with_its_error(page: Page, name, projects):
    """Where a face cannot be kept, the button says that nobody is recorded any more."""
    (there,) = projects.glob("*/faces")
    away = there.rename(there.with_name("away"))
    turn(page, True)
    button = page.get_by_role("button", name=f"Hold to record {name}", exact=True)
    button.click()  # a short press records until the next one
    expect(page.locator("#said")).to_contain_text("/faces/", timeout=60_000)
    expect(button).to_have_attribute("aria-pressed", "false")
    away.rename(there)
    turn(page, False)


def train(page: Page):
    button = page.locator("#train")
    expect(button).to_be_enabled()
    button.click()
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#model")).to_be_visible(timeout=240_000)
    return page.locator("#result").text_content()


def recognised(page: Page, films: Films, name):
    """Plays photos that were not learned until each answer was seen, and returns the share of the right ones."""
    turn(page, False)
    films.insert(name, "new")
    turn(page, True)
    expect(page.locator("#seen .who").first).to_have_text(name, timeout=60_000)
    seen = []
    for _ in range(40):
        seen += page.locator("#seen .who").all_text_contents()
        page.wait_for_timeout(150)
    others = [other for other in PEOPLE if other != name]
    assert not any(other in seen for other in others), f"{name} was taken for somebody else: {set(seen)}"
    return seen.count(name) / len(seen)


def no_overflow(page: Page):
    width, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= there, f"the page is {width} pixels wide in a window of {there}"


def pictures(page: Page, folder):
    for name, width, height in [("desktop", 1440, 900), ("phone", 390, 844)]:
        for scheme in ["light", "dark"]:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(800)
            no_overflow(page)
            if folder:
                page.screenshot(path=folder / f"studio-{name}-{scheme}.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


def download(page: Page, label, folder) -> Path:
    with page.expect_download(timeout=60_000) as started:
        page.get_by_role("button", name=label).click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


@contextlib.contextmanager
def studio(program, folder):
    command = [program, "studio", "--no-open", "--folder", folder / "projects", "--adapter", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        lines = iter(process.stdout.readline, "")
        address = next(line.split()[1] for line in lines if line.startswith("studio: "))
        yield process, address
    finally:
        process.terminate()
        code = process.wait(timeout=60)
    assert code == 0, f"the studio ended with {code}"


def drive(arguments, folder):
    films = Films(folder, arguments.data)
    took, problems = [], []
    with studio(arguments.program, folder) as (process, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=arguments.chromium,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={films.playing}",
            ],
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
        page = context.new_page()
        host = address.split("/")[2]

        def requested(request):
            if request.url.split("/")[2] != host and not request.url.startswith("blob:"):
                problems.append(f"a request to {request.url}")

        def received(message):
            event = json.loads(message) if isinstance(message, str) else {}
            if event.get("event") == "frame" and event["faces"]:
                took.append(event["took"])

        page.on("request", requested)
        page.on("console", lambda line: line.type in ("error", "warning") and problems.append(line.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        page.on("websocket", lambda socket: socket.on("framereceived", received))

        page.goto(address)
        token = address.split("#")[1]
        expect(page.locator("#device")).not_to_be_empty()
        assert token not in page.url, "the token stays in the address bar"
        expect(page.locator("#train")).to_be_disabled()

        # Names are text.
        page.locator("#new-name").fill(HOSTILE)
        page.keyboard.press("Enter")
        expect(page.locator(".card .name")).to_have_value(HOSTILE)
        page.get_by_role("button", name=f"Remove {HOSTILE}").click()
        expect(page.locator(".card")).to_have_count(0)

        for name in PEOPLE:
            page.locator("#new-name").fill(name)
            page.get_by_role("button", name="Add person").click()
            expect(page.locator(f'.card input[aria-label="Name of {name}"]')).to_have_value(name)
        counts = {}
        for name in PEOPLE:
            films.insert(name, "recorded")
            turn(page, True)
            counts[name] = hold(page, name, 8)
            turn(page, False)
        first = train(page)
        assert "record each person a second time" in first, first

        # A second recording lets it be judged.
        for name in PEOPLE:
            films.insert(name, "second")
            turn(page, True)
            counts[name] = hold(page, name, 4, keyboard=True)
            turn(page, False)
        expect(page.locator("#stale")).to_be_visible()
        second = train(page)
        assert "Right on faces it had not seen" in second, second

        recording_ends_with_its_error(page, "Ben", folder / "projects")

        # Photos from files; one that is none is named, the others are kept.
        photos = sorted((arguments.data / "photos" / "celeb5" / PEOPLE["Ben"]).iterdir())[:2]
        broken = folder / "broken.jpg"
        broken.write_bytes(photos[0].read_bytes()[:3000])
        page.locator(".card .files").first.set_input_files([photos[0], broken, photos[1]])
        expect(page.locator("#said")).to_contain_text("2 of 3 photos added", timeout=30_000)
        expect(page.locator("#said")).to_contain_text("broken.jpg: ")
        counts["Ben"] += 2

        # Photos dropped on a card.
        page.locator(".card").last.evaluate(
            """(card, bytes) => {
                const dropped = new DataTransfer();
                dropped.items.add(new File([new Uint8Array(bytes)], "dropped.jpg"));
                card.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
            }""",
            list(sorted((arguments.data / "photos" / "celeb5" / PEOPLE["Mindy"]).iterdir())[0].read_bytes()),
        )
        counts["Mindy"] += 1
        expect(page.locator(".card").last.locator(".faces li")).to_have_count(counts["Mindy"], timeout=30_000)

        # A face that was removed is gone.
        page.get_by_role("button", name="Remove face").first.click()
        counts["Ben"] -= 1
        expect(page.locator(".card").first.locator(".faces li")).to_have_count(counts["Ben"])

        shares = {name: recognised(page, films, name) for name in PEOPLE}
        pictures(page, arguments.pictures)
        if arguments.frames:
            took.clear()
            while len(took) < arguments.frames:
                page.wait_for_timeout(500)

        # Everything is there again after a reload, and in another run of the program.
        page.reload()
        expect(page.locator(".card")).to_have_count(2)
        expect(page.locator("#model")).to_be_visible()
        assert {name: faces(page, name) for name in PEOPLE} == counts
        loaded = page.evaluate("[...document.querySelectorAll('.faces img')].every((i) => i.complete && i.naturalWidth > 0)")
        assert loaded, "a small picture is missing"

        model = download(page, "Save model", folder)
        report = download(page, "Save report", folder)
        dataset = download(page, "Save faces", folder)
        assert "<title>" in report.read_text() and dataset.read_bytes()[:2] == b"PK"
        photo = sorted((arguments.data / "photos" / "celeb5" / PEOPLE["Mindy"]).iterdir())[NEW[0]]
        answer = subprocess.run(
            [arguments.program, "predict", model, photo, "--json", "--adapter", "cpu"],
            capture_output=True, text=True, check=True,
        )
        assert json.loads(answer.stdout)[0]["faces"][0]["name"] == "Mindy", answer.stdout

        # A network with epochs is watched while it learns.
        page.locator("#training summary").click()
        page.locator("#network").select_option("scratch")
        page.locator("#epochs").fill("3")
        page.locator("#train").click()
        expect(page.locator("#curves svg")).to_have_count(2, timeout=120_000)
        expect(page.locator("#progress-text")).to_contain_text("Epoch")
        expect(page.locator("#model")).to_be_visible(timeout=240_000)
        expect(page.locator("#result")).to_contain_text("From scratch")
        assert len(page.locator("#curves polyline").first.get_attribute("points").split()) == 3
        no_overflow(page)
        if arguments.pictures:
            page.screenshot(path=arguments.pictures / "studio-curves.png")

        # A page without the token gets nothing, another window takes over.
        stranger = context.new_page()
        stranger.goto(address.split("#")[0])
        expect(stranger.locator("#said")).to_contain_text("Open the address that the terminal shows")
        stranger.close()
        other = context.new_page()
        other.goto(address)
        expect(other.locator(".card")).to_have_count(2)
        expect(page.locator("#said")).to_contain_text("another window", timeout=15_000)
        other.close()
        browser.close()
    with studio(arguments.program, folder) as (process, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        expect(page.locator(".card")).to_have_count(2)
        expect(page.locator("#model")).to_be_visible()
        browser.close()
    assert not problems, "\n".join(problems)
    print("faces recorded:", ", ".join(f"{name} {count}" for name, count in counts.items()))
    print("judged:", second)
    print("right before the camera, photos it never saw:", ", ".join(f"{n} {s:.0%}" for n, s in shares.items()))
    if arguments.frames:
        rank = sorted(took)
        print(f"{len(rank)} frames with a face, from received to names sent: median {statistics.median(rank):.1f} ms, "
              f"99th percentile {rank[int(0.99 * (len(rank) - 1))]:.1f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("chromium")
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--frames", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        drive(arguments, Path(folder))
    print("the studio's page works")


sys.exit(main())
