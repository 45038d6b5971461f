"""Guard the public sample data in ``data_sample/``.

These files are what a new user trains on and shows the system with, so a broken row is a broken first impression.
The checks read the files as they lie in the repository (no network, no import of the package) and fail when

* a file is missing, has other columns, other counts, a byte order mark, or quoting the csv module would not write;
* a context is not 1-5 one-line passages numbered ``[1]``, ``[2]`` ... or has an unreasonable length;
* an answerable answer holds numbers that neither its context nor its summary holds, shares too little wording with
  them, or points to a passage that does not exist;
* the rows whose answer says "the documents do not hold this" are too few or too many, or the README lists others;
* rows repeat: equal questions, near-equal texts, or one opening phrase used again and again;
* a preference pair can be told apart by length alone, or shares its context with a long-answer row;
* a demo question's answer is not literally in the document it names.
"""

import csv
import io
import itertools
import json
import re
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest

DATA = Path(__file__).resolve().parent.parent / "data_sample"
LONG_FILE = DATA / "LongAnswer_100_public.csv"
PREFERENCE_FILE = DATA / "preference_50_public.csv"
LONG_COLUMNS = ["Context", "Question", "Summary", "Answer"]
PREFERENCE_COLUMNS = ["question", "context", "chosen", "rejected"]

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
HANGUL = re.compile(r"[가-힣]+")
PASSAGE = re.compile(r"\[(\d+)\] (\S.*\S)")
REFUSAL = re.compile(
    r"나와 있지 않|적혀 있지 않|실려 있지 않|확인할 수 없|알 수 없|찾을 수 없|다루지 않"
    r"|(?:내용|언급|설명)(?:이|은|도) (?:없습니다|없어요|없어)"
)
SENTENCE_END = re.compile(r"[.?!](?=\s|$)")


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, strict=True))


def long_rows():
    return read_rows(LONG_FILE)


def preference_rows():
    return read_rows(PREFERENCE_FILE)


def refuses(answer):
    return bool(REFUSAL.search(answer))


def passages(context):
    """Split a context into its passages; fail where the numbering or the one-line rule is broken."""
    found = []
    for number, line in enumerate(context.split("\n"), start=1):
        match = PASSAGE.fullmatch(line)
        assert match, f"not a numbered passage: {line[:40]!r}"
        assert int(match.group(1)) == number, f"passage {number} is numbered {match.group(1)}"
        found.append(match.group(2))
    return found


def five_grams(text):
    text = re.sub(r"\s+", " ", text)
    return {text[i : i + 5] for i in range(len(text) - 4)}


def near_equal_pairs(texts, limit=0.5):
    grams = [five_grams(text) for text in texts]
    return [
        (first, second)
        for first, second in itertools.combinations(range(len(grams)), 2)
        if len(grams[first] & grams[second]) > limit * len(grams[first] | grams[second])
    ]


def support(answer, evidence):
    """Share of an answer's content found in the evidence: its numbers, and the first two syllables of its words.

    Korean words inflect at the end, so whole words and trailing syllables say little about what an answer is about.
    """
    heads = [word[:2] for word in HANGUL.findall(answer) if len(word) > 1]
    bigrams = {word[i : i + 2] for word in HANGUL.findall(evidence) for i in range(len(word) - 1)}
    numbers = NUMBER.findall(answer)
    known = set(NUMBER.findall(evidence))
    found = sum(head in bigrams for head in heads) + sum(number in known for number in numbers)
    return found / (len(heads) + len(numbers))


def repeated_openings(texts, width=12, limit=3):
    counts = Counter(text[:width] for text in texts)
    return {opening: count for opening, count in counts.items() if count > limit}


@pytest.mark.parametrize(
    ("path", "columns", "count"),
    [(LONG_FILE, LONG_COLUMNS, 100), (PREFERENCE_FILE, PREFERENCE_COLUMNS, 50)],
    ids=["long", "preference"],
)
def test_csv_shape(path, columns, count):
    raw = path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf"), "byte order mark"
    text = raw.decode("utf-8")
    assert "\ufffd" not in text and "\r" not in text and "\u200b" not in text
    table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert table[0] == columns
    assert len(table) == count + 1
    for number, row in enumerate(table[1:], start=1):
        assert len(row) == len(columns), f"row {number}"
        for cell in row:
            assert cell and cell == cell.strip(), f"row {number}: empty cell or stray blanks"
            assert "  " not in cell, f"row {number}: two blanks in a row"
    again = io.StringIO(newline="")
    csv.writer(again, lineterminator="\n").writerows(table)
    assert again.getvalue() == text, "not the quoting the csv module writes"


