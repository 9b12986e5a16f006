// Garbage, JSON, regular expressions, sorting, hashes, compression, until killed.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');

function words(rounds) {
  const counts = new Map();
  for (let i = 0; i < rounds; i++) {
    for (const [word] of `the quick brown fox ${i} jumps over the lazy dog`.matchAll(/[a-z]+/g)) {
      counts.set(word, (counts.get(word) || 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function tree(depth) {
  return depth > 0 ? { left: tree(depth - 1), right: tree(depth - 1) } : { leaf: Math.random() };
}

for (;;) {
  const text = JSON.stringify([words(500), tree(9)]);
  JSON.parse(text);
  crypto.createHash('sha256').update(zlib.deflateSync(text)).digest('hex');
  Array.from({ length: 3000 }, (_, i) => (i * 7919) % 3001).sort((a, b) => a - b);
}
