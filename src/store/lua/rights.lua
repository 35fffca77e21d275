-- Tries every command that callgate uses, on a key of its own: a string, on which nothing else does anything.
--
-- KEYS: that key
-- Answers those that the user may not use.

local lacking = {}

local function try(command, ...)
  local answer = redis.pcall(command, KEYS[1], ...)
  local why = type(answer) == 'table' and answer.err
  -- Redis up to 7.0 says so under no word of its own.
  if why and (string.find(why, 'NOPERM', 1, true) or string.find(why, "The user executing the script can't", 1, true)) then
    lacking[#lacking + 1] = string.lower(command)
  end
  return answer
end

local made = try('SET', '', 'PX', 60000)
if type(made) == 'table' and made.err then
  -- It may be a replica, or full: nothing more is known then.
  return lacking
end
for _, command in ipairs({
  { 'GET' },
  { 'GETRANGE', 0, 0 },
  { 'EXISTS' },
  { 'TYPE' },
  { 'PTTL' },
  { 'PEXPIRE', 60000 },
  { 'HGET', 'f' },
  { 'HMGET', 'f' },
  { 'HSET', 'f', '' },
  { 'HDEL', 'f' },
  { 'LINDEX', 0 },
  { 'LRANGE', 0, 0 },
  { 'LPOP', 1 },
  { 'RPUSH', '' },
  { 'ZADD', 0, 'm' },
  { 'ZREM', 'm' },
  { 'ZSCORE', 'm' },
  { 'ZCOUNT', 0, 0 },
  { 'ZRANGEBYSCORE', 0, 0 },
  { 'ZREVRANGE', 0, 0 },
  { 'ZREMRANGEBYRANK', 0, 0 },
  { 'DEL' },
}) do
  try(unpack(command))
end
return lacking
