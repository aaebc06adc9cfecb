// The edge in AWS: a CloudFront Function (viewer request, runtime 2.0; 10 KB at most). Exchanges a visitor's entry ticket for a session ticket, which
// lives in a cookie of one of the session's origins, points every request at the gate that the ticket names, with a proof that only an edge can make,
// and leads the viewer's frame on to the app's origin. Keeps no state: the same rules as gate/src/edge.rs, held together by
// tests/plans/edge_function.rs. That runtime knows no destructuring, no for-of, no shorthand properties.
//
// Its key-value store holds `keys` (the edge's key, and after a comma the one before), `session-host` ({session}.cast.example.com, or /s/{session} for
// paths of one host; return.js then mends the replies), `gate-host` (gates in DNS: ec2-{address}.eu-central-1.compute.amazonaws.com), `control-url`.
import cf from 'cloudfront';
import crypto from 'crypto';

const COOKIES = ['__Host-cast-session', 'cast-session'];
const MAX_TICKET = 8192;
const GATE_PORT = 18080;
const SESSION = /^s[a-z2-7]{26}$/;
const ADDRESS = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;
const APP_PATH = '/.cast/app';
const DEVTOOLS = '/.cast/devtools/';
const PATHS = '/s/{session}';
const ENTRY_MS = 30000;
// On all replies of its own.
const OURS = {
  'strict-transport-security': { value: 'max-age=31536000' },
  'cache-control': { value: 'no-store' },
  'referrer-policy': { value: 'no-referrer' },
};

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

// Whether a ticket is good here. One of the release before names no origin.
const takes = (at, says) => says.s === at.session && (says.g ? says.g === at.origin : ['viewer', 'shared'].includes(at.origin));

// What the request's cookies open, the owner's before a watcher's. A page may have planted cookies beside ours. DevTools are opened by a header instead.
function opened(request, keys, at, now) {
  let found = null;
  const consider = (text) => {
    const ticket = found && found.says.o === 'owner' ? null : open(text, keys, 'session ticket');
    const good = ticket && takes(at, ticket.says) && now < ticket.says.e;
    if (good && (!found || ticket.says.o === 'owner')) found = ticket;
  };
  if (at.origin === 'devtools') {
    const told = request.headers.authorization, bearer = /^bearer +(\S+)$/i.exec(told && !told.multiValue ? told.value.trim() : '');
    if (bearer) consider(bearer[1]);
    delete request.headers.authorization;
    return found;
  }
  COOKIES.forEach((name) => {
    const cookie = request.cookies[name], texts = cookie ? cookie.multiValue || [cookie] : [];
    texts.forEach((one) => consider(one.value));
  });
  return found;
}

// Whether a gate can be there: on no loopback, link-local or reserved address, and at the gates' port only.
function isPlace(host, port) {
  const parts = ADDRESS.test(host) ? host.split('.').map(Number) : [0], first = parts[0];
  const bad = first === 0 || first === 127 || first >= 224 || (first === 169 && parts[1] === 254) || host === '168.63.129.16';
  return port === GATE_PORT && !bad && parts.every((part) => part < 256);
}

// The session that this request is for, and which of its origins; the app's host is app-{session} beside its viewer's.
function find(host, uri, template) {
  if (template === PATHS) {
    const part = uri.startsWith('/s/') ? uri.split('/')[2] : '';
    return SESSION.test(part) ? { session: part, origin: 'shared' } : null;
  }
  const parts = template.toLowerCase().split('{session}'), before = parts[0], after = parts[1];
  const fits = host.startsWith(before) && host.endsWith(after), name = fits ? host.slice(before.length, -after.length) : '';
  const app = name.startsWith('app-');
  const session = app ? name.slice(4) : name;
  return SESSION.test(session) ? { session: session, origin: app ? 'app' : 'viewer' } : null;
}

function leadTo(location) {
  return { statusCode: 303, statusDescription: 'See Other', headers: Object.assign({ location: { value: location } }, OURS), cookies: {} };
}