def test_only_contexts_have_line_breaks():
    for row in long_rows() + preference_rows():
        assert not [name for name, cell in row.items() if "\n" in cell and name.lower() != "context"], row


def test_long_contexts():
    sizes = Counter()
    for number, row in enumerate(long_rows(), start=1):
        size = len(passages(row["Context"]))
        sizes[size] += 1
        assert 1 <= size <= 5, f"row {number}: {size} passages"
        assert 400 <= len(row["Context"]) <= 1200, f"row {number}: {len(row['Context'])} characters"
    assert set(sizes) == {1, 2, 3, 4, 5}, f"every passage count should occur: {sizes}"


def test_preference_contexts():
    for number, row in enumerate(preference_rows(), start=1):
        assert 1 <= len(passages(row["context"])) <= 5, f"row {number}"
        assert 300 <= len(row["context"]) <= 1000, f"row {number}: {len(row['context'])} characters"


def test_texts_have_one_to_four_finished_sentences():
    texts = [row[name] for row in long_rows() for name in ("Summary", "Answer")]
    texts += [row[name] for row in preference_rows() for name in ("chosen", "rejected")]
    for text in texts:
        assert text[-1] in ".?!", f"unfinished: {text}"
        assert 1 <= len(SENTENCE_END.findall(text)) <= 4, f"too long: {text}"
        assert HANGUL.search(text), f"not Korean: {text}"


def test_refusal_count_and_readme_list():
    rows = [number for number, row in enumerate(long_rows(), start=1) if refuses(row["Answer"])]
    assert 10 <= len(rows) <= 15, f"{len(rows)} rows refuse: {rows}"
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    listed = re.search(r"^UNANSWERABLE_ROWS: ([\d, ]+)$", readme, flags=re.MULTILINE)
    assert listed, "README.md lacks its UNANSWERABLE_ROWS line"
    assert [int(number) for number in listed.group(1).split(",")] == rows


def test_numbers_in_answers_are_supported():
    for number, row in enumerate(long_rows(), start=1):
        if refuses(row["Answer"]):
            continue
        known = set(NUMBER.findall(row["Context"])) | set(NUMBER.findall(row["Summary"]))
        extra = [value for value in NUMBER.findall(row["Answer"]) if value not in known]
        assert not extra, f"row {number}: {extra} in the answer only"


def test_numbers_in_refusals_are_supported():
    for number, row in enumerate(long_rows(), start=1):
        if refuses(row["Answer"]):
            known = set(NUMBER.findall(row["Context"] + row["Question"]))
            extra = [value for value in NUMBER.findall(row["Answer"]) if value not in known]
            assert not extra, f"row {number}: the refusal brings in {extra}"


def test_answers_share_content_with_their_evidence():
    for number, row in enumerate(long_rows(), start=1):
        if not refuses(row["Answer"]):
            share = support(row["Answer"], row["Context"] + "\n" + row["Summary"])
            assert share >= 0.5, f"row {number}: only {share:.2f} of the answer occurs in its evidence"


def test_answers_do_not_fit_the_evidence_of_another_row():
    rows = [row for row in long_rows() if not refuses(row["Answer"])]
    for row, other in zip(rows, rows[1:] + rows[:1]):
        assert support(row["Answer"], other["Context"] + "\n" + other["Summary"]) < 0.5, row["Question"]


def test_chosen_answers_share_content_with_their_context():
    for number, row in enumerate(preference_rows(), start=1):
        if not refuses(row["chosen"]):
            share = support(row["chosen"], row["question"] + "\n" + row["context"])
            assert share >= 0.5, f"row {number}: only {share:.2f} of the chosen answer occurs in its context"


