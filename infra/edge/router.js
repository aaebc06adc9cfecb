// The edge in AWS: a CloudFront Function (viewer request, runtime 2.0). Takes a visitor's ticket, keeps it in a cookie for the session alone, and
// points every request at the gate that the ticket names. Keeps no state and believes nothing but tickets: the same rules as gate/src/edge.rs,
// held together by tests/plans/edge_function.rs. That runtime knows less than browsers do: no destructuring, no for-of, no shorthand properties here.
//
// Its key-value store holds: `keys` (the edge's key, and after a comma the one before), `session-host` (such as {session}.cast.example.com, or
// /s/{session} where sessions are paths of one host; return.js then mends the replies), `gate-host` (what a gate's address is called in DNS, such as ec2-{address}.eu-central-1.compute.amazonaws.com), `control-url`.
import cf from 'cloudfront';
import crypto from 'crypto';

const COOKIES = ['__Host-cast-session', 'cast-session'];
const SECRET = 'x-cast-session-secret';
const MAX_TICKET = 8192;
const SESSION = /^s[a-z2-7]{26}$/;
const PATHS = '/s/{session}';

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest('base64url');

// Looks at every character, wherever they differ.
function same(left, right) {
  let difference = left.length ^ right.length;
  for (let i = 0; i < left.length; i++) difference |= left.charCodeAt(i) ^ right.charCodeAt(i % (right.length || 1));
  return difference === 0;
}

// The ticket and its session's secret, if it is ours, still good, and for this session.
function open(text, keys, session, now) {
  const parts = text.length > MAX_TICKET ? [] : text.split('.');
  if (parts.length !== 3 || parts[0] !== 'v1') return null;
  for (let i = 0; i < keys.length; i++) {
    const secret = hmac(Buffer.from(keys[i].trim(), 'base64url'), session);
    if (!same(hmac(secret, parts[0] + '.' + parts[1]), parts[2])) continue;
    const ticket = JSON.parse(Buffer.from(parts[1], 'base64url').toString());
    return ticket.s === session && now < ticket.e ? { ticket: ticket, secret: secret } : null;
  }
  return null;
}

// What the request's cookies open, the owner's before a watcher's. A page may have planted a cookie beside ours, so the first need not be the right one.
function opened(request, keys, session, now) {
  let found = null;
  COOKIES.forEach((name) => {
    const cookie = request.cookies[name], texts = cookie ? cookie.multiValue || [cookie] : [];
    texts.forEach((one) => {
      const ticket = found && found.ticket.o === 'owner' ? null : open(one.value, keys, session, now);
      if (ticket && (!found || ticket.ticket.o === 'owner')) found = ticket;
    });
  });
  return found;
}

// The session that this request is for, or an empty text.
function sessionOf(host, uri, template) {
  if (template === PATHS) {
    const part = uri.startsWith('/s/') ? uri.split('/')[2] : '';
    return SESSION.test(part) ? part : '';
  }
  const parts = template.toLowerCase().split('{session}'), before = parts[0], after = parts[1];
  const fits = host.startsWith(before) && host.endsWith(after) && host.length > before.length + after.length;
  const name = fits ? host.slice(before.length, host.length - after.length) : '';
  return SESSION.test(name) ? name : '';
}

function notice(status, description, detail, page) {
  const link = page ? '<p><a href="' + page + '" target="_top">How your session stands</a></p>' : '';
  return {
    statusCode: status,
    statusDescription: description,
    headers: {
      'content-type': { value: 'text/html; charset=utf-8' },
      'cache-control': { value: 'no-store' },
      'referrer-policy': { value: 'no-referrer' },
      'content-security-policy': { value: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'" },
    },
    body: '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>' + description + '</title>'
      + '<style>:root{color-scheme:light dark}body{font:1.0625rem/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}</style>'
      + '<main><h1>' + description + '</h1><p>' + detail + '</p>' + link + '</main></html>',
  };
}

// 303 to a path of ours; nothing of the address before may be kept or passed on.
function moved(path, cookies) {
  return {
    statusCode: 303,
    statusDescription: 'See Other',
    headers: { location: { value: path }, 'cache-control': { value: 'no-store' }, 'referrer-policy': { value: 'no-referrer' } },
    cookies: cookies,
  };
}

async function handler(event) {
  const request = event.request, store = cf.kvs(), headers = request.headers;
  const host = ((headers.host && headers.host.value) || '').toLowerCase().split(':')[0];
  const template = await store.get('session-host'), session = sessionOf(host, request.uri, template);
  if (!session) {
    return notice(404, 'There is nothing at this address', 'Check the link, or open it again.');
  }
  const prefix = template === PATHS ? '/s/' + session : '', uri = request.uri.slice(prefix.length);
  if (!uri) return moved(prefix + '/', {});
  const enters = uri === '/.cast/enter';
  const keys = (await store.get('keys')).split(','), now = Date.now();
  const stranger = async () => notice(403, 'This session is not open to you',
    'It belongs to somebody else, or it has ended. Open the link again to get a session of your own.', await store.get('control-url') + '/session/' + session);

  if (enters) {
    const text = (request.querystring.ticket && request.querystring.ticket.value) || '', entered = open(text, keys, session, now);
    if (!entered || request.method !== 'GET') return stranger();
    const age = Math.floor((entered.ticket.e - now) / 1000);
    // A signed text is base64url and dots; what is not goes no further.
    const go = (request.querystring.go && request.querystring.go.value) || '';
    const cookies = {}, led = prefix + '/.cast/' + (/^[A-Za-z0-9_.-]+$/.test(go) ? '?go=' + go : '');
    // Whoever owns the session and opens its share link stays its owner.
    const known = opened(request, keys, session, now), stays = entered.ticket.o !== 'owner' && known && known.ticket.o === 'owner';
    if (!stays) cookies[COOKIES[prefix ? 1 : 0]] = { value: text, attributes: 'Path=' + prefix + '/; Max-Age=' + age + '; HttpOnly; SameSite=Lax; Secure' };
    return moved(led, cookies);
  }

  const brought = opened(request, keys, session, now);
  if (!brought) return stranger();
  const ticket = brought.ticket, isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(ticket.h);
  const domain = isAddress ? (await store.get('gate-host')).replace('{address}', ticket.h.split('.').join('-')) : ticket.h;
  // The edge is where visitors arrive: what they say about themselves is dropped.
  Object.keys(headers).forEach((name) => {
    if (name.startsWith('x-forwarded-') || name === 'forwarded' || name === 'x-real-ip' || name === SECRET) delete headers[name];
  });
  request.uri = uri;
  if (prefix) headers['x-forwarded-prefix'] = { value: prefix };
  const told = { 'x-forwarded-proto': 'https', 'x-forwarded-host': host };
  told[SECRET] = brought.secret;
  cf.updateRequestOrigin({
    domainName: domain,
    hostHeader: host,
    customOriginConfig: { port: ticket.p, protocol: 'http', sslProtocols: ['TLSv1.2'] },
    originAccessControlConfig: { enabled: false },
    timeouts: { connectionTimeout: 3, readTimeout: 120 },
    customHeaders: told,
  });
  return request;
}
