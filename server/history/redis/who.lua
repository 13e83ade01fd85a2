-- Tells who is here.
-- KEYS: 1 people of a channel  2 mark that their count was told
-- ARGV: 1 up to how many have their names told  2 ms for which the mark stays, or 0 to tell no count
-- Returns how many there are, whether to tell the count, and the names.
local count = redis.call('HLEN', KEYS[1])
local tell = 0
if ARGV[2] ~= '0' and redis.call('SET', KEYS[2], count, 'NX', 'PX', ARGV[2]) then tell = 1 end
return {count, tell, count <= tonumber(ARGV[1]) and redis.call('HKEYS', KEYS[1]) or {}}
