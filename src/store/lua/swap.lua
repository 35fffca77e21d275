-- Writes a record if its revision is still the expected one.
--
-- KEYS: the record
-- ARGV: expected revision (empty: none), the new revision, value, milliseconds to live

if (redis.call('HGET', KEYS[1], 'r') or '') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'r', ARGV[2], 'v', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
