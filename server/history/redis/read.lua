-- Finds where a reader goes on, and reads from there.
-- KEYS: 1 stream  2 meta  3 epochs of the log
-- ARGV: 1 kind  2 epoch  3 number  4 check  5 limit  6 most messages  7 age in µs  8 new epoch of the log
--       9 bytes of objects that are enough, 0 if none are  10 seconds that meta stays at least while somebody reads
-- Returns epoch, id before the first message of the page, reason of the gap, missed, last id, its time, and per
-- message id, time, object; the time of the message before the first one, how long ago the fifth newest was, the id of the
-- page's last message and its time.
local function number(n) return string.format('%.0f', n) end
local function idOf(e) return tonumber(string.match(e[1], '%d+')) end
local function field(e, name)
  for i = 1, #e[2], 2 do if e[2][i] == name then return e[2][i + 1] end end
end
local function timeOf(e) return tonumber(field(e, 't')) end
local function range(from, to, count) return redis.call('XRANGE', KEYS[1], number(from) .. '-0', number(to) .. '-0', 'COUNT', number(count)) end

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local epochs = redis.call('HMGET', KEYS[3], 'now', 'before')
if not epochs[1] then
  redis.call('HSET', KEYS[3], 'now', ARGV[8], 'since', number(now))
  redis.call('EXPIRE', KEYS[3], 172800)
  epochs[1] = ARGV[8]
end
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'last', 'time', 'dropped', 'droppedTime')
local epoch, last, lastTime = epochs[1], 0, 0
if meta[1] then epoch, last, lastTime = meta[1], tonumber(meta[2]), tonumber(meta[3]) end

-- The first message that is within the bounds, by halving: what is too old or too much is trimmed later.
local function firstAfter(low, gone)
  local high = last + 1
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local e = range(middle, last, 1)[1]
    if e and gone(e) then low = idOf(e) else high = middle end
  end
  return low
end
local oldest = meta[1] and redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local dropped = last
if oldest then
  local age, most = tonumber(ARGV[7]), tonumber(ARGV[6])
  dropped = firstAfter(idOf(oldest) - 1, function(e) return idOf(e) <= last - most and most > 0 or age > 0 and timeOf(e) <= now - age end)
  local first = range(dropped + 1, last, 1)[1]
  dropped = first and idOf(first) - 1 or last -- those between have left, too
end

-- The time of a message, also of one that was dropped last; 0 if it is not known.
local function timeAt(id)
  local e = id > 0 and range(id, id, 1)[1]
  if e then return timeOf(e) end
  if id == last then return lastTime end
  return id > 0 and meta[4] and id == tonumber(meta[4]) and tonumber(meta[5]) or 0
end

local kind, n, after, reason, missed = ARGV[1], tonumber(ARGV[3]), last, '', 0
local ofLog = ARGV[2] ~= '' and (ARGV[2] == epochs[1] or ARGV[2] == epochs[2])
local back = kind == 'before'
if kind == 'last' then
  after = math.max(dropped, last - n)
elseif kind == 'id' then
  after = n > last and dropped or math.max(n, dropped)
elseif kind == 'time' then
  after = firstAfter(dropped, function(e) return timeOf(e) <= n end)
elseif (kind == 'cursor' or back) and ARGV[2] ~= '' then
  local checked = n <= last and timeAt(n) or 0
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

-- Who reads on in a channel whose messages have left keeps it from being forgotten. Reading must not fail where nothing can be written.
if kind == 'cursor' and meta[1] and dropped == last and ARGV[2] == epoch and redis.call('TTL', KEYS[2]) < ARGV[10] - 60 then
  redis.pcall('EXPIRE', KEYS[2], ARGV[10])
end

-- What has left from between is skipped, and up to the next such place is read.
local step, limit, enough = back and -1 or 1, tonumber(ARGV[5]), tonumber(ARGV[9])
local function some(from, count)
  if not back then return range(from, last, count) end
  if from <= dropped then return {} end
  return redis.call('XREVRANGE', KEYS[1], number(from) .. '-0', number(dropped + 1) .. '-0', 'COUNT', number(count))
end
local from = back and after or after + 1
local first = some(from, 1)[1]
local begin = first and idOf(first) or (back and dropped or last + 1)
if not back then
  if kind == 'cursor' and begin > from and (reason == '' or reason == 'expired') then reason, missed = 'expired', missed + begin - from end
end
local messages, size, count, id, chunk = {}, 0, 0, begin, enough > 0 and 4 or limit
local more = first ~= nil
while more and count < limit and not (enough > 0 and size >= enough) do
  local found = some(id, math.min(chunk, limit - count))
  more = #found > 0
  for _, e in ipairs(found) do
    if idOf(e) ~= id or enough > 0 and size >= enough then more = false break end
    local object = field(e, 'o')
    messages[#messages + 1], messages[#messages + 2], messages[#messages + 3] = number(id), field(e, 't'), object
    size, count, id = size + #object, count + 1, id + step
  end
  if enough > 0 and count > 0 then chunk = math.max(1, math.ceil((enough - size) * count / size)) end
end
local start, stop = begin - 1, id - 1
if back then start, stop = id, begin end
local fifth = last >= 5 and range(last - 4, last - 4, 1)[1]
return {epoch, number(start), reason, number(missed), number(last), number(lastTime), messages, number(timeAt(start)),
  fifth and number(now - timeOf(fifth)) or '-1', number(stop), number(timeAt(stop))}
