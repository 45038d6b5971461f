"""Office documents made by other programs give back their headings, paragraphs and tables, cell by cell.

tests/documents/README.md says which program made which file.
"""

import shutil
from pathlib import Path

import docx
import openpyxl
import pypdfium2 as pdfium
import pytest
from PIL import Image

from koqas.koqas_chunks import cut_document
from koqas.koqas_documents import load_documents, read_folder
from koqas.koqas_locations import locate
from koqas.koqas_types import Document, KoQasError

MADE = Path(__file__).parent / "documents"
PARAGRAPHS = [
    "제1조(목적) 이 규정은 솔내도서관의 열람실과 자료를 주민이 고루 이용하도록 하는 데 필요한 사항을 정하며, "
    "이 규정에 없는 것은 관장이 정하여 도서관 게시판에 한 달 동안 알린다.",
    "제2조(시간) ① 열람실은 오전 9시부터 오후 8시까지 연다.",
    "② 매주 월요일에는 쉰다.",
    "제3조(권수) ① 한 사람은 책을 다섯 권까지 빌린다.",
    "② 빌리는 기간은 14일이다.",
    "부칙",
    "이 규정은 2024년 5월 1일부터 시행한다.",
]
EVERY = ["library.pdf", "library.docx", "prices.xlsx", "library.hwpx", "library.hwp"]
CELLS = {
    "A1": "구분", "B1": "때", "C1": "요금",
    "A2": "세미나실", "B2": "평일", "C2": "1,500원",
    "A3": "세미나실", "B3": "주말", "C3": "2,000원",
    "A4": "사물함", "B4": "사물함", "C4": "300원",
}  # fmt: skip


def cells_of(document: Document, table: int = 1):
    return {p.cell: document.text[p.start : p.end] for p in document.places if p.table == table}


def label_of(document: Document, quote: str) -> str:
    """Return where the sentence that holds a quote stands."""
    for entry in cut_document(document, 600):
        for s in entry.chunk.sentences:
            if quote in s.text:
                return locate(document, s.start, s.end, entry.chunk.headings).label
    raise AssertionError(f"no sentence holds {quote!r}")


def refused(path: Path) -> str:
    with pytest.raises(KoQasError) as error:
        load_documents(path)
    assert str(error.value).startswith(f"[{path.name}]")
    return str(error.value)


HEADINGS = ["# 솔내도서관 이용 규정", "## 제1장 총칙", "## 제2장 대출", "## 요금표"]


@pytest.mark.parametrize(
    ("name", "headings"),
    [
        ("library.pdf", HEADINGS),
        ("library.docx", HEADINGS),
        ("library.hwpx", ["# 요금표"]),
        ("library.hwp", ["# 요금표"]),
    ],
)
def test_text_headings_and_cells_come_back(name, headings):
    (document,) = load_documents(MADE / name)
    lines = document.text.split("\n")
    assert [line for line in lines if line in PARAGRAPHS] == PARAGRAPHS
    assert [line for line in lines if line.startswith("#")] == headings
    assert cells_of(document) == CELLS
    assert label_of(document, "매주 월요일").startswith("제2조 2항")
    assert label_of(document, "2,000원").startswith("요금표, 표 1 3행")


def test_a_pdf_says_the_page():
    (document,) = load_documents(MADE / "library.pdf")
    assert document.title == "솔내도서관 이용 규정"
    assert label_of(document, "14일이다") == "제3조 2항, 1쪽"
    assert label_of(document, "2024년 5월").endswith("2쪽")


WORD = """<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>부칙</w:t></w:r></w:p>
<w:p><w:r><w:t xml:space="preserve">이 규정은 </w:t></w:r><w:r><w:lastRenderedPageBreak/><w:t>내년부터</w:t></w:r>
<w:ins><w:r><w:t xml:space="preserve"> 시행</w:t></w:r></w:ins><w:del><w:r><w:delText>폐지</w:delText></w:r></w:del>
<w:r><w:rPr><w:vanish/></w:rPr><w:t>숨김</w:t></w:r><w:r><w:t>한다.</w:t></w:r></w:p>
<w:sdt><w:sdtContent><w:p><w:r><w:t>양식</w:t><w:tab/><w:t>칸</w:t><w:br/><w:t>끝</w:t></w:r></w:p></w:sdtContent></w:sdt>"""


