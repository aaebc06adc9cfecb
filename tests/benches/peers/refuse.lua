-- Owns what wrk sends and reports: one request, from one address or from many (X-Forwarded-For), and a JSON line at the end.
local requests, turn = {}, 0

function init(arguments)
  local many = tonumber(arguments[1])
  for number = 1, many do
    wrk.headers["X-Forwarded-For"] = string.format("192.0.%d.%d", math.floor(number / 250), number % 250 + 1)
    requests[number] = wrk.format(arguments[2], nil, nil, os.getenv("PEERS_BODY"))
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "median": %f, "p95": %f}\n',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e6, latency:percentile(95) / 1e6))
end
