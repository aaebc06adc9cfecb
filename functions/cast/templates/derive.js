// PBKDF2 with SHA-256, for pages without crypto.subtle: those on plain http.
const deriveKey = (() => {
  const K = [], H = [];
  for (let n = 2; K.length < 64; n++) {
    let prime = true;
    for (let by = 2; by * by <= n; by++) prime &&= n % by > 0;
    if (!prime) continue;
    if (H.length < 8) H.push((n ** .5 % 1 * 2 ** 32) | 0);
    K.push((n ** (1 / 3) % 1 * 2 ** 32) | 0);
  }
  const w = new Int32Array(64), turn = (x, by) => (x >>> by) | (x << (32 - by));
  const mix = (state, block) => {
    w.set(block);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i] | 0;
      const t = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c)) | 0;
      h = g; g = f; f = e; e = d + s | 0; d = c; c = b; b = a; a = s + t | 0;
    }
    return [a, b, c, d, e, f, g, h].map((x, i) => x + state[i] | 0);
  };
  const words = (bytes) => {
    const view = new DataView(new ArrayBuffer(64));
    bytes.forEach((byte, i) => view.setUint8(i, byte));
    return Array.from({ length: 16 }, (_, i) => view.getInt32(i * 4));
  };
  return (password, salt, rounds) => {
    const key = words(password), inner = mix(H, key.map((x) => x ^ 0x36363636)), outer = mix(H, key.map((x) => x ^ 0x5c5c5c5c));
    const hash = (block) => mix(outer, [...mix(inner, block), 1 << 31, 0, 0, 0, 0, 0, 0, 768]);
    const first = words([...salt, 0, 0, 0, 1, 128]);
    first[15] = (64 + salt.length + 4) * 8;
    let last = hash(first);
    const sum = last.slice();
    for (let i = 1; i < rounds; i++) {
      last = hash([...last, 1 << 31, 0, 0, 0, 0, 0, 0, 768]);
      for (let j = 0; j < 8; j++) sum[j] ^= last[j];
    }
    return new Uint8Array(sum.flatMap((x) => [x >>> 24, x >>> 16 & 255, x >>> 8 & 255, x & 255]));
  };
})();
