// Runs the CloudFront Function under Node with what the test writes to standard input (a request, or a request and its response); prints what it answered and where it pointed the request.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';

const source = readFileSync(process.argv[2], 'utf8').replace(/^import .*$/gm, '');
const cases = JSON.parse(readFileSync(0, 'utf8'));
const answers = [];
for (const [index, { store, now, request, response }] of cases.entries()) {
  let origin = null;
  const cf = {
    kvs: () => ({ get: async (key) => { if (!(key in store)) throw new Error('KeyNotFound'); return store[key]; } }),
    updateRequestOrigin: (to) => { origin = to; },
  };
  const clock = { now: () => now };
  const handler = new Function('cf', 'crypto', 'Date', source + '; return handler;')(cf, crypto, clock);
  let answer;
  try { answer = await handler({ request, response, context: { requestId: 'request-' + index } }); } catch (error) { answer = { failed: String(error) }; }
  answers.push({ answer, origin });
}
console.log(JSON.stringify(answers));
