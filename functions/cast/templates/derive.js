// PBKDF2 with SHA-256, for pages without crypto.subtle: those on plain http.
const deriveKey = (() => {
  // The constants are the first 32 bits behind the point of roots of primes.
  const K = [], H = [], w = new Int32Array(64), turn = (x, by) => x >>> by | x << 32 - by;
  for (let n = 2, by; K.length < 64; n++) {
    for (by = 2; n % by; by++);
    if (by < n) continue;
    if (!H[7]) H.push(n ** .5 * 2 ** 32 | 0);
    K.push(n ** (1 / 3) * 2 ** 32 | 0);
  }
  // What follows 8 words in the second block of a hash: its end, and that there were 96 bytes.
  const end = [1 << 31, 0, 0, 0, 0, 0, 0, 768];
  const mix = (state, block) => {
    let [a, b, c, d, e, f, g, h] = state, i = 0, x, y;
    w.set(end, 8);
    w.set(block);
    for (; i < 64; i++) {
      if (i > 15) {
        x = w[i - 15];
        y = w[i - 2];
        w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ x >>> 3) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ y >>> 10);
      }
      x = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + K[i] + w[i];
      y = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c);
      h = g; g = f; f = e; e = d + x | 0; d = c; c = b; b = a; a = x + y | 0;
    }
    return [a, b, c, d, e, f, g, h].map((x, i) => x + state[i] | 0);
  };
  const block = (bytes) => Array.from(end.concat(end), (_, i) => bytes[i *= 4] << 24 | bytes[i + 1] << 16 | bytes[i + 2] << 8 | bytes[i + 3]);
  return (password, salt, rounds) => {
    const [inner, outer] = [0x36363636, 0x5c5c5c5c].map((pad) => mix(H, block(password).map((x) => x ^ pad)));
    const digest = (block) => mix(outer, mix(inner, block)), first = block([...salt, 0, 0, 0, 1, 128]);
    first[15] = salt.length * 8 + 544;
    let last = digest(first), sum = last;
    while (--rounds) sum = (last = digest(last)).map((x, i) => x ^ sum[i]);
    return sum.flatMap((x) => [x >>> 24, x >>> 16, x >>> 8, x]);
  };
})();