def test_a_docx_with_the_marks_of_word(tmp_path):
    """Pages that Word marked, tracked changes, hidden text, content controls."""
    written = docx.Document()
    wrapped = f'<w:body xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">{WORD}</w:body>'
    for part in docx.oxml.parse_xml(wrapped):
        written.element.body.insert(len(written.element.body) - 1, part)
    written.save(tmp_path / "a.docx")
    (document,) = load_documents(tmp_path / "a.docx")
    assert document.text == "# 부칙\n\n이 규정은 내년부터 시행한다.\n\n양식 칸\n끝"
    assert [(document.text[p.start : p.end], p.page) for p in document.places] == [
        ("부칙", 1), ("이 규정은", 1), ("내년부터 시행한다.", 2), ("양식 칸\n끝", 2),
    ]  # fmt: skip


def test_a_workbook_keeps_its_cells_and_how_they_show():
    (document,) = load_documents(MADE / "prices.xlsx")
    cells = cells_of(document)
    assert {cells[f"{c}1"] for c in "ABCDE"} == {"2024년 비품 대장"}
    assert [cells[f"{c}3"] for c in "ABE"] == ["의자", "12", "2024-05-01"]
    assert [cells[f"{c}4"] for c in "ABDE"] == ["의자", "3", "75%", "2024-05-02"]
    assert cells["B5"] == "4.50" and "C5" not in cells
    assert label_of(document, "75%") == "Sheet1, 표 1 4행"


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (15000, '#,##0"원"', "15,000원"),
        (1234567, "[$₩-412]#,##0", "₩1,234,567"),
        (0.125, "0.0%", "12.5%"),
        (-3.5, "#,##0.00;[Red]-#,##0.00", "-3.50"),
        (0.1 + 0.2, "General", "0.3"),
        (12, '"약 "0"명"', "약 12명"),
        (True, "General", "TRUE"),
    ],
)
def test_numbers_show_as_in_the_sheet(tmp_path, value, style, text):
    book = openpyxl.Workbook()
    book.active["C4"] = value
    book.active["C4"].number_format = style
    book.save(tmp_path / "a.xlsx")
    (document,) = load_documents(tmp_path / "a.xlsx")
    assert cells_of(document) == {"C4": text}


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.hwpx"])
def test_an_encrypted_container_says_so(tmp_path, name):
    shutil.copy(MADE / "library.hwp", tmp_path / name)  # encrypted Office files are OLE containers, too
    assert "암호가 걸린 문서이거나" in refused(tmp_path / name)


def test_a_locked_pdf_says_so():
    assert "암호가 걸린 PDF" in refused(MADE / "library_locked.pdf")


def test_a_scanned_pdf_says_so(tmp_path):
    Image.new("RGB", (600, 800), "white").save(tmp_path / "스캔.pdf")
    assert "스캔한 그림" in refused(tmp_path / "스캔.pdf")


@pytest.mark.parametrize("name", EVERY)
def test_damaged_files_are_named_and_the_others_are_read(tmp_path, name):
    whole = (MADE / name).read_bytes()
    suffix = Path(name).suffix
    (tmp_path / f"반{suffix}").write_bytes(whole[: len(whole) // 2])
    (tmp_path / f"빈{suffix}").write_bytes(b"")
    (tmp_path / f"글{suffix}").write_text("그냥 글이다.")
    shutil.copy(MADE / name, tmp_path / f"좋음{suffix}")
    reading = read_folder(tmp_path)
    assert {d.id for d in reading.documents} >= {f"좋음{suffix}"}
    assert {e.field for e in reading.refused} >= {f"빈{suffix}", f"글{suffix}"}
    assert len(reading.documents) + len(reading.refused) == 4


@pytest.mark.parametrize("name", EVERY)
def test_flipped_bits_end_in_text_or_a_clear_error(tmp_path, name):
    whole = (MADE / name).read_bytes()
    for number in range(20):
        broken = bytearray(whole)
        for at in range(number * 97, len(broken), len(broken) // 12):
            broken[at] ^= 0x55
        (tmp_path / f"{number}{Path(name).suffix}").write_bytes(broken)
    reading = read_folder(tmp_path)
    assert len(reading.documents) + len(reading.refused) == 20


@pytest.mark.slow
def test_three_hundred_pages(tmp_path):
    with pdfium.PdfDocument(MADE / "library.pdf") as source, pdfium.PdfDocument.new() as large:
        for _ in range(150):
            large.import_pages(source)
        large.save(tmp_path / "큰.pdf")
    (document,) = load_documents(tmp_path / "큰.pdf")
    assert {p.page for p in document.places if p.table} == set(range(1, 300, 2))
    assert cells_of(document, 150) == CELLS
