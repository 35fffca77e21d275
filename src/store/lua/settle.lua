-- Erases a delivered effect, if the lease is still ours.
--
-- KEYS: the call's effects, the partition's due things
-- ARGV: the effect's id, its place among the due things, the lease

local id = ARGV[1]
if redis.call('HGET', KEYS[1], 'l:' .. id) ~= ARGV[3] then
  return 0
end
redis.call('HDEL', KEYS[1], 'b:' .. id, 'a:' .. id, 'l:' .. id)
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
