-- What is due of some partitions, of each the earliest first.
--
-- KEYS: the partitions' due things
-- ARGV: now, how many of each at most
-- Answers member, moment, member, moment and so on.

local due = {}
for i = 1, #KEYS do
  local head = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
  for j = 1, #head do
    due[#due + 1] = head[j]
  end
end
return due
