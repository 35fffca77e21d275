-- Claims those candidates that are still due, and drops those whose call or effect is gone.
--
-- KEYS: of each candidate the due things of its partition; and its call's effects, or its call
-- ARGV: now, until, lease; then the candidates, as they stand among the due things
-- Answers (candidate, attempt, body) of each that was claimed; a deadline has attempt 0. Where the effects of its
-- call are no effects, its body is empty, and it is due no more.

local claimed = {}
for i = 1, #KEYS / 2 do
  local due, home, member = KEYS[2 * i - 1], KEYS[2 * i], ARGV[i + 3]
  local at = redis.call('ZSCORE', due, member)
  if at and tonumber(at) <= tonumber(ARGV[1]) then
    local effect = string.match(member, '^e:[^:]+:(.+)$')
    local kept = effect and redis.pcall('HMGET', home, 'b:' .. effect, 'a:' .. effect)
    if kept and kept.err then
      redis.call('ZREM', due, member)
      claimed[#claimed + 1] = { member, 1, '' }
    elseif kept and kept[1] then
      local attempt = (tonumber(kept[2]) or 0) + 1
      redis.call('HSET', home, 'a:' .. effect, attempt, 'l:' .. effect, ARGV[3])
      redis.call('ZADD', due, ARGV[2], member)
      claimed[#claimed + 1] = { member, attempt, kept[1] }
    elseif not effect and redis.call('EXISTS', home) == 1 then
      redis.call('ZADD', due, ARGV[2], member)
      claimed[#claimed + 1] = { member, 0, '' }
    else
      redis.call('ZREM', due, member)
    end
  end
end
return claimed
