-- Writes small records whose revisions are still the expected ones.
--
-- KEYS: of each where it is to lie, and the two places where else it may lie
-- ARGV: the present second, the second in which they run out in 4 bytes, milliseconds for which what they lie
--       in is to live; of each its name there, its expected revision (empty: none), the new revision, the value
-- Answers of each whether it was.
--
-- One that has not run out lies in one place alone. A small record is the second in which it runs out, its
-- revision, a colon, and its value.

local swapped = {}
for i = 1, #KEYS / 3 do
  local place, name = 3 * i - 2, ARGV[4 * i]
  local revision, at = '', nil
  for j = place, place + 2 do
    local kept = redis.call('HGET', KEYS[j], name)
    if kept and struct.unpack('>I4', kept) > tonumber(ARGV[1]) then
      revision, at = string.match(kept, '^(%d+):', 5) or 'unreadable', j
      break
    end
  end
  swapped[i] = 0
  if revision == ARGV[4 * i + 1] then
    redis.call('HSET', KEYS[place], name, ARGV[2] .. ARGV[4 * i + 2] .. ':' .. ARGV[4 * i + 3])
    -- Where it lies already it is known when all there are to be forgotten.
    if at ~= place then
      redis.call('PEXPIRE', KEYS[place], ARGV[3])
      if at then
        redis.call('HDEL', KEYS[at], name)
      end
    end
    swapped[i] = 1
  end
end
return swapped
