-- Claims those candidates that are still due, and drops those whose call or effect is gone.
--
-- KEYS: the partition's due things; then for each candidate its call's effects, or its call
-- ARGV: now, until, lease; then the candidates, as they stand among the due things
-- Answers (candidate, attempt, body) of each that was claimed; a deadline has attempt 0.

local claimed = {}
for i = 2, #KEYS do
  local member = ARGV[i + 2]
  local at = redis.call('ZSCORE', KEYS[1], member)
  if at and tonumber(at) <= tonumber(ARGV[1]) then
    local effect = string.match(member, '^e:[^:]+:(.+)$')
    local body = effect and redis.call('HGET', KEYS[i], 'b:' .. effect)
    if body then
      local attempt = redis.call('HINCRBY', KEYS[i], 'a:' .. effect, 1)
      redis.call('HSET', KEYS[i], 'l:' .. effect, ARGV[3])
      redis.call('ZADD', KEYS[1], ARGV[2], member)
      claimed[#claimed + 1] = { member, attempt, body }
    elseif not effect and redis.call('EXISTS', KEYS[i]) == 1 then
      redis.call('ZADD', KEYS[1], ARGV[2], member)
      claimed[#claimed + 1] = { member, 0, '' }
    else
      redis.call('ZREM', KEYS[1], member)
    end
  end
end
return claimed
