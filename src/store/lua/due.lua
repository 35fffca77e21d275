-- What is due of some partitions, of each the earliest first; what an older callgate has had to do is taken
-- over from it when it is due.
--
-- KEYS: of each partition the due things, and those of an older callgate
-- ARGV: now, how many of each at most
-- Answers member, moment, member, moment and so on.

local function head(key)
  return redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
end

local function take_over(older, key)
  local found = head(older)
  if #found == 0 then
    return
  end
  local ttl = redis.call('PTTL', older)
  for j = 1, #found, 2 do
    redis.call('ZADD', key, 'NX', found[j + 1], found[j])
    redis.call('ZREM', older, found[j])
  end
  if redis.call('PTTL', key) < ttl then
    redis.call('PEXPIRE', key, ttl)
  end
end

local due = {}
for i = 1, #KEYS, 2 do
  take_over(KEYS[i + 1], KEYS[i])
  local found = head(KEYS[i])
  for j = 1, #found do
    due[#due + 1] = found[j]
  end
end
return due
