// The way back, where sessions are paths of one host: a CloudFront Function (viewer response, runtime 2.0). Puts a session's path back onto the cookies
// and redirects of its app: the same rules as gate/src/path_mode.rs, held together by tests/plans/edge_function.rs. On hosts of their own, nothing changes.
const OURS = ['__host-cast-session', 'cast-session'];

// The path of the session that was asked for, whether or not router.js's changes to the request are seen here.
function prefixOf(request) {
  const told = request.headers['x-forwarded-prefix'], found = /^\/s\/s[a-z2-7]{26}(?=\/)/.exec(request.uri);
  const prefix = found ? found[0] : (told && told.value) || '';
  return /^\/s\/s[a-z2-7]{26}$/.test(prefix) ? prefix : '';
}

// `location` under `prefix`, if it is a path on this host.
function placed(location, host, prefix) {
  let path = location;
  if (!path.startsWith('/') || path.startsWith('//')) {
    const parts = /^https?:\/\/([^/]*)(.*)$/.exec(location);
    if (!parts || parts[1].toLowerCase() !== host) return location;
    path = parts[2] || '/';
  }
  const rest = path.startsWith(prefix) ? path.slice(prefix.length) : 'elsewhere';
  // An app that heeds X-Forwarded-Prefix has put it there itself.
  return rest === '' || '/?#'.indexOf(rest[0]) >= 0 ? path : prefix + path;
}

function tame(cookie, prefix) {
  const kept = [];
  (cookie.attributes || '').split(';').forEach((part) => {
    const name = part.split('=')[0].trim().toLowerCase(), value = part.slice(part.indexOf('=') + 1).trim();
    if (name === 'path' && value.startsWith('/')) kept.push('Path=' + prefix + value);
    else if (name && name !== 'domain') kept.push(part.trim());
  });
  cookie.attributes = kept.join('; ');
}

function handler(event) {
  const request = event.request, response = event.response, prefix = prefixOf(request);
  if (!prefix) return response;
  const path = request.uri.startsWith(prefix + '/') ? request.uri.slice(prefix.length) : request.uri;
  // What router.js itself has answered is right already.
  if (path === '/.cast/enter') return response;
  const location = response.headers.location, cookies = response.cookies || {};
  if (location) location.value = placed(location.value, request.headers.host ? request.headers.host.value.toLowerCase() : '', prefix);
  Object.keys(cookies).forEach((name) => {
    if (!name || OURS.indexOf(name.toLowerCase()) >= 0) {
      delete cookies[name];
      return;
    }
    tame(cookies[name], prefix);
    (cookies[name].multiValue || []).forEach((one) => tame(one, prefix));
  });
  return response;
}
