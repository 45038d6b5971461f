// Writes library.hwp, library.hwpx and their locked twins with @rhwp/core 0.8.6 (MIT, Rust), which knows nothing of this
// project: npm install @rhwp/core@0.8.6 && node make_hwp.mjs node_modules/@rhwp/core/rhwp_bg.wasm FOLDER
import fs from 'node:fs';
import init, { HwpDocument } from '@rhwp/core';
globalThis.measureTextWidth = (font, text) => [...text].reduce((w, c) => w + (c > '\u00ff' ? 13 : 7), 0);
const wasm = process.argv[2], out = process.argv[3];
await init({ module_or_path: fs.readFileSync(wasm) });
const doc = HwpDocument.createEmpty();
doc.createBlankDocument();
const lines = [
  '솔내도서관 이용 규정', '제1장 총칙',
  '제1조(목적) 이 규정은 솔내도서관의 열람실과 자료를 주민이 고루 이용하도록 하는 데 필요한 사항을 정하며, 이 규정에 없는 것은 관장이 정하여 도서관 게시판에 한 달 동안 알린다.',
  '제2조(시간) ① 열람실은 오전 9시부터 오후 8시까지 연다.', '② 매주 월요일에는 쉰다.', '제2장 대출',
  '제3조(권수) ① 한 사람은 책을 다섯 권까지 빌린다.', '② 빌리는 기간은 14일이다.', '요금표', '', '부칙',
  '이 규정은 2024년 5월 1일부터 시행한다.',
];
lines.forEach((line, n) => {
  if (n) doc.splitParagraph(0, n - 1, lines[n - 1].length);
  if (line) doc.insertText(0, n, 0, line);
});
const outline = JSON.parse(doc.getStyleList()).find((style) => style.name === '개요 1');
doc.applyStyle(0, 8, outline.id);
doc.insertFootnote(0, 7, lines[7].length);
doc.insertTextInFootnote(0, 7, 0, 0, 1, '만화책은 7일이다.');
const table = 9;
const made = JSON.parse(doc.createTable(0, table, 0, 4, 3));
const at = made.paraIdx ?? table, control = made.controlIdx ?? 0;
const rows = [['구분', '때', '요금'], ['세미나실', '평일', '1,500원'], ['', '주말', '2,000원'], ['사물함', '', '300원']];
rows.flat().forEach((text, cell) => { if (text) doc.insertTextInCell(0, at, control, cell, 0, 0, text); });
doc.mergeTableCells(0, at, control, 1, 0, 2, 0);
doc.mergeTableCells(0, at, control, 3, 0, 3, 1);
fs.writeFileSync(`${out}/library.hwp`, doc.exportHwp());
fs.writeFileSync(`${out}/library.hwpx`, doc.exportHwpx());
fs.writeFileSync(`${out}/library_locked.hwp`, doc.exportHwpWithPassword('1234'));
fs.writeFileSync(`${out}/library_locked.hwpx`, doc.exportHwpxWithPassword('1234'));
