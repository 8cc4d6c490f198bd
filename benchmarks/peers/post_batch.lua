-- Posts message.json (beside this file) a hundred times in one body, as NDJSON, to BENCH_PATH, with BENCH_KEY as the Authorization header where it is set.
-- Prints one JSON line at the end. A redirect counts as a failure, which wrk's own count leaves out.
local threads = {}
local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local file = assert(io.open(folder .. "message.json", "rb"))

wrk.method = "POST"
wrk.path = os.getenv("BENCH_PATH") or wrk.path
wrk.body = string.rep(file:read("*a"):gsub("%s+$", "") .. "\n", 100)
wrk.headers["Content-Type"] = "application/x-ndjson"
wrk.headers["Authorization"] = os.getenv("BENCH_KEY")
file:close()

non2xx = 0

function setup(thread)
  table.insert(threads, thread)
end

function response(status)
  if status < 200 or status > 299 then
    non2xx = non2xx + 1
  end
end

function done(summary, latency)
  local failed, errors = 0, summary.errors
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("non2xx")
  end
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"non2xx":%d,"socketErrors":%d,"p50Ms":%.2f,"p99Ms":%.2f}\n',
    summary.requests, summary.duration / 1e6, failed,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
