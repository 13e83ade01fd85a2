-- Rings the bell with nothing but who is asked, so that silence means that the bell is broken. It writes: a server that
-- takes no posts must not look healthy. Returns also how many bytes it may take. The epochs of the log are renewed within the time that a channel is remembered.
-- KEYS: 1 epochs of the log
-- ARGV: 1 bell  2 new epoch  3 µs after which the epoch is renewed
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local epochs = redis.call('HMGET', KEYS[1], 'now', 'since')
if not epochs[1] then
  redis.call('HSET', KEYS[1], 'now', ARGV[2], 'since', string.format('%.0f', now))
elseif now - tonumber(epochs[2]) >= tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'before', epochs[1], 'now', ARGV[2], 'since', string.format('%.0f', now))
end
redis.call('EXPIRE', KEYS[1], 172800)
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
local who = (string.match(info, 'run_id:(%w+)') or '') .. '/' .. (string.match(info, 'master_replid:(%w+)') or '')
redis.call('PUBLISH', ARGV[1], '/ ' .. who) -- no channel is named so
return {who, string.match(redis.call('INFO', 'memory'), 'maxmemory:(%d+)') or '0'}
