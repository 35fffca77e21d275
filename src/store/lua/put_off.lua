-- Makes a claimed effect due again with a new body, if the lease is still ours.
--
-- KEYS: the call's effects, the partition's due things
-- ARGV: the effect's id, its place among the due things, the lease, when it is due, its new body

local id = ARGV[1]
if redis.call('HGET', KEYS[1], 'l:' .. id) ~= ARGV[3] then
  return 0
end
redis.call('HSET', KEYS[1], 'b:' .. id, ARGV[5])
redis.call('HDEL', KEYS[1], 'l:' .. id)
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
local ttl = redis.call('PTTL', KEYS[1])
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return 1
