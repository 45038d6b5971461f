"""The app in a real browser, with the real embedded model: upload, ask, see the quote, move the threshold, leave feedback.

Needs the extra `koqas[app]`, Playwright and a Chromium (`CHROMIUM` names it; else /usr/bin/chromium). Screenshots are left
in runs/screenshots.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from conftest import ROOT

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium")]

MADE = ROOT / "tests" / "documents"
SHOTS = ROOT / "runs" / "screenshots"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
LIBRARY = "솔내도서관은 2011년 3월에 문을 열었다. 열람실은 200석이다. 매주 월요일에 쉰다."
HOSTILE = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'> 달콩분식의 떡볶이는 4,500원이다."
SEATS = "솔내도서관의 열람실은 몇 석인가?"


@pytest.fixture(scope="module")
def feedback(tmp_path_factory):
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
def address(feedback):
    """Start the app as its users do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "koqas.interface",
        "--port",
        str(port),
        "--feedback",
        str(feedback),
        "--largest",
        "1mb",
    ]
    app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert app.poll() is None
            try:
                urllib.request.urlopen(url).close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        yield url
    finally:
        app.terminate()
        app.wait(30)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser, address, size="desktop"):
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, locale="ko-KR")
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector("#kq-shelf summary")
    return page


def shot(name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS / f"{name}.png"


def upload(page, *paths):
    page.set_input_files("#kq-files input[type=file]", [str(p) for p in paths])


def ask(page, question):
    """Ask with the keyboard alone."""
    box = page.locator("#kq-ask-box textarea, #kq-ask-box input").first
    box.fill(question)
    box.press("Enter")


def set_threshold(page, value):
    number = page.locator("#kq-threshold input[type=number]")
    number.fill(str(value))
    number.press("Enter")


@pytest.mark.parametrize("size", list(SIZES))
def test_ask_see_the_quote_and_look(browser, address, size):
    page = opened(browser, address, size)
    ask(page, "한내신도시까지 가는 새 급행 버스를 타려면 요금이 얼마예요?")
    page.wait_for_selector("#kq-evidence-box mark strong:has-text('1,900원')")
    assert "1,900원" in page.locator(".kq-answer").inner_text()
    assert page.locator(".kq-summary").bounding_box()["y"] < page.locator(".kq-answer").bounding_box()["y"]
    page.locator(".kq-links a").first.click()
    assert page.evaluate("location.hash").startswith("#kq-quote-")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0] + 1, "wider than the screen"
    page.wait_for_timeout(800)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=shot(size), full_page=True)
    page.close()


def test_own_documents_threshold_history_and_language(browser, address, tmp_path):
    (tmp_path / "도서관.txt").write_text(LIBRARY)
    (tmp_path / "망가짐.txt").write_bytes(b"\0\1\2")
    page = opened(browser, address)
    upload(page, tmp_path / "도서관.txt", tmp_path / "망가짐.txt")
    page.wait_for_selector(".kq-problem:has-text('망가짐.txt')")
    assert "1개" in page.locator("#kq-shelf summary").inner_text()
    ask(page, SEATS)
    page.wait_for_selector(".kq-answer:has-text('200석')")
    page.wait_for_selector("#kq-evidence-box mark:has-text('열람실은 200석이다.')")
    set_threshold(page, 1)
    page.wait_for_selector(".kq-absent")
    assert page.locator("#kq-evidence-box mark").count() == 0
    set_threshold(page, 0)
    page.wait_for_selector(".kq-answer:has-text('200석')")
    ask(page, "달의 뒷면에는 무엇이 있는가?")
    page.wait_for_selector("#kq-history label:has-text('달의 뒷면')")
    page.locator("#kq-history label", has_text=SEATS).click()
    page.wait_for_selector(".kq-question:has-text('열람실')")
    page.get_by_text("English", exact=True).click()
    page.wait_for_selector("h1:has-text('Ask your documents')")
    page.wait_for_selector("#kq-answer-box h3:has-text('Answer')")
    page.close()


def test_a_hwpx_and_a_pdf_from_upload_to_the_dataset(browser, address, feedback):
    page = opened(browser, address)
    upload(page, MADE / "library.hwpx", MADE / "pool.pdf", MADE / "library_locked.hwp")
    page.wait_for_selector(".kq-problem:has-text('암호나 DRM이 걸린 HWP')")
    assert "2개" in page.locator("#kq-shelf summary").inner_text()
    ask(page, "책을 빌리는 기간은 며칠인가?")
    page.wait_for_selector(".kq-answer:has-text('14일')")
    page.wait_for_selector("#kq-evidence-box mark:has-text('빌리는 기간은 14일이다.')")
    page.wait_for_selector(".kq-links li:has-text('library.hwpx') small:has-text('제3조 2항')")
    ask(page, "초급반의 한 달 강습료는 얼마인가?")
    page.wait_for_selector(".kq-answer:has-text('48,000원')")
    page.wait_for_selector("#kq-evidence-box mark strong:has-text('48,000원')")
    page.wait_for_selector(".kq-links li:has-text('pool.pdf') small:has-text('강습, 2쪽')")
    page.screenshot(path=shot("files"), full_page=True)
    set_threshold(page, 1)
    page.wait_for_selector(".kq-absent")
    set_threshold(page, 0)
    page.wait_for_selector(".kq-answer:has-text('48,000원')")
    page.get_by_role("button", name="좋아요").click()
    page.wait_for_selector("#kq-thanks:has-text('저장했습니다')")
    rows = [json.loads(line) for p in feedback.glob("*.jsonl") for line in p.read_text().splitlines()]
    (row,) = [r for r in rows if "초급반" in r["question"]]
    assert row["vote"] == "up" and "48,000원" in row["chosen"] and "강습료는 48,000원" in row["context"]
    page.close()