// Why there is nothing to show. A page is led to the control plane, which says it in the visitor's language and brand (functions/session/src/edge_notice.rs);
// everything else gets the status and a word.
async function tell(store, headers, status, why, path) {
  const mode = headers['sec-fetch-mode'], accept = headers.accept;
  if (mode ? mode.value === 'navigate' : accept && accept.value.includes('text/html')) return leadTo(await store.get('control-url') + path);
  return { statusCode: status, statusDescription: why, headers: Object.assign({ 'content-type': { value: 'text/plain' } }, OURS), body: why };
}

async function handler(event) {
  const request = event.request, store = cf.kvs(), headers = request.headers;
  const host = ((headers.host && headers.host.value) || '').toLowerCase().split(':')[0];
  const template = await store.get('session-host'), at = find(host, request.uri, template);
  if (!at) return tell(store, headers, 404, 'nothing-here', '/error/not-found');
  const session = at.session, prefix = at.origin === 'shared' ? '/s/' + session : '', uri = request.uri.slice(prefix.length);
  if (!uri) return leadTo(prefix + '/');
  if (at.origin !== 'app' && (uri + '/').startsWith(DEVTOOLS)) at.origin = 'devtools';
  const keys = (await store.get('keys')).split(','), now = Date.now();
  const refuse = (status, why) => tell(store, headers, status, why, '/session/' + session + '?notice=' + why);
  const stranger = () => refuse(403, 'not-yours');
  const known = opened(request, keys, at, now);
  const query = request.querystring, once = (name) => (query[name] && !query[name].multiValue ? query[name].value : '');
  // A signed text is base64url and dots; what is not goes no further.
  const leads = at.origin === 'app' || uri === APP_PATH ? 'to' : 'go', lead = /^[\w.-]+$/.test(once(leads)) ? once(leads) : '';
  let brought = known, entry = '', cookie = '';

  if (uri === APP_PATH && at.origin === 'viewer' && request.method === 'GET') {
    // Only for the viewer's own page.
    const site = headers['sec-fetch-site'], from = headers.origin;
    const own = site ? ['same-origin', 'none'].includes(site.value) : !from || from.value === 'https://' + host;
    if (!known || !known.says.g || !own) return stranger();
    const nonce = crypto.createHash('sha256').update(event.context.requestId).digest('base64url').slice(0, 22);
    known.says.g = 'app';
    const says = JSON.stringify({ t: known.says, n: nonce, e: now + ENTRY_MS }), text = 'v1.' + Buffer.from(says).toString('base64url');
    return leadTo('https://' + host.replace(session, 'app-' + session) + '/.cast/enter?ticket=' + text + '.' + signed(known.key, 'entry ticket', text)
      + (lead ? '&to=' + lead : ''));
  }
  if (uri === '/.cast/enter' && request.method === 'GET') {
    const twice = ['ticket', 'go', 'to'].some((name) => query[name] && query[name].multiValue);
    const entered = open(twice ? '' : once('ticket'), keys, 'entry ticket');
    if (!entered) return stranger();
    const ticket = entered.says.t;
    if (now >= entered.says.e || now >= ticket.e) return refuse(410, 'used');
    if (!takes(at, ticket)) return stranger();
    const told = Buffer.from(JSON.stringify(ticket)).toString('base64url'), text = 'v1.' + told;
    entry = entered.says.n + '.' + entered.says.e;
    // Whoever owns the session and opens its share link stays its owner.
    if (ticket.o === 'owner' || !known || known.says.o !== 'owner') {
      cookie = COOKIES[prefix ? 1 : 0] + '=' + text + '.' + signed(entered.key, 'session ticket', text)
        + '; Path=' + prefix + '/; Max-Age=' + Math.floor((ticket.e - now) / 1000) + '; HttpOnly; SameSite=Lax; Secure';
    }
    brought = { says: ticket, told: told, key: entered.key };
    request.querystring = {};
    if (lead) request.querystring[leads] = { value: lead };
  }

  if (!brought) return stranger();
  if (!isPlace(brought.says.h, brought.says.p)) return refuse(410, 'ended');
  // What visitors say about themselves, or in the edge's name, is dropped.
  Object.keys(headers).forEach((name) => {
    if (/^(x-forwarded-|x-cast-|forwarded$|x-real-ip$)/.test(name)) delete headers[name];
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
