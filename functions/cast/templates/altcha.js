// Solves the challenge of a field, by the ALTCHA protocol, version 2: counts until the derived key begins as it must.
const solve = async (field) => {
  const challenge = JSON.parse(field.challenge), given = challenge.parameters, way = 'PBKDF2';
  const bytes = (hex) => hex.match(/../g).map((pair) => parseInt(pair, 16)), start = bytes(given.nonce), salt = bytes(given.salt);
  for (let counter = 0; ; counter++) {
    const password = new Uint8Array([...start, counter >> 24, counter >> 16, counter >> 8, counter]);
    let key;
    if (crypto.subtle) {
      key = await crypto.subtle.importKey('raw', password, way, false, ['deriveBits']);
      key = await crypto.subtle.deriveBits({ name: way, hash: given.algorithm.slice(7), salt: new Uint8Array(salt), iterations: given.cost }, key, given.keyLength * 8);
    } else {
      key = deriveKey(password, salt, given.cost);
      await new Promise(setTimeout);
    }
    key = Array.from(new Uint8Array(key), (byte) => (byte + 256).toString(16).slice(1)).join('');
    if (key.startsWith(given.keyPrefix)) return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey: key } }));
  }
};
