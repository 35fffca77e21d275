-- Writes one turn: state, effects, deadline and journal entry, together or not at all.
--
-- KEYS: the call, its effects, its journal as an older callgate kept it; the partition's due things, its
--       calls, and what was due of them to older callgates, twice; where its deadline waits, if it is to wait
-- ARGV: expected version (empty: a new call), version, state, milliseconds to live, now, deadline (or
--       empty), journal entry, the call's id, how many calls to list, how many effects, since when its
--       deadline is to be among the due things (empty: now), the call's id in bytes;
--       (id, due, body) of each; then the ids of the settled effects
--
-- A call is its version; its deadline in 8 bytes, or 0; the length of its state, a colon, and that; and the
-- entries of its journal, each with its length and a colon before it.

local call_key, expected, version, deadline = KEYS[1], ARGV[1], ARGV[2], ARGV[6]

local function with_length(text)
  return #text .. ':' .. text
end

local function packed(entries)
  for i, entry in ipairs(entries) do
    entries[i] = with_length(entry)
  end
  return table.concat(entries)
end

-- A call of an older callgate, of which only the version is told, and its journal: a list of both, or before
-- that a hash, and its journal a list beside it.
local function older()
  if redis.call('TYPE', call_key).ok == 'list' then
    local standing = redis.call('LINDEX', call_key, 0)
    return standing, packed(redis.call('LRANGE', call_key, 1, -1))
  end
  local fields = redis.call('HMGET', call_key, 'n', 't', 's')
  if not (fields[1] and fields[2] and fields[3]) then
    return '', ''
  end
  local turn = string.gsub(string.gsub(fields[2], '-', ''), '%x%x', function(byte)
    return string.char(tonumber(byte, 16))
  end)
  return fields[1] .. ':' .. turn, packed(redis.call('LRANGE', KEYS[3], 0, -1))
end

local standing, journal, before = redis.pcall('GET', call_key), '', 0
if type(standing) == 'table' then
  standing, journal = older()
  before = nil
end
standing = standing or ''
if string.sub(standing, 1, #version) == version then
  return 'yours'
end
local is_new = standing == ''
if is_new ~= (expected == '') or string.sub(standing, 1, #expected) ~= expected then
  return (is_new or string.find(standing, '^%d+:')) and 'conflict' or 'unreadable'
end
if before and not is_new then
  local length, at = string.match(standing, '^(%d+):()', #expected + 9)
  if not length then
    return 'unreadable'
  end
  before, journal = struct.unpack('>I8', standing, #expected + 1), string.sub(standing, at + length)
end

local call, ttl = ARGV[8], ARGV[4]
if is_new then
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZADD', KEYS[5], ARGV[5], call)
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[9]))
elseif not before then
  redis.call('DEL', KEYS[3])
  redis.call('ZREM', KEYS[6], 'd:' .. call)
  redis.call('ZREM', KEYS[7], 'd:' .. call)
end
local at = tonumber(deadline) or 0
local turn = { version, struct.pack('>I8', at), with_length(ARGV[3]), journal, with_length(ARGV[7]) }
redis.call('SET', call_key, table.concat(turn), 'PX', ttl)

-- A deadline that waits is where it is to wait already, unless it is another now.
local waits = ARGV[11]
if waits == '' and at > 0 then
  redis.call('ZADD', KEYS[4], deadline, 'd:' .. call)
elseif at ~= before then
  if before ~= 0 then
    redis.call('ZREM', KEYS[4], 'd:' .. call)
  end
  if waits ~= '' then
    redis.call('RPUSH', KEYS[8], ARGV[12])
    redis.call('PEXPIRE', KEYS[8], ttl)
    redis.call('ZADD', KEYS[4], waits, 'f:' .. waits)
  end
end

local effects_begin = 13
local effects_end = effects_begin - 1 + 3 * tonumber(ARGV[10])
for i = effects_end + 1, #ARGV do
  local id = ARGV[i]
  redis.call('HDEL', KEYS[2], 'b:' .. id, 'a:' .. id, 'l:' .. id)
  redis.call('ZREM', KEYS[4], 'e:' .. call .. ':' .. id)
end
for i = effects_begin, effects_end, 3 do
  local id = ARGV[i]
  redis.call('HSET', KEYS[2], 'b:' .. id, ARGV[i + 2], 'a:' .. id, 0)
  redis.call('HDEL', KEYS[2], 'l:' .. id)
  redis.call('ZADD', KEYS[4], ARGV[i + 1], 'e:' .. call .. ':' .. id)
end

redis.call('PEXPIRE', KEYS[2], ttl)
-- What a partition shares lives as long as the longest-lived call in it.
for i = 4, 5 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ttl) then
    redis.call('PEXPIRE', KEYS[i], ttl)
  end
end
return 'applied'
