-- Appends a message under its channel's next id, trims what is over the bounds, and rings.
-- KEYS: 1 stream  2 meta  3 receipt of the idempotency key  4 list of channels  5 channels that the owner began
-- ARGV: 1 channel  2 object  3 most messages  4 age in µs  5 most bytes  6 new epoch  7 has a key  8 seconds for the key
--       9 most channels  10 most channels of the owner  11 bell  12 seconds that meta stays  13 seconds that messages stay
--       14 channel that counts towards no limit on channels
-- A bound of 0 is none.
local function number(n) return string.format('%.0f', n) end
local function channels(list)
  return redis.call('ZCARD', list) - (redis.call('ZSCORE', list, ARGV[14]) and 1 or 0)
end

if ARGV[7] == '1' then
  local receipt = redis.call('HMGET', KEYS[3], 'epoch', 'id', 'time')
  if receipt[1] then return {1, receipt[1], receipt[2], receipt[3]} end
end

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local age, meta = tonumber(ARGV[4]), redis.call('HMGET', KEYS[2], 'epoch', 'last', 'time', 'sum')
local first = redis.call('ZSCORE', KEYS[4], ARGV[1]) == false
if first then
  if age > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', number(now - age))
    redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', number(now - age))
  end
  if ARGV[10] ~= '0' and channels(KEYS[5]) >= tonumber(ARGV[10]) then return {2} end
  if ARGV[9] ~= '0' and channels(KEYS[4]) >= tonumber(ARGV[9]) then return {3} end
end

local epoch, last, before, sum = meta[1], 0, 0, 0
if epoch then
  last, before, sum = tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[4])
else
  redis.call('DEL', KEYS[1]) -- of an epoch that nobody knows any more
  epoch = ARGV[6]
end
local id, at = last + 1, math.max(now, before + 1)

-- The oldest entry is kept beyond the bounds, for cursors that stand on it to be compared. If
-- the stream has expired meanwhile, the entry stands for the last message that was in it.
if last > 0 and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], number(last) .. '-0', 't', number(before), 's', number(sum), 'o', '')
end
sum = sum + #ARGV[2]
local add = {'XADD', KEYS[1]}
if ARGV[3] ~= '0' then
  add[#add + 1] = 'MAXLEN'
  add[#add + 1] = number(ARGV[3] + 1)
end
for _, each in ipairs({number(id) .. '-0', 't', number(at), 's', number(sum), 'o', ARGV[2]}) do add[#add + 1] = each end
redis.call(unpack(add)) -- before the meta: a stream that refuses must leave no hole in the ids
redis.call('HSET', KEYS[2], 'epoch', epoch, 'last', number(id), 'time', number(at), 'sum', number(sum))

local bytes = tonumber(ARGV[5])
if age > 0 or bytes > 0 then
  local oldest, cut = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 3), nil
  for i = 2, #oldest do -- all before it may go
    local fields = oldest[i][2]
    if (age > 0 and tonumber(fields[2]) <= at - age) or (bytes > 0 and sum - tonumber(fields[4]) >= bytes) then cut = oldest[i][1] end
  end
  if cut then redis.call('XTRIM', KEYS[1], 'MINID', cut) end
end
redis.call('EXPIRE', KEYS[1], ARGV[13])
redis.call('EXPIRE', KEYS[2], ARGV[12])
redis.call('ZADD', KEYS[4], number(at), ARGV[1])
redis.call('EXPIRE', KEYS[4], ARGV[12])
if first or redis.call('ZSCORE', KEYS[5], ARGV[1]) then
  redis.call('ZADD', KEYS[5], number(at), ARGV[1])
  redis.call('EXPIRE', KEYS[5], ARGV[13])
end
if ARGV[7] == '1' then
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'id', number(id), 'time', number(at))
  redis.call('EXPIRE', KEYS[3], ARGV[8])
end
redis.call('PUBLISH', ARGV[11], ARGV[1] .. ' ' .. epoch .. ' ' .. number(id) .. ' ' .. number(at))
return {0, epoch, number(id), number(at)}
