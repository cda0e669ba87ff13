-- wrk: POST names that were not sent before. Arguments: file of names, lines to skip, body with NAME where a name goes,
-- milliseconds that a connection waits before it sends.
local names, position, before, after, wait = {}, 0, "", "", 0

function init(arguments)
  local first, number = tonumber(arguments[2]), 0
  for name in io.lines(arguments[1]) do
    number = number + 1
    if number > first then names[#names + 1] = name end
  end
  before, after = arguments[3]:match("^(.*)NAME(.*)$")
  wait = tonumber(arguments[4])
  if wait > 0 then
    function delay() return wait end
  end
  wrk.method = "POST"
end

function request()
  position = position % #names + 1
  -- invented names hold no character that JSON escapes
  return wrk.format(nil, nil, nil, before .. '"' .. names[position] .. '"' .. after)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
