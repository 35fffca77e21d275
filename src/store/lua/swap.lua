-- Writes records whose revisions are still the expected ones.
--
-- KEYS: the records
-- ARGV: milliseconds to live; of each its expected revision (empty: none), the new revision, the value
-- Answers of each whether it was.
--
-- A record is its revision, a colon, and its value.

local swapped = {}
for i = 1, #KEYS do
  local key, expected, record = KEYS[i], ARGV[3 * i - 1], ARGV[3 * i] .. ':' .. ARGV[3 * i + 1]
  if expected == '' then
    swapped[i] = redis.call('SET', key, record, 'PX', ARGV[1], 'NX') and 1 or 0
  else
    -- Longer than any revision and its colon.
    local standing = redis.pcall('GETRANGE', key, 0, 20)
    if type(standing) == 'table' then
      -- A record of an older callgate: a hash.
      standing = redis.call('HGET', key, 'r')
    else
      standing = string.match(standing, '^(%d+):')
    end
    swapped[i] = 0
    if standing == expected then
      redis.call('SET', key, record, 'PX', ARGV[1])
      swapped[i] = 1
    end
  end
end
return swapped
