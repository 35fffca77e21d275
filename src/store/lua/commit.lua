-- Writes one turn: state, effects, deadline and journal entry, together or not at all.
--
-- KEYS: the call, its effects, its journal as an older callgate kept it; the partition's due things, its
--       calls, and what was due of them to an older callgate
-- ARGV: expected version (empty: a new call), version, state, milliseconds to live, now, deadline (or
--       empty), journal entry, the call's id, how many calls to list, how many effects;
--       (id, due, body) of each; then the ids of the settled effects
--
-- A call is a list: its version and state in one, then the entries of its journal.

local call_key, expected, version = KEYS[1], ARGV[1], ARGV[2]

-- A call of an older callgate: a hash, and its journal a list beside it.
local function older()
  local fields = redis.call('HMGET', call_key, 'n', 't', 's')
  if not (fields[1] and fields[2] and fields[3]) then
    return ''
  end
  local turn = string.gsub(string.gsub(fields[2], '-', ''), '%x%x', function(byte)
    return string.char(tonumber(byte, 16))
  end)
  return fields[1] .. ':' .. turn .. fields[3]
end

local standing = redis.pcall('LINDEX', call_key, 0)
local is_older = type(standing) == 'table'
if is_older then
  standing = older()
end
standing = standing or ''
if string.sub(standing, 1, #version) == version then
  return 'yours'
end
local is_new = standing == ''
if is_new ~= (expected == '') or string.sub(standing, 1, #expected) ~= expected then
  return 'conflict'
end

local call, ttl = ARGV[8], ARGV[4]
local deadline = 'd:' .. call
if is_new then
  redis.call('RPUSH', call_key, version .. ARGV[3], ARGV[7])
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZADD', KEYS[5], ARGV[5], call)
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[9]))
else
  if is_older then
    local entries = redis.call('LRANGE', KEYS[3], 0, -1)
    redis.call('DEL', call_key, KEYS[3])
    redis.call('ZREM', KEYS[6], deadline)
    redis.call('RPUSH', call_key, '')
    for _, entry in ipairs(entries) do
      redis.call('RPUSH', call_key, entry)
    end
  end
  redis.call('LSET', call_key, 0, version .. ARGV[3])
  redis.call('RPUSH', call_key, ARGV[7])
end
if ARGV[6] == '' then
  redis.call('ZREM', KEYS[4], deadline)
else
  redis.call('ZADD', KEYS[4], ARGV[6], deadline)
end

local effects_end = 10 + 3 * tonumber(ARGV[10])
for i = effects_end + 1, #ARGV do
  local id = ARGV[i]
  redis.call('HDEL', KEYS[2], 'b:' .. id, 'a:' .. id, 'l:' .. id)
  redis.call('ZREM', KEYS[4], 'e:' .. call .. ':' .. id)
end
for i = 11, effects_end, 3 do
  local id = ARGV[i]
  redis.call('HSET', KEYS[2], 'b:' .. id, ARGV[i + 2], 'a:' .. id, 0)
  redis.call('HDEL', KEYS[2], 'l:' .. id)
  redis.call('ZADD', KEYS[4], ARGV[i + 1], 'e:' .. call .. ':' .. id)
end

for i = 1, 2 do
  redis.call('PEXPIRE', KEYS[i], ttl)
end
-- What a partition shares lives as long as the longest-lived call in it.
for i = 4, 5 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ttl) then
    redis.call('PEXPIRE', KEYS[i], ttl)
  end
end
return 'applied'
