-- Writes a record if its revision is still the expected one.
--
-- KEYS: the record
-- ARGV: expected revision (empty: none), the new revision, value, milliseconds to live
--
-- A record is its revision, a colon, and its value.

-- Longer than any revision and its colon.
local standing = redis.pcall('GETRANGE', KEYS[1], 0, 20)
if type(standing) == 'table' then
  -- A record of an older callgate: a hash.
  standing = redis.call('HGET', KEYS[1], 'r') or ''
else
  standing = string.match(standing, '^(%d+):') or ''
end
if standing ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[3], 'PX', ARGV[4])
return 1
