-- Keeps who is here. A lease is of a name in a channel by an instance; the channel counts for each name how many
-- instances have one.
-- KEYS: 1 leases, by when they end
-- ARGV: 1 what to do  2 beginning of all other names in Redis  3 the instance  4 a number  5 and on: channel, name, channel, name …
-- Returns how many leases were looked at, and changes: for each channel, name, 1 for a join or 0, how many are there, how many changes it had within a second.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local stays = 3600 -- seconds: every key needs an end, and leases are put again long before
local looked, changes = 0, {}

local function key(channel, what) return ARGV[2] .. '{' .. channel .. '}:' .. what end
local function micros(n) return string.format('%.0f', n) end
local function recent(channel, what)
  local n = redis.call('INCR', key(channel, what))
  if n == 1 then redis.call('PEXPIRE', key(channel, what), 1000) end
  return n
end
local function changed(channel, name, joined)
  local count = redis.call('HLEN', key(channel, 'here'))
  for _, each in ipairs({channel, name, joined, count, recent(channel, 'changes')}) do changes[#changes + 1] = each end
end
local function ended(channel, name)
  if redis.call('HINCRBY', key(channel, 'here'), name, -1) <= 0 then
    redis.call('HDEL', key(channel, 'here'), name)
    changed(channel, name, 0)
  end
end
local function each(act)
  for i = 5, #ARGV, 2 do
    act(ARGV[i], ARGV[i + 1], ARGV[i] .. ' ' .. ARGV[3] .. ' ' .. ARGV[i + 1])
  end
end

local act = {}

-- The number is how long leases last, in µs.
function act.put()
  local seen = {}
  each(function(channel, name, lease)
    if redis.call('ZADD', KEYS[1], micros(now + ARGV[4]), lease) == 1 then
      if redis.call('HINCRBY', key(channel, 'here'), name, 1) == 1 then changed(channel, name, 1) end
    else
      redis.call('HSETNX', key(channel, 'here'), name, 1) -- it was evicted
    end
    if not seen[channel] then redis.call('EXPIRE', key(channel, 'here'), stays) end
    seen[channel] = true
  end)
  redis.call('EXPIRE', KEYS[1], stays)
end

function act.take()
  each(function(channel, name, lease)
    if redis.call('ZREM', KEYS[1], lease) == 1 then ended(channel, name) end
  end)
end

-- The number is how long leases last from now, in µs.
function act.release()
  each(function(_, _, lease) redis.call('ZADD', KEYS[1], 'XX', micros(now + ARGV[4]), lease) end)
end

-- The number is how many leases are looked at.
function act.sweep()
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', micros(now), 'LIMIT', 0, ARGV[4])) do
    redis.call('ZREM', KEYS[1], lease)
    looked = looked + 1
    local channel, name = string.match(lease, '^(%S+) %S+ (.*)$')
    ended(channel, name)
  end
end

act[ARGV[1]]()
return {looked, changes}
