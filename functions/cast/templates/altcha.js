// Solves a challenge of the ALTCHA protocol, version 2: counts until the derived key begins as it must.
const solveAltcha = async ({ parameters, signature }) => {
  const { algorithm, cost, keyLength, keyPrefix, nonce, salt } = parameters;
  const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const start = bytes(nonce), password = new Uint8Array(start.length + 4), view = new DataView(password.buffer);
  password.set(start);
  const how = { name: 'PBKDF2', hash: algorithm.split('/')[1], salt: bytes(salt), iterations: cost };
  for (let counter = 0; ; counter++) {
    view.setUint32(start.length, counter);
    let derived;
    if (crypto.subtle) {
      const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
      derived = await crypto.subtle.deriveBits(how, key, keyLength * 8);
    } else {
      derived = deriveKey(password, how.salt, cost);
      await new Promise((done) => setTimeout(done));
    }
    const derivedKey = hex(derived);
    if (derivedKey.startsWith(keyPrefix)) return btoa(JSON.stringify({ challenge: { parameters, signature }, solution: { counter, derivedKey } }));
  }
};
