-- Appends a message under its channel's next id, makes room for it, and rings.
-- KEYS: 1 stream  2 meta  3 receipt of the idempotency key
-- ARGV: 1 channel  2 object  3 owner  4 most messages  5 age in µs  6 most bytes  7 most bytes of an owner
--       8 most channels  9 most channels of an owner  10 channel that counts towards no limit on channels
--       11 bell  12 new epoch  13 seconds for the receipt, 0 for none  14 seconds that meta stays  15 seconds that messages stay
--       16 bytes that a message takes beyond what was posted  17 beginning of the names of channels' keys
--       18 beginning of the names of lists  19 channel that may be displaced, '' if none was chosen
-- A bound of 0 is none. Lists are of all channels, so a cluster cannot have them:
--   channels  the newest message's time of each that has messages
--   began     who began it; begun: how many each owner has begun; begun:OWNER which, by when
--   owners    the bytes of each one's messages; bytes: of all; owned:OWNER messages by time, oldest: when its oldest is from
-- Returns an outcome, and epoch, id, time, and channel and id of each message that has left to make room.
local channel, object, owner, age, base = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[18]
local function number(n) return string.format('%.0f', n) end
local function list(name) return base .. name end
local function idOf(e) return tonumber(string.match(e[1], '%d+')) end
local function field(e, name)
  for i = 1, #e[2], 2 do if e[2][i] == name then return e[2][i + 1] end end
end

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
if ARGV[13] ~= '0' then
  local receipt = redis.call('HMGET', KEYS[3], 'epoch', 'id', 'time')
  if receipt[1] and now - receipt[3] < ARGV[13] * 1000000 then return {1, receipt[1], receipt[2], receipt[3]} end
end

local left = {}

-- One less of a list that counts by name.
local function less(name, member, n)
  if tonumber(redis.call('ZINCRBY', list(name), number(-n), member)) <= 0 then redis.call('ZREM', list(name), member) end
end

local function weigh(by, n)
  if redis.call('INCRBY', list('bytes'), number(n)) < 0 then redis.call('DEL', list('bytes')) end
  less('owners', by, -n)
end

-- A message in the list of its owner: channel, id, bytes.
local function memberOf(of, id, text) return of .. ' ' .. number(id) .. ' ' .. number(ARGV[16] + #of + #text) end

local function disown(by, member)
  if redis.call('ZREM', list('owned:' .. by), member) == 1 then weigh(by, -tonumber(string.match(member, ' (%d+)$'))) end
end

-- The channel has no messages any more, and is remembered for a while.
local function remember(of) redis.call('EXPIRE', ARGV[17] .. '{' .. of .. '}:meta', ARGV[14] - ARGV[15]) end
local function retire(of)
  redis.call('ZREM', list('channels'), of)
  local by = redis.call('HGET', list('began'), of)
  redis.call('HDEL', list('began'), of)
  if by and redis.call('ZREM', list('begun:' .. by), of) == 1 then less('begun', by, 1) end
end

-- A message leaves its channel. Of the newest that was before all others the time stays, for cursors to be compared with.
local function leave(of, e)
  local stream, meta, id, by = ARGV[17] .. '{' .. of .. '}:log', ARGV[17] .. '{' .. of .. '}:meta', idOf(e), field(e, 'w')
  redis.call('XDEL', stream, e[1])
  if by then disown(by, memberOf(of, id, field(e, 'o'))) end
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if (not first or idOf(first) > id) and redis.call('EXISTS', meta) == 1 then
    redis.call('HSET', meta, 'dropped', number(id), 'droppedTime', field(e, 't'))
  end
  if not first then
    retire(of)
    remember(of)
  elseif redis.call('ZSCORE', list('channels'), of) == field(e, 't') then
    redis.call('ZADD', list('channels'), field(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1], 't'), of)
  end
end

