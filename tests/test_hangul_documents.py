"""HWPX and HWP 5: files assembled by hand after the published formats, and files that attack or are locked."""

import struct
import zipfile
from pathlib import Path

import olefile
import pytest

from koqas.documents import hwp
from koqas.documents.hangul import blocks_of
from koqas.documents.hwp_records import _trees
from koqas.koqas_blocks import written
from koqas.koqas_documents import load_documents
from koqas.koqas_types import KoQasError

MADE = Path(__file__).parent / "documents"
NAMES = (
    'xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph" xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section" '
    'xmlns:hh="http://www.hancom.co.kr/hwpml/2011/head" xmlns:opf="http://www.idpf.org/2007/opf/"'
)
PACKAGE = f"""<opf:package {NAMES}><opf:metadata><opf:title>마을 소식</opf:title></opf:metadata><opf:manifest>
<opf:item id="s1" href="Contents/section1.xml"/><opf:item id="s0" href="Contents/section0.xml"/></opf:manifest>
<opf:spine><opf:itemref idref="s1"/><opf:itemref idref="s0"/></opf:spine></opf:package>"""
HEADER = f"""<hh:head {NAMES}><hh:paraPr id="0"><hh:heading type="NONE" level="0"/></hh:paraPr>
<hh:paraPr id="7"><hh:heading type="OUTLINE" level="1"/></hh:paraPr></hh:head>"""


def text(content: str, shape: int = 0) -> str:
    return f'<hp:p paraPrIDRef="{shape}"><hp:run><hp:t>{content}</hp:t></hp:run></hp:p>'


def cell(content: str, row: int, column: int, high: int = 1, wide: int = 1) -> str:
    return (
        f'<hp:tc><hp:subList>{content}</hp:subList><hp:cellAddr colAddr="{column}" rowAddr="{row}"/>'
        f'<hp:cellSpan colSpan="{wide}" rowSpan="{high}"/></hp:tc>'
    )


INNER = f"<hp:tbl><hp:tr>{cell(text('안'), 0, 0)}{cell(text('쪽'), 0, 1)}</hp:tr></hp:tbl>"
TABLE = (
    f'<hp:p><hp:run><hp:tbl rowCnt="2" colCnt="2"><hp:caption><hp:subList>{text("[표] 장날")}</hp:subList></hp:caption>'
    f"<hp:tr>{cell(text('닷새') + text('마다'), 0, 0, high=2)}{cell(text('아침 | 저녁'), 0, 1)}</hp:tr>"
    f"<hp:tr>{cell(f'<hp:p><hp:run>{INNER}</hp:run></hp:p>', 1, 1)}</hp:tr></hp:tbl></hp:run></hp:p>"
)
FIRST = f"""<hs:sec {NAMES}>{text("장터 소식", 7)}{text("장은<hp:lineBreak/>닷새<hp:tab/>마다<hp:nbSpace/>선다.")}
<hp:p><hp:run><hp:t>상인은 130명이다.</hp:t><hp:ctrl><hp:footNote><hp:subList>{text("작년 기준")}</hp:subList></hp:footNote>
<hp:header><hp:subList>{text("머리말")}</hp:subList></hp:header></hp:ctrl><hp:rect><hp:drawText><hp:subList>
{text("글상자")}</hp:subList></hp:drawText></hp:rect></hp:run></hp:p>
{text('<hp:deleteBegin Id="1"/>지운 글<hp:deleteEnd Id="1"/>남은 글')}{TABLE}</hs:sec>"""
SECOND = f"<hs:sec {NAMES}>{text('둘째 구역')}</hs:sec>"


