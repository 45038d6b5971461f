"""Invented articles in every container a crawler leaves; see source_files.py."""

import io

from source_files_squad import RIVER, dumped, saved
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

FEED = """<?xml version="1.0" encoding="euc-kr"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>한들일보</title><item><title>새 길</title><link>http://n.example/5</link>
<pubDate>Mon, 04 Mar 2024 09:00:00 +0900</pubDate><description>새 길이 열렸다.</description>
<content:encoded><![CDATA[<p>한들군에 새 길이 열렸다.</p><p>길이는 5km이다.</p>]]></content:encoded></item></channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>솔내신문</title><entry>
<title>새 배</title><link href="http://n.example/6"/><id>6</id><published>2024-05-01T00:00:00Z</published>
<content type="html">&lt;p&gt;솔내호에 새 배가 떴다.&lt;/p&gt;</content></entry></feed>"""


def page(day, number, charset="utf-8"):
    paragraphs = "".join(
        f"<p>한들강 {number}번 다리가 {n}월에 다시 열렸다고 군청이 밝혔다. 주민들은 오래 기다렸다며 반겼다.</p>"
        for n in range(1, 7)
    )
    return (
        f'<!DOCTYPE html><html lang="ko"><head><meta charset="{charset}"><title>다리 {number}</title>'
        f'<meta property="og:site_name" content="한들일보"><meta property="article:published_time" content="{day}">'
        f"</head><body><nav><a href='/'>첫 화면</a></nav><article><h1>다리 {number}</h1>{paragraphs}</article>"
        "<footer>무단전재 및 재배포 금지</footer></body></html>"
    ).encode(charset)


def warc(pages):
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True)
    for url, kind, content in pages:
        headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.1")
        record = writer.create_warc_record(url, "response", payload=io.BytesIO(content), http_headers=headers)
        writer.write_record(record)
    return out.getvalue()


def articles(folder):
    lines = [
        {"url": "http://n.example/1", "title": "새 다리", "published": "2024-03-01T09:00:00+09:00", "text": RIVER},
        {
            "url": "http://n.example/2",
            "title": "옛 다리",
            "published": "2023.12.31. 오후 11:59",
            "text": RIVER + " 옛",
        },
        {"url": "http://n.example/3", "title": "날짜 없음", "published": "", "text": RIVER + " 없음"},
    ]
    saved(folder / "a.jsonl", b"\n".join(map(dumped, lines)))
    saved(folder / "b.html", page("2024-07-01", 1, "euc-kr"))
    saved(folder / "c.html", page("2019-07-01", 2))
    pages = [
        ("http://n.example/4", "text/html", page("2025-01-02", 3)),
        ("http://n.example/x.png", "image/png", b"\x89PNG"),
    ]
    saved(folder / "d.warc.gz", warc(pages))
    saved(folder / "e.rss", FEED.encode("euc-kr"))
    saved(folder / "f.xml", ATOM.encode())
    return folder
