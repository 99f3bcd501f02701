-- Asks the same POST over and over. Arguments: the file of the body, then header lines.
function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local body = file:read("*a")
  file:close()
  local headers = { ["content-type"] = "application/json" }
  for index = 2, #arguments do
    local name, value = arguments[index]:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  request_bytes = wrk.format("POST", "/v1/chat/completions", headers, body)
end

function request()
  return request_bytes
end

-- One line for the benchmark to read.
function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"failed":%d}\n',
    summary.requests, summary.duration, failed))
end