def packed(path: Path, **parts: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/hwp+zip")
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(KoQasError) as error:
        load_documents(path)
    assert str(error.value).startswith(f"[{path.name}]")
    return str(error.value)


def test_hwpx_by_the_standard(tmp_path):
    path = packed(
        tmp_path / "소식.hwpx",
        Contents__content_hpf=PACKAGE,
        Contents__header_xml=HEADER,
        Contents__section1_xml=FIRST,
        Contents__section0_xml=SECOND,
    )
    (document,) = load_documents(path)
    assert document.title == "마을 소식"
    assert document.text == (
        "## 장터 소식\n\n장은\n닷새 마다 선다.\n\n상인은 130명이다.\n\n작년 기준\n\n글상자\n\n남은 글\n\n"
        "| 닷새 마다 | 아침 \\| 저녁 |\n|---|---|\n| 닷새 마다 | 안 쪽 |\n\n[표] 장날\n\n둘째 구역"
    )
    assert [p.cell for p in document.places if p.table == 1] == ["A1", "B1", "A2", "B2"]


@pytest.mark.parametrize("name", ["library_locked.hwp", "library_locked.hwpx"])
def test_locked_files_say_so(name):
    assert "암호" in refused(MADE / name)


def test_a_document_for_distribution_says_so(tmp_path):
    path = tmp_path / "배포.hwp"
    path.write_bytes((MADE / "library.hwp").read_bytes())
    with olefile.OleFileIO(path, write_mode=True) as file:
        head = bytearray(file.openstream("FileHeader").read())
        head[36] |= 1 << 2
        file.write_stream("FileHeader", bytes(head))
    assert "배포용" in refused(path)


def test_a_name_that_leads_out_is_refused(tmp_path):
    path = packed(tmp_path / "나쁨.hwpx", Contents__section0_xml=SECOND)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../etc/밖.txt", "x")
    assert "파일 밖을 가리키는 경로" in refused(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["나쁨.hwpx"]


def test_a_zip_bomb_is_refused_unopened(tmp_path):
    path = tmp_path / "폭탄.hwpx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("Contents/section0.xml", "w") as part,
    ):
        for _ in range(101):
            part.write(b" " * 1_000_000)
    assert path.stat().st_size < 200_000 and "지나치게 커지는" in refused(path)


def test_entities_are_refused(tmp_path):
    laughs = '<!DOCTYPE x [<!ENTITY a "하하하하"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    assert "금지된 정의" in refused(packed(tmp_path / "a.hwpx", Contents__section0_xml=laughs))


def test_other_archives_and_deep_nesting_are_damaged_files(tmp_path):
    assert "HWPX 문서가 아닙니다" in refused(packed(tmp_path / "a.hwpx", readme_txt="글"))
    deep = "<hp:p><hp:run><hp:rect><hp:drawText><hp:subList>" * 2000
    closing = "</hp:subList></hp:drawText></hp:rect></hp:run></hp:p>" * 2000
    assert "손상" in refused(
        packed(tmp_path / "b.hwpx", Contents__section0_xml=f"<hs:sec {NAMES}>{deep}{closing}</hs:sec>")
    )


def test_old_and_renamed_hwp_files_are_told_apart(tmp_path):
    (tmp_path / "a.hwp").write_bytes(b"HWP Document File V3.00 \x1a\1\2\3\4\5" + b"\0" * 100)
    assert "HWP 3" in refused(tmp_path / "a.hwp")
    (tmp_path / "b.hwp").write_bytes((MADE / "library.hwpx").read_bytes())
    assert "HWPX 파일입니다" in refused(tmp_path / "b.hwp")
    (tmp_path / "c.hwp").write_bytes((MADE / "library.hwp").read_bytes()[:3000])
    refused(tmp_path / "c.hwp")


# Records of HWP 5: tag (10 bits), level (10), size (12), then the data.
def record(tag: int, level: int, data: bytes) -> bytes:
    size = min(len(data), 0xFFF)
    head = struct.pack("<I", tag | level << 10 | size << 20)
    return head + (struct.pack("<I", len(data)) if size == 0xFFF else b"") + data


def paragraph(level: int, content: bytes, shape: int = 0) -> bytes:
    return record(66, level, struct.pack("<IIH", len(content) // 2, 0, shape) + b"\0" * 12) + record(
        67, level + 1, content
    )


def control(kind: bytes) -> bytes:
    """Return the eight characters that an extended control takes in a text."""
    return struct.pack("<H", 11) + kind[::-1] + b"\0" * 8 + struct.pack("<H", 11)


def hwp_cell(row: int, column: int, high: int, wide: int, content: str) -> bytes:
    head = record(72, 2, struct.pack("<HHI4H", 1, 0, 0, column, row, wide, high) + b"\0" * 18)
    return head + paragraph(2, content.encode("utf-16-le"))


def test_hwp_records_by_the_published_format():
    """Tabs, line breaks, a long record, a table with spans, a text box below its shape, a header that is left out."""
    long = "가" * 5000
    data = (
        paragraph(0, "제목".encode("utf-16-le"), shape=1)
        + paragraph(0, "앞".encode("utf-16-le") + struct.pack("<H", 9) + b"\0" * 14 + "뒤\n끝".encode("utf-16-le"))
        + paragraph(0, long.encode("utf-16-le"))
        + paragraph(0, "표 앞".encode("utf-16-le") + control(b"tbl ") + "표 뒤".encode("utf-16-le"))
        + record(71, 1, b" lbt" + b"\0" * 40)
        + record(77, 2, struct.pack("<IHH", 0, 2, 2))
        + hwp_cell(0, 0, 2, 1, "세로")
        + hwp_cell(0, 1, 1, 1, "하나")
        + hwp_cell(1, 1, 1, 1, "둘")
        + paragraph(0, control(b"head") + control(b"gso ") + "상자".encode("utf-16-le"))
        + record(71, 1, b"daeh")
        + record(72, 2, b"\0" * 16)
        + paragraph(2, "머리말".encode("utf-16-le"))
        + record(71, 1, b" osg")
        + record(76, 2, b"\0" * 20)
        + record(72, 3, b"\0" * 16)
        + paragraph(3, "글상자 안".encode("utf-16-le"))
    )
    found = written(blocks_of(hwp._paragraphs(_trees(data), [None, 1]))).text
    table = "| 세로 | 하나 |\n|---|---|\n| 세로 | 둘 |"
    assert found == f"# 제목\n\n앞 뒤\n끝\n\n{long}\n\n표 앞\n\n{table}\n\n표 뒤\n\n상자\n\n글상자 안"


def test_a_stream_that_unpacks_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("koqas.documents.hwp_records.LARGEST_STREAM", 1_000)
    assert "지나치게" in refused(MADE / "library.hwp")
