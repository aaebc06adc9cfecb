// The edge in AWS: a CloudFront Function (viewer request, runtime 2.0). Exchanges a visitor's entry ticket for a session ticket, which lives in a
// cookie for the session alone, and points every request at the gate that the ticket names, with a proof that only an edge can make. Keeps no state
// and believes nothing but tickets: the same rules as gate/src/edge.rs and gate/src/places.rs, held together by tests/plans/edge_function.rs. That
// runtime knows less than browsers do: no destructuring, no for-of, no shorthand properties here.
//
// Its key-value store holds: `keys` (the edge's key, and after a comma the one before), `session-host` (such as {session}.cast.example.com, or
// /s/{session} where sessions are paths of one host; return.js then mends the replies), `gate-host` (what a gate's address is called in DNS, such as ec2-{address}.eu-central-1.compute.amazonaws.com), `control-url`.
import cf from 'cloudfront';
import crypto from 'crypto';

const COOKIES = ['__Host-cast-session', 'cast-session'];
const MAX_TICKET = 8192;
const GATE_PORT = 18080;
const SESSION = /^s[a-z2-7]{26}$/;
const ADDRESS = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;
const PATHS = '/s/{session}';
const HTTPS_ONLY = 'max-age=31536000';

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest('base64url');
const signed = (key, purpose, text) => hmac(hmac(key, purpose), text);

// Looks at every character, wherever they differ.
function same(left, right) {
  let difference = left.length ^ right.length;
  for (let i = 0; i < left.length; i++) difference |= left.charCodeAt(i) ^ right.charCodeAt(i % (right.length || 1));
  return difference === 0;
}

// What a ticket says, and the key that signed it for this purpose; null when it is none of ours.
function open(text, keys, purpose) {
  const parts = text.length > MAX_TICKET ? [] : text.split('.');
  if (parts.length !== 3 || parts[0] !== 'v1') return null;
  for (let i = 0; i < keys.length; i++) {
    const key = Buffer.from(keys[i].trim(), 'base64url');
    if (!same(signed(key, purpose, 'v1.' + parts[1]), parts[2])) continue;
    return { says: JSON.parse(Buffer.from(parts[1], 'base64url').toString()), told: parts[1], key: key };
  }
  return null;
}

// What the request's cookies open, the owner's before a watcher's. A page may have planted a cookie beside ours, so the first need not be the right one.
function opened(request, keys, session, now) {
  let found = null;
  COOKIES.forEach((name) => {
    const cookie = request.cookies[name], texts = cookie ? cookie.multiValue || [cookie] : [];
    texts.forEach((one) => {
      const ticket = found && found.says.o === 'owner' ? null : open(one.value, keys, 'session ticket');
      const good = ticket && ticket.says.s === session && now < ticket.says.e;
      if (good && (!found || ticket.says.o === 'owner')) found = ticket;
    });
  });
  return found;
}

// Whether a gate can be there: on no loopback, link-local or reserved address, and at the gates' port only.
function isPlace(host, port) {
  const parts = ADDRESS.test(host) ? host.split('.').map(Number) : [0], first = parts[0];
  const bad = first === 0 || first === 127 || first >= 224 || (first === 169 && parts[1] === 254) || host === '168.63.129.16';
  return port === GATE_PORT && !bad && parts.every((part) => part < 256);
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
      'strict-transport-security': { value: HTTPS_ONLY },
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

async function handler(event) {
  const request = event.request, store = cf.kvs(), headers = request.headers;
  const host = ((headers.host && headers.host.value) || '').toLowerCase().split(':')[0];
  const template = await store.get('session-host'), session = sessionOf(host, request.uri, template);
  if (!session) {
    return notice(404, 'There is nothing at this address', 'Check the link, or open it again.');
  }
  const prefix = template === PATHS ? '/s/' + session : '', uri = request.uri.slice(prefix.length);
  if (!uri) {
    const moved = { location: { value: prefix + '/' }, 'cache-control': { value: 'no-store' }, 'referrer-policy': { value: 'no-referrer' } };
    moved['strict-transport-security'] = { value: HTTPS_ONLY };
    return { statusCode: 303, statusDescription: 'See Other', headers: moved, cookies: {} };
  }
  const keys = (await store.get('keys')).split(','), now = Date.now();
  const refuse = async (status, title, detail) => notice(status, title, detail, await store.get('control-url') + '/session/' + session);
  const stranger = () => refuse(403, 'This session is not open to you',
    'It belongs to somebody else, or it has ended. Open the link again to get a session of your own.');
  const known = opened(request, keys, session, now);
  let brought = known, entry = '', cookie = '';

  if (uri === '/.cast/enter' && request.method === 'GET') {
    const query = request.querystring, once = (name) => (query[name] && !query[name].multiValue ? query[name].value : '');
    const twice = (query.ticket && query.ticket.multiValue) || (query.go && query.go.multiValue);
    const entered = open(twice ? '' : once('ticket'), keys, 'entry ticket');
    if (!entered) return stranger();
    const ticket = entered.says.t, go = once('go');
    if (now >= entered.says.e || now >= ticket.e) {
      return refuse(410, 'This address has been used',
        "It lets you in once, within half a minute. Open the session's own page, or the link that led you here, to enter again.");
    }
    if (ticket.s !== session) return stranger();
    const told = Buffer.from(JSON.stringify(ticket)).toString('base64url'), text = 'v1.' + told;
    entry = entered.says.n + '.' + entered.says.e;
    // Whoever owns the session and opens its share link stays its owner.
    if (ticket.o === 'owner' || !known || known.says.o !== 'owner') {
      cookie = COOKIES[prefix ? 1 : 0] + '=' + text + '.' + signed(entered.key, 'session ticket', text)
        + '; Path=' + prefix + '/; Max-Age=' + Math.floor((ticket.e - now) / 1000) + '; HttpOnly; SameSite=Lax; Secure';
    }
    brought = { says: ticket, told: told, key: entered.key };
    // A signed text is base64url and dots; what is not goes no further.
    request.querystring = /^[A-Za-z0-9_.-]+$/.test(go) ? { go: { value: go } } : {};
  }

  if (!brought) return stranger();
  // No gate is there, or none any more.
  if (!isPlace(brought.says.h, brought.says.p)) return refuse(410, 'This session has ended', 'Open the link again to get a new one.');
  // The edge is where visitors arrive: what they say about themselves, or in its name, is dropped.
  Object.keys(headers).forEach((name) => {
    if (name.startsWith('x-forwarded-') || name.startsWith('x-cast-') || name === 'forwarded' || name === 'x-real-ip') delete headers[name];
  });
  request.uri = uri;
  if (prefix) headers['x-forwarded-prefix'] = { value: prefix };
  const told = { 'x-forwarded-proto': 'https', 'x-forwarded-host': host, 'x-cast-edge-visitor': brought.told };
  if (entry) told['x-cast-edge-entry'] = entry;
  if (cookie) told['x-cast-edge-cookie'] = cookie;
  told['x-cast-edge-proof'] = signed(brought.key, session, ['edge', brought.told, entry, cookie].join('\n'));
  cf.updateRequestOrigin({
    domainName: (await store.get('gate-host')).replace('{address}', brought.says.h.split('.').join('-')),
    hostHeader: host,
    customOriginConfig: { port: brought.says.p, protocol: 'http', sslProtocols: ['TLSv1.2'] },
    originAccessControlConfig: { enabled: false },
    timeouts: { connectionTimeout: 3, readTimeout: 120 },
    customHeaders: told,
  });
  return request;
}
