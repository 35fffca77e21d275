-- Writes one turn: state, effects, deadline and journal entry, together or not at all.
--
-- KEYS: the call, its effects, its journal; the partition's due things and its calls
-- ARGV: expected number and turn (empty: a new call), number, turn, state, milliseconds to live,
--       now, deadline (or empty), journal entry, the call's id, how many calls to list,
--       how many effects; (id, due, body) of each; then the ids of the settled effects

local standing = redis.call('HMGET', KEYS[1], 'n', 't')
local number, turn = standing[1] or '', standing[2] or ''
if number == ARGV[3] and turn == ARGV[4] then
  return 'yours'
end
if number ~= ARGV[1] or turn ~= ARGV[2] then
  return 'conflict'
end

local call, ttl = ARGV[10], ARGV[6]
local deadline = 'd:' .. call
if number == '' then
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZADD', KEYS[5], ARGV[7], call)
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[11]))
end
redis.call('HSET', KEYS[1], 'n', ARGV[3], 't', ARGV[4], 's', ARGV[5])
redis.call('RPUSH', KEYS[3], ARGV[9])
if ARGV[8] == '' then
  redis.call('ZREM', KEYS[4], deadline)
else
  redis.call('ZADD', KEYS[4], ARGV[8], deadline)
end

local effects_end = 12 + 3 * tonumber(ARGV[12])
for i = effects_end + 1, #ARGV do
  local id = ARGV[i]
  redis.call('HDEL', KEYS[2], 'b:' .. id, 'a:' .. id, 'l:' .. id)
  redis.call('ZREM', KEYS[4], 'e:' .. call .. ':' .. id)
end
for i = 13, effects_end, 3 do
  local id = ARGV[i]
  redis.call('HSET', KEYS[2], 'b:' .. id, ARGV[i + 2], 'a:' .. id, 0)
  redis.call('HDEL', KEYS[2], 'l:' .. id)
  redis.call('ZADD', KEYS[4], ARGV[i + 1], 'e:' .. call .. ':' .. id)
end

for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ttl)
end
-- What a partition shares lives as long as the longest-lived call in it.
for i = 4, 5 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ttl) then
    redis.call('PEXPIRE', KEYS[i], ttl)
  end
end
return 'applied'
