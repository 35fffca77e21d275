-- The least that a server with a memory can do: compare the version, keep the state.
local held = redis.call('GET', KEYS[1])
local version = held and string.match(held, '^(%d+):') or '0'
if version ~= ARGV[1] then
  return 'conflict'
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', 3600)
return 'ok'
