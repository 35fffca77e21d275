-- What is due of some partitions, of each the earliest first; what an older callgate has had to do is taken
-- over from it when it is due.
--
-- KEYS: the due things of each partition, and then those of older callgates, twice
-- ARGV: now, how many are wanted of all together, how many waiting deadlines to look at
-- Answers the moment from which on there may be more (empty: there is none), and of how many of the keys callgate
-- did not write what is there; then member, moment, member, moment and so on, in no order: the earliest of all, and
-- some others.
--
-- Deadlines that were far when they were set wait in lists, each named by the moment since when they are to
-- be among the due things, and `f:` and that is among those. What stands with the call itself counts.

local partitions, wanted = #KEYS / 3, tonumber(ARGV[2])
local foreign, foreign_count = {}, 0

-- Asks of one key; where something of another type lies there, nothing is the answer, and nobody has to wait for it
-- elsewhere.
local function ask(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then
    return answer or {}
  end
  if not string.find(answer.err, 'WRONGTYPE', 1, true) then
    return redis.call(command, key, ...)
  end
  if not foreign[key] then
    foreign[key], foreign_count = true, foreign_count + 1
  end
  return {}
end

local function id_of(bytes)
  local digits = string.gsub(bytes, '.', function(byte)
    return string.format('%02x', string.byte(byte))
  end)
  return string.gsub(digits, '^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)', '%1-%2-%3-%4-')
end

local function wait_no_more(due, since)
  local partition = string.match(due, '^.*}:')
  local waiting = partition .. 'far:' .. since
  for _, bytes in ipairs(ask('LPOP', waiting, ARGV[3])) do
    local call = id_of(bytes)
    -- The longest number and its colon, a turn, a deadline.
    local head = redis.pcall('GETRANGE', partition .. 'call:' .. call, 0, 44)
    local turn = type(head) == 'string' and string.match(head, '^%d+:()')
    if turn and #head >= turn + 23 then
      local at = struct.unpack('>I8', head, turn + 16)
      if at > 0 then
        redis.call('ZADD', due, 'NX', string.format('%.0f', at), 'd:' .. call)
      end
    end
  end
  if redis.call('EXISTS', waiting) == 0 then
    redis.call('ZREM', due, 'f:' .. since)
  end
end

local function head(key, after, most)
  return ask('ZRANGEBYSCORE', key, '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', after, most)
end

local function take_over(older, key)
  local found = head(older, 0, wanted)
  if #found == 0 then
    return
  end
  local ttl = redis.call('PTTL', older)
  for j = 1, #found, 2 do
    if type(ask('ZADD', key, 'NX', found[j + 1], found[j])) == 'table' then
      return
    end
    redis.call('ZREM', older, found[j])
  end
  if redis.call('PTTL', key) < ttl then
    redis.call('PEXPIRE', key, ttl)
  end
end

if redis.call('EXISTS', unpack(KEYS, partitions + 1)) > 0 then
  for i = 1, 2 * partitions do
    take_over(KEYS[partitions + i], KEYS[(i - 1) % partitions + 1])
  end
end

local due, moments, rest = { '', '' }, {}, {}

local function add(found)
  for j = 1, #found, 2 do
    if string.sub(found[j], 1, 2) ~= 'f:' then
      due[#due + 1] = found[j]
      due[#due + 1] = found[j + 1]
      moments[#moments + 1] = tonumber(found[j + 1])
    end
  end
end

-- Where much is due it is spread over all partitions: a few of each are most often enough.
local few = math.min(wanted, math.ceil(wanted / partitions) + 1)
for i = 1, partitions do
  local key = KEYS[i]
  local found, waited = head(key, 0, few), false
  for j = 1, #found, 2 do
    local since = string.match(found[j], '^f:(%d+)$')
    if since then
      wait_no_more(key, since)
      waited = true
    end
  end
  if waited then
    found = head(key, 0, few)
  end
  add(found)
  if #found == 2 * few then
    rest[#rest + 1] = { key = key, after = few, at = tonumber(found[#found]) }
  end
end

-- What follows in a partition is looked at while it may be earlier than the last that is wanted.
table.sort(moments)
local last = moments[wanted]
local more = last and few or wanted
last = last or math.huge
local from = math.huge
for _, of in ipairs(rest) do
  while of.after < wanted and of.at <= last do
    local found = head(of.key, of.after, more)
    add(found)
    of.after, of.at = of.after + more, #found == 2 * more and tonumber(found[#found]) or math.huge
  end
  from = math.min(from, of.at)
end
if from < math.huge then
  due[1] = string.format('%.0f', from)
end
due[2] = string.format('%.0f', foreign_count)
return due