-- The oldest message of an owner makes room, or what is known of one that has expired.
local function evictOldest(by)
  local member = redis.call('ZRANGE', list('owned:' .. by), 0, 0)[1]
  if not member then -- the list was lost
    weigh(by, -tonumber(redis.call('ZSCORE', list('owners'), by)))
    return
  end
  local of, id = string.match(member, '^(%S+) (%d+) ')
  local e = redis.call('XRANGE', ARGV[17] .. '{' .. of .. '}:log', id .. '-0', id .. '-0')[1]
  if e then
    leave(of, e)
    left[#left + 1], left[#left + 2] = of, id
  end
  disown(by, member)
end

-- Messages that have expired must not weigh on others.
local function expireOwned()
  for _, by in ipairs(redis.call('ZRANGEBYSCORE', list('oldest'), '-inf', number(now - age), 'LIMIT', 0, 100)) do
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', list('owned:' .. by), '-inf', number(now - age), 'LIMIT', 0, 1000)) do disown(by, member) end
    local first = redis.call('ZRANGE', list('owned:' .. by), 0, 0, 'WITHSCORES')[2]
    if first then redis.call('ZADD', list('oldest'), first, by) else redis.call('ZREM', list('oldest'), by) end
  end
end

local atOnce = 1000 -- messages that leave for one

local function makeRoom()
  local bytes, ofOwner = tonumber(ARGV[6]), tonumber(ARGV[7])
  for _ = 1, atOnce do
    if ofOwner == 0 or tonumber(redis.call('ZSCORE', list('owners'), owner) or 0) <= ofOwner then break end
    evictOldest(owner)
  end
  local function over() return bytes > 0 and tonumber(redis.call('GET', list('bytes')) or 0) > bytes end
  if over() and age > 0 then expireOwned() end
  for _ = 1, atOnce do
    if not over() then break end
    local largest = redis.call('ZREVRANGE', list('owners'), 0, 0)[1]
    if not largest then break end
    evictOldest(largest)
  end
end

-- Lets the owner begin the channel, or returns the outcome that refuses it.
local function admit()
  local mine, all = redis.call('ZCARD', list('begun:' .. owner)), redis.call('ZCARD', list('channels'))
  if redis.call('ZSCORE', list('channels'), ARGV[10]) then all = all - 1 end
  if ARGV[9] ~= '0' and mine >= tonumber(ARGV[9]) then return {2} end
  if ARGV[8] == '0' or all < tonumber(ARGV[8]) then return end
  local largest = redis.call('ZREVRANGE', list('begun'), 0, 0, 'WITHSCORES')
  if not largest[1] or tonumber(largest[2]) <= mine + 1 then return {3} end
  if ARGV[19] == '' or redis.call('HGET', list('began'), ARGV[19]) ~= largest[1] then
    return {3, redis.call('ZRANGE', list('begun:' .. largest[1]), 0, 99)}
  end
  local last = redis.call('HMGET', ARGV[17] .. '{' .. ARGV[19] .. '}:meta', 'last', 'time')
  for _, e in ipairs(redis.call('XRANGE', ARGV[17] .. '{' .. ARGV[19] .. '}:log', '-', '+')) do
    if field(e, 'w') then disown(field(e, 'w'), memberOf(ARGV[19], idOf(e), field(e, 'o'))) end
  end
  redis.call('DEL', ARGV[17] .. '{' .. ARGV[19] .. '}:log')
  retire(ARGV[19])
  remember(ARGV[19])
  if last[1] then left[#left + 1], left[#left + 2] = ARGV[19], last[1] end
end

local begins = channel ~= ARGV[10]
local newest = redis.call('ZSCORE', list('channels'), channel)
if not newest or age > 0 and tonumber(newest) <= now - age then
  if age > 0 then
    for _, of in ipairs(redis.call('ZRANGEBYSCORE', list('channels'), '-inf', number(now - age))) do retire(of) end
  end
  if begins then
    local refused = admit()
    if refused then return refused end
    redis.call('ZADD', list('begun:' .. owner), number(now), channel)
    redis.call('HSET', list('began'), channel, owner)
    redis.call('ZINCRBY', list('begun'), 1, owner)
  end
end

local meta = redis.call('HMGET', KEYS[2], 'epoch', 'last', 'time')
local epoch, last, before = meta[1], 0, 0
if epoch then
  last, before = tonumber(meta[2]), tonumber(meta[3])
else
  redis.call('DEL', KEYS[1]) -- of an epoch that nobody knows any more
  epoch = ARGV[12]
end
local id, at = last + 1, math.max(now, before + 1)
if last > 0 and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[2], 'dropped', number(last), 'droppedTime', number(before)) -- the stream has expired
end
redis.call('XADD', KEYS[1], number(id) .. '-0', 't', number(at), 'o', object, 'w', owner) -- before the meta: a stream that refuses must leave no hole in the ids
redis.call('HSET', KEYS[2], 'epoch', epoch, 'last', number(id), 'time', number(at))
redis.call('ZADD', list('channels'), number(at), channel)
local member = memberOf(channel, id, object)
redis.call('ZADD', list('owned:' .. owner), number(at), member)
redis.call('ZADD', list('oldest'), 'NX', number(at), owner)
weigh(owner, tonumber(string.match(member, ' (%d+)$')))

local most = tonumber(ARGV[4])
for _ = 1, atOnce do
  local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not e or idOf(e) == id or not (most > 0 and idOf(e) <= id - most or age > 0 and tonumber(field(e, 't')) <= now - age) then break end
  leave(channel, e)
end
makeRoom()

redis.call('EXPIRE', KEYS[1], ARGV[15])
for _, key in ipairs({KEYS[2], list('channels'), list('began'), list('begun'), list('begun:' .. owner), list('owners'), list('bytes'), list('oldest'), list('owned:' .. owner)}) do
  redis.call('EXPIRE', key, ARGV[14])
end
if ARGV[13] ~= '0' then
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'id', number(id), 'time', number(at))
  redis.call('EXPIRE', KEYS[3], ARGV[13])
end
for i = 1, #left, 2 do redis.call('PUBLISH', ARGV[11], '- ' .. left[i] .. ' ' .. left[i + 1]) end
redis.call('PUBLISH', ARGV[11], channel .. ' ' .. epoch .. ' ' .. number(id) .. ' ' .. number(at))
return {0, epoch, number(id), number(at), left}
