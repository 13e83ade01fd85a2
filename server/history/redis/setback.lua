-- Gives a channel a new epoch, if it has the old one still.
-- KEYS: 1 meta  ARGV: 1 old epoch  2 new epoch
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
  return {1}
end
return {0}
