-- Writes a small record if its revision is still the expected one.
--
-- KEYS: where it is to lie, and where else it may lie
-- ARGV: its name there, expected revision (empty: none), the second in which it runs out in 4 bytes, the new
--       revision, value, milliseconds for which what it lies in is to live, the present second
--
-- A small record is the second in which it runs out, its revision, a colon, and its value.

local revision, at = '', nil
for i = 1, #KEYS do
  local kept = redis.call('HGET', KEYS[i], ARGV[1])
  if kept and struct.unpack('>I4', kept) > tonumber(ARGV[7]) then
    revision, at = string.match(kept, '^(%d+):', 5) or 'unreadable', i
  end
end
if revision ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ARGV[4] .. ':' .. ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if at and at ~= 1 then
  redis.call('HDEL', KEYS[at], ARGV[1])
end
return 1
