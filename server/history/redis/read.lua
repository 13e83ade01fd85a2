-- Finds where a reader goes on, and reads from there.
-- KEYS: 1 stream  2 meta  3 epochs of the log
-- ARGV: 1 kind  2 epoch  3 number  4 check  5 limit  6 most messages  7 age in µs  8 most bytes  9 new epoch of the log
-- 10 bytes of objects that are enough, 0 if none are
-- Returns epoch, id before the first message of the page, reason of the gap, missed, last id, its time, and per
-- message id, time, object; the check's message's time, and that of the fifth newest message.
local function number(n) return string.format('%.0f', n) end
local function entry(id) return redis.call('XRANGE', KEYS[1], number(id) .. '-0', number(id) .. '-0')[1] end
local function timeOf(e) return tonumber(e[2][2]) end
local function idOf(e) return tonumber(string.match(e[1], '%d+')) end

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local epochs = redis.call('HMGET', KEYS[3], 'now', 'before')
if not epochs[1] then
  redis.call('HSET', KEYS[3], 'now', ARGV[9], 'since', number(now))
  redis.call('EXPIRE', KEYS[3], 172800)
  epochs[1] = ARGV[9]
end
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'last', 'time', 'sum')
local epoch, last, lastTime, sum = epochs[1], 0, 0, 0
if meta[1] then epoch, last, lastTime, sum = meta[1], tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[4]) end

-- The first message that is within the bounds, by halving: what is too old or too much is trimmed later.
local oldest = meta[1] and redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local dropped = last
if oldest then
  local age, bytes, most = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[6])
  local function gone(e)
    return idOf(e) <= last - most and most > 0 or age > 0 and timeOf(e) <= now - age or bytes > 0 and sum - tonumber(e[2][4]) >= bytes
  end
  local low, high = idOf(oldest), last + 1 -- low is gone or the oldest, high is not
  if low == 1 and not gone(oldest) then low = 0 end
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if gone(entry(middle)) then low = middle else high = middle end
  end
  dropped = low
end

local kind, n, after, reason, missed = ARGV[1], tonumber(ARGV[3]), last, '', 0
local ofLog = ARGV[2] ~= '' and (ARGV[2] == epochs[1] or ARGV[2] == epochs[2])
local checked = 0
if kind == 'last' then
  after = math.max(dropped, last - n)
elseif kind == 'id' then
  after = n > last and dropped or math.max(n, dropped)
elseif kind == 'time' then
  local low, high = dropped, last + 1
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if timeOf(entry(middle)) <= n then low = middle else high = middle end
  end
  after = low
elseif kind == 'cursor' or kind == 'before' then
  local on = n > 0 and n <= last and entry(n)
  if on then checked = timeOf(on) elseif n == last then checked = lastTime end
  local differs = ARGV[4] ~= '0' and checked > 0 and checked % 1048573 + 1 ~= tonumber(ARGV[4])
  if ARGV[2] ~= epoch and not ofLog or ofLog and n ~= 0 or differs then
    after, reason = dropped, 'restarted'
  elseif n > last then
    after, reason = dropped, 'ahead'
  elseif n < dropped then
    after, reason, missed = dropped, 'expired', dropped - n
  else
    after = n
  end
end

local limit, from, to = tonumber(ARGV[5]), after + 1, last
if kind == 'before' then
  to = reason == '' and n or after
  from = math.max(dropped + 1, to - limit + 1)
  after = from - 1
end
local messages, size, enough = {}, 0, tonumber(ARGV[10])
if limit > 0 and from <= to then
  for i, e in ipairs(redis.call('XRANGE', KEYS[1], number(from) .. '-0', number(to) .. '-0', 'COUNT', number(limit))) do
    messages[#messages + 1] = number(idOf(e))
    messages[#messages + 1] = e[2][2]
    messages[#messages + 1] = e[2][6]
    size = size + #e[2][6]
    if enough > 0 and size >= enough and kind ~= 'before' then break end
  end
end
local start = after > 0 and entry(after)
local fifth = last >= 5 and entry(last - 4)
return {epoch, number(after), reason, number(missed), number(last), number(lastTime), messages,
  start and start[2][2] or (after == last and number(lastTime) or '0'),
  fifth and number(now - timeOf(fifth)) or '-1'}
