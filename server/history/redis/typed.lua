-- Tells whether to tell that somebody types.
-- KEYS: 1 mark of who types  2 count of who was told in the channel
-- ARGV: 1 ms for which the mark stays  2 most of a channel in a second
if redis.call('EXISTS', KEYS[1]) == 1 then return {0} end
local n = redis.call('INCR', KEYS[2])
if n == 1 then redis.call('PEXPIRE', KEYS[2], 1000) end
if n > tonumber(ARGV[2]) then return {0} end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return {1}
