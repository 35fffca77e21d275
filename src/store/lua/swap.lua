-- Writes records whose revisions are still the expected ones.
--
-- KEYS: the records
-- ARGV: milliseconds to live; of each its expected revision (empty: none), the new revision, the value
-- Answers of each whether it was.
--
-- A record is its revision, a colon, and its value.

local swapped = {}
for i = 1, #KEYS do
  -- Longer than any revision and its colon.
  local standing = redis.pcall('GETRANGE', KEYS[i], 0, 20)
  if type(standing) == 'table' then
    -- A record of an older callgate: a hash.
    standing = redis.call('HGET', KEYS[i], 'r') or ''
  else
    standing = string.match(standing, '^(%d+):') or ''
  end
  swapped[i] = 0
  if standing == ARGV[3 * i - 1] then
    redis.call('SET', KEYS[i], ARGV[3 * i] .. ':' .. ARGV[3 * i + 1], 'PX', ARGV[1])
    swapped[i] = 1
  end
end
return swapped