def test_a_question_without_an_answer_says_so(browser, address):
    page = opened(browser, address)
    ask(page, "목성의 위성은 모두 몇 개인가?")
    page.wait_for_selector(".kq-absent:has-text('문서에 없습니다')")
    page.close()


def test_html_in_a_document_is_text(browser, address, tmp_path):
    (tmp_path / "분식<b>.md").write_text(HOSTILE)
    page = opened(browser, address)
    upload(page, tmp_path / "분식<b>.md")
    page.wait_for_selector("#kq-shelf summary:has-text('1개')")
    ask(page, "떡볶이는 얼마인가?")
    page.wait_for_selector("#kq-evidence-box mark")
    assert page.evaluate("window.broken") is None
    assert "<script>" in page.locator(".kq-source").inner_text()
    page.close()


def test_feedback_is_found_in_the_dataset(browser, address, feedback):
    page = opened(browser, address)
    ask(page, "한내신도시까지 가는 새 급행 버스를 타려면 요금이 얼마예요?")
    page.wait_for_selector("#kq-evidence-box mark")
    page.get_by_role("button", name="아니에요").click()
    page.wait_for_selector("#kq-thanks:has-text('저장했습니다')")
    page.locator("#kq-better textarea, #kq-better input").first.fill("급행 7번은 1,900원입니다. 문의 010-1234-5678")
    page.get_by_role("button", name="답 남기기").click()
    page.wait_for_selector("#kq-thanks:has-text('고맙습니다')")
    rows = [json.loads(line) for p in feedback.glob("*.jsonl") for line in p.read_text().splitlines()]
    rows = [r for r in rows if "급행" in r["question"]]
    assert [r["vote"] for r in rows] == ["down", "better"]
    assert rows[1]["chosen"] == "급행 7번은 1,900원입니다. 문의 [전화번호1]" and "1,900원" in rows[1]["rejected"]
    assert "급행 7번의 요금은 1,900원" in rows[1]["context"] and rows[1]["masked"]
    page.close()


def test_a_folder_is_read_with_all_below_it(browser, address, tmp_path):
    (tmp_path / "모음" / "안").mkdir(parents=True)
    (tmp_path / "모음" / "도서관.txt").write_text(LIBRARY)
    for number in range(30):
        (tmp_path / "모음" / "안" / f"{number}.md").write_text(f"# 제{number}장\n{number}번 길은 {number + 100}m이다.")
    page = opened(browser, address)
    page.set_input_files("input[webkitdirectory]", tmp_path / "모음")
    page.wait_for_selector("#kq-shelf summary:has-text('31개')")
    ask(page, "7번 길은 몇 m인가?")
    page.wait_for_selector(".kq-answer:has-text('107m')")
    page.get_by_role("button", name="문서 비우기").click()
    page.wait_for_selector("#kq-shelf summary:has-text('0개')")
    ask(page, SEATS)
    page.wait_for_selector("text=먼저 문서를 올려 주세요")
    page.close()


def test_two_tabs_ask_at_once_and_keep_their_own_documents(browser, address, tmp_path):
    (tmp_path / "도서관.txt").write_text(LIBRARY)
    first, second = opened(browser, address), opened(browser, address)
    upload(first, tmp_path / "도서관.txt")
    first.wait_for_selector("#kq-shelf summary:has-text('1개')")
    ask(first, SEATS)
    ask(second, "한내신도시까지 가는 새 급행 버스를 타려면 요금이 얼마예요?")
    first.wait_for_selector(".kq-answer:has-text('200석')")
    second.wait_for_selector(".kq-answer:has-text('1,900원')")
    first.close()
    second.close()


def test_a_tab_closed_mid_answer_and_a_file_over_the_limit_hurt_no_one(browser, address, tmp_path):
    page = opened(browser, address)
    ask(page, SEATS)
    page.close()
    (tmp_path / "큰.txt").write_text("가" * 1_000_000)
    page = opened(browser, address)
    upload(page, tmp_path / "큰.txt")
    page.wait_for_selector("[data-testid=toast-body]:has-text('큰.txt')")
    assert "8개" in page.locator("#kq-shelf summary").inner_text()
    ask(page, "한내신도시까지 가는 새 급행 버스를 타려면 요금이 얼마예요?")
    page.wait_for_selector(".kq-answer:has-text('1,900원')")
    page.close()
