-- Writes one turn: state, effects, deadline and journal entry, together or not at all.
--
-- KEYS: the call, its effects; the partition's due things, its calls; where its deadline waits, if it is to
--       wait
-- ARGV: expected version (empty: a new call), version, state, milliseconds to live, now, deadline (or
--       empty), journal entry, the call's id, how many calls to list, how many effects, since when its
--       deadline is to be among the due things (empty: now), the call's id in bytes;
--       (id, due, body) of each; then the ids of the settled effects
--
-- A call is its version; its deadline in 8 bytes, or 0; the length of its state, a colon, and that; and the
-- entries of its journal, each with its length and a colon before it.
--
-- This is most of what Redis has to do for a call, and each command takes as long as a good deal of Lua: what
-- need not be asked at every turn is not.

local call_key, effects_key, due_key, calls_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local expected, version, deadline, call = ARGV[1], ARGV[2], ARGV[6], ARGV[8]
local ttl = tonumber(ARGV[4])

local standing, journal, before = redis.pcall('GET', call_key), '', 0
if type(standing) == 'table' then
  -- A call of an older callgate, of which only the version is told, and its journal: a list of both, or before
  -- that a hash, and its journal a list beside it.
  local entries
  local partition = string.match(call_key, '^.*}:')
  local older_journal = partition .. 'journal:' .. call
  if redis.call('TYPE', call_key).ok == 'list' then
    standing = redis.call('LINDEX', call_key, 0)
    entries = redis.call('LRANGE', call_key, 1, -1)
  else
    local fields = redis.call('HMGET', call_key, 'n', 't', 's')
    if not (fields[1] and fields[2] and fields[3]) then
      return 'unreadable'
    end
    local turn = string.gsub(string.gsub(fields[2], '-', ''), '%x%x', function(byte)
      return string.char(tonumber(byte, 16))
    end)
    standing = fields[1] .. ':' .. turn
    entries = redis.call('LRANGE', older_journal, 0, -1)
  end
  for i, entry in ipairs(entries) do
    entries[i] = #entry .. ':' .. entry
  end
  before, journal = nil, table.concat(entries)
end
standing = standing or ''
if string.sub(standing, 1, #version) == version then
  -- Replicas are waited for up to what this connection has written last: so it writes something.
  redis.call('PEXPIRE', call_key, ttl)
  return 'yours'
end
local is_new = standing == ''
if is_new ~= (expected == '') or string.sub(standing, 1, #expected) ~= expected then
  return (is_new or string.find(standing, '^%d+:')) and 'conflict' or 'unreadable'
end
if before and not is_new then
  local length, from = string.match(standing, '^(%d+):()', #expected + 9)
  if not length then
    return 'unreadable'
  end
  before, journal = struct.unpack('>I8', standing, #expected + 1), string.sub(standing, from + length)
end

local at = tonumber(deadline) or 0
local own, was_due_to_older = 'd:' .. call, not before
if is_new then
  redis.call('DEL', effects_key)
  redis.call('ZADD', calls_key, ARGV[5], call)
  redis.call('ZREMRANGEBYRANK', calls_key, 0, -1 - tonumber(ARGV[9]))
elseif was_due_to_older then
  local partition = string.match(call_key, '^.*}:')
  redis.call('DEL', partition .. 'journal:' .. call)
  redis.call('ZREM', partition .. 'due3', own)
  redis.call('ZREM', partition .. 'due', own)
end

-- A deadline that waits is where it is to wait already, unless it is another now.
local waits, is_on_due = ARGV[11], false
if waits == '' and at > 0 then
  redis.call('ZADD', due_key, deadline, own)
  is_on_due = true
elseif at ~= before then
  if before ~= 0 then
    redis.call('ZREM', due_key, own)
  end
  if waits ~= '' and redis.call('RPUSH', KEYS[5], ARGV[12]) == 1 then
    redis.call('PEXPIRE', KEYS[5], ttl)
    redis.call('ZADD', due_key, waits, 'f:' .. waits)
    is_on_due = true
  end
end

local effects_begin = 13
local effects_end = effects_begin - 1 + 3 * tonumber(ARGV[10])
for i = effects_end + 1, #ARGV do
  local id = ARGV[i]
  redis.call('HDEL', effects_key, 'b:' .. id, 'a:' .. id, 'l:' .. id)
  redis.call('ZREM', due_key, 'e:' .. call .. ':' .. id)
end
for i = effects_begin, effects_end, 3 do
  local id = ARGV[i]
  if redis.call('HSET', effects_key, 'b:' .. id, ARGV[i + 2], 'a:' .. id, 0) < 2 then
    -- It was there: whoever had claimed it then has it no more.
    redis.call('HDEL', effects_key, 'l:' .. id)
  end
  redis.call('ZADD', due_key, ARGV[i + 1], 'e:' .. call .. ':' .. id)
end
if effects_end >= effects_begin then
  redis.call('PEXPIRE', effects_key, ttl)
  is_on_due = true
end

-- What a partition shares outlives whatever was put on it last, and is made to only when it might not.
if is_on_due and redis.call('PTTL', due_key) < ttl then
  redis.call('PEXPIRE', due_key, 2 * ttl)
end
if is_new and redis.call('PTTL', calls_key) < 1.5 * ttl then
  redis.call('PEXPIRE', calls_key, 2 * ttl)
end

-- At the end: where one of the others is something else, which callgate did not write, there is no turn either.
local state, entry = ARGV[3], ARGV[7]
local turn = { version, struct.pack('>I8', at), #state, ':', state, journal, #entry, ':', entry }
redis.call('SET', call_key, table.concat(turn), 'PX', ttl)
return 'applied'
