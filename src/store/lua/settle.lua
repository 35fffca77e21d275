-- Erases delivered effects whose leases are still ours.
--
-- KEYS: of each its call's effects, and the due things of the partition
-- ARGV: of each its id, its place among the due things, the lease
-- Answers of each whether it was.

local settled = {}
for i = 1, #KEYS / 2 do
  local effects, id = KEYS[2 * i - 1], ARGV[3 * i - 2]
  settled[i] = 0
  -- What lies there may be no effects: then it is nobody's.
  if redis.pcall('HGET', effects, 'l:' .. id) == ARGV[3 * i] then
    redis.call('HDEL', effects, 'b:' .. id, 'a:' .. id, 'l:' .. id)
    redis.call('ZREM', KEYS[2 * i], ARGV[3 * i - 1])
    settled[i] = 1
  end
end
return settled