def test_references_point_to_existing_passages():
    for number, row in enumerate(long_rows(), start=1):
        size = len(passages(row["Context"]))
        for name in ("Summary", "Answer"):
            cited = [int(value) for value in re.findall(r"\[(\d+)\]", row[name])]
            assert all(1 <= value <= size for value in cited), f"row {number}: {name} cites {cited} of {size}"
    for number, row in enumerate(preference_rows(), start=1):
        size = len(passages(row["context"]))
        cited = [int(value) for value in re.findall(r"\[(\d+)\]", row["chosen"] + row["rejected"])]
        assert all(1 <= value <= size for value in cited), f"preference row {number}: cites {cited} of {size}"


def test_questions_are_unique():
    questions = [row["Question"] for row in long_rows()] + [row["question"] for row in preference_rows()]
    counts = Counter(re.sub(r"\W+", "", question) for question in questions)
    assert not [question for question, count in counts.items() if count > 1]


def test_contexts_are_not_near_equal():
    contexts = [row["Context"] for row in long_rows()] + [row["context"] for row in preference_rows()]
    assert near_equal_pairs(contexts) == []


def test_summaries_and_answers_are_not_near_equal():
    texts = [row["Summary"] + " " + row["Answer"] for row in long_rows()]
    assert near_equal_pairs(texts) == []


def test_no_passage_is_used_twice():
    used = Counter(text for row in long_rows() for text in passages(row["Context"]))
    used.update(text for row in preference_rows() for text in passages(row["context"]))
    assert not [text for text, count in used.items() if count > 1]


@pytest.mark.parametrize("name", ["Question", "Summary", "Answer"])
def test_no_template_openings(name):
    assert repeated_openings([row[name] for row in long_rows()]) == {}


@pytest.mark.parametrize("name", ["question", "chosen", "rejected"])
def test_no_template_openings_in_preferences(name):
    assert repeated_openings([row[name] for row in preference_rows()]) == {}


def test_preference_pairs_differ_but_not_by_length():
    rows = preference_rows()
    assert not [row["question"] for row in rows if row["chosen"] == row["rejected"]]
    ratio = mean(len(row["chosen"]) for row in rows) / mean(len(row["rejected"]) for row in rows)
    assert 0.8 <= ratio <= 1.25, f"chosen / rejected mean length {ratio:.2f}"
    longer = mean(len(row["chosen"]) > len(row["rejected"]) for row in rows)
    assert 0.25 <= longer <= 0.75, f"chosen is longer in {longer:.0%} of the rows"


def test_preference_contexts_are_new():
    known = {row["Context"] for row in long_rows()}
    assert not [row["question"] for row in preference_rows() if row["context"] in known]


def test_preference_refuses_on_both_sides():
    rows = preference_rows()
    assert any(refuses(row["chosen"]) for row in rows), "no row where refusing is right"
    assert any(refuses(row["rejected"]) for row in rows), "no row where refusing is wrong"
    assert not [row["question"] for row in rows if refuses(row["chosen"]) and refuses(row["rejected"])]


def demo_questions():
    lines = (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_demo_documents():
    files = sorted(path for path in (DATA / "documents").iterdir() if path.is_file())
    assert len(files) == 8
    assert {path.suffix for path in files} == {".md", ".txt", ".html"}
    for path in files:
        raw = path.read_bytes()
        assert not raw.startswith(b"\xef\xbb\xbf"), path.name
        assert len(raw.decode("utf-8")) >= 500, f"{path.name} is too short"
    bodies = [path.read_text(encoding="utf-8") for path in files]
    assert near_equal_pairs(bodies) == []


def test_demo_questions():
    rows = demo_questions()
    assert len(rows) == 12
    assert len({row["question"] for row in rows}) == len(rows)
    assert 1 <= sum(not row["document"] for row in rows) <= 4
    for row in rows:
        assert set(row) == {"question", "answer", "document"}
        assert row["question"].strip()
        if not row["document"]:
            assert row["answer"] == "", f"answer without a document: {row}"
            continue
        text = (DATA / "documents" / row["document"]).read_text(encoding="utf-8")
        assert row["answer"] and row["answer"] in text, f"not in {row['document']}: {row['answer']}"
        assert row["answer"] not in row["question"], f"the question gives its answer away: {row}"
