-- Lists the channels that have messages, or counts them.
-- KEYS: 1 channels, by when the newest message is from
-- ARGV: 1 age in µs, 0 for none  2 command
local clock = redis.call('TIME')
local from = ARGV[1] == '0' and '-inf' or '(' .. string.format('%.0f', clock[1] * 1000000 + clock[2] - ARGV[1])
return {redis.call(ARGV[2], KEYS[1], from, '+inf')}
