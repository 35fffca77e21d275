-- Tries every command that callgate uses, each on a key of its own kind, so that none of them fails for another reason
-- and counts among the errors of the server. In the end nothing is left.
--
-- KEYS: a text, a hash, a list and a sorted set
-- Answers those that the user may not use, or with the error that keeps it from knowing.

local text, hash, list, sorted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local lacking = {}

local function try(command, ...)
  local answer = redis.pcall(command, ...)
  local why = type(answer) == 'table' and answer.err
  -- Redis up to 7.0 says so under no word of its own.
  if why and (string.find(why, 'NOPERM', 1, true) or string.find(why, "The user executing the script can't", 1, true)) then
    lacking[#lacking + 1] = string.lower(command)
  end
  return answer
end

local made = try('SET', text, '', 'PX', 60000)
if type(made) == 'table' and made.err then
  -- It may be a replica, or full: then nothing more is known.
  return #lacking > 0 and lacking or made
end
for _, command in ipairs({
  { 'GET', text },
  { 'GETRANGE', text, 0, 0 },
  { 'EXISTS', text },
  { 'TYPE', text },
  { 'PTTL', text },
  { 'PEXPIRE', text, 60000 },
  { 'HSET', hash, 'f', '' },
  { 'HGET', hash, 'f' },
  { 'HMGET', hash, 'f' },
  { 'HDEL', hash, 'f' },
  { 'RPUSH', list, '' },
  { 'LINDEX', list, 0 },
  { 'LRANGE', list, 0, 0 },
  { 'LPOP', list, 1 },
  { 'ZADD', sorted, 0, 'm' },
  { 'ZSCORE', sorted, 'm' },
  { 'ZCOUNT', sorted, 0, 0 },
  { 'ZRANGEBYSCORE', sorted, 0, 0 },
  { 'ZREVRANGE', sorted, 0, 0 },
  { 'ZREMRANGEBYRANK', sorted, 0, 0 },
  { 'ZREM', sorted, 'm' },
  { 'DEL', text, hash, list, sorted },
}) do
  try(unpack(command))
end
return lacking
