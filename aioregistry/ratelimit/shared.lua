-- The quota of one token, for all who share it: one step, in which a worker tells what became of
-- its requests and asks for permits. Times are this server's, in seconds.
--
-- KEYS: requests in flight (a permit and when its lease ends), answered requests (and when), the
-- state, permits granted to each worker, workers that wait (and until when they are expected to ask
-- again), those of them for whom people wait, all workers (and when they were heard of), interactive
-- requests (and when they were made), then for each window requests of others (and when they leave
-- it).
-- ARGV: what `RedisLimiter` asks, as JSON.

local flight, past, state, served, waiting, urgent, workers, people = unpack(KEYS)
local OTHERS = 8
local asked = cjson.decode(ARGV[1])
local windows = asked.windows
local shortest, longest = windows[1].period, windows[#windows].period

local function at(time)
  return string.format('%.6f', time)
end

local function get(field)
  return tonumber(redis.call('HGET', state, field) or 0)
end

local function set(field, value)
  redis.call('HSET', state, field, at(value))
end

-- Time never goes back: where the clock did, as after a failover, the difference is kept.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6 + get('offset')
local last = get('tokens_at')
if now < last then
  if last - now > 0.01 then set('offset', get('offset') + last - now) end
  now = last
end

local function close_until(time)
  set('closed_until', math.max(get('closed_until'), time))
  set('probing', 1)
end

local function next_number(count)
  return redis.call('HINCRBY', state, 'numbers', count)
end

-- Requests of others leave a window evenly from one time on until another.
local function add_others(nth, count, first, last)
  count = math.min(count, windows[nth].limit)
  for each = 0, count - 1 do
    local leaves = first + each * (last - first) / count
    redis.call('ZADD', KEYS[OTHERS + nth], at(leaves), 'other:' .. next_number(1))
  end
end

local function others(nth)
  return redis.call('ZCARD', KEYS[OTHERS + nth])
end

local function in_flight()
  return redis.call('ZCARD', flight)
end

local function used_since(nth, moment)
  return in_flight() + redis.call('ZCOUNT', past, '(' .. at(moment - windows[nth].period), '+inf')
end

-- Where all this was lost, a worker remembers that it was there: what was sent in the last of the
-- shortest windows nobody knows, and of the longer ones the first answer will tell.
local epoch = redis.call('HGET', state, 'epoch')
if not epoch then
  epoch = asked.worker .. '@' .. at(now)
  redis.call('HSET', state, 'epoch', epoch)
  set('probing', 1)
end
if asked.epoch ~= '' and asked.epoch ~= epoch or asked.was_alone then
  close_until(now + shortest)
end

-- Redis may evict one key and keep the others: the state knows how much each of them had.
local counted = {flight, past}
for nth in ipairs(windows) do counted[#counted + 1] = KEYS[OTHERS + nth] end
for nth, key in ipairs(counted) do
  if redis.call('ZCARD', key) ~= get('count:' .. nth) then close_until(now + shortest) end
end

-- A permit whose lease has ended was its worker's last: it may have been used until then.
for _, permit in ipairs(redis.call('ZRANGEBYSCORE', flight, '-inf', at(now))) do
  redis.call('ZADD', past, redis.call('ZSCORE', flight, permit), permit)
  redis.call('ZREM', flight, permit)
end
redis.call('ZREMRANGEBYSCORE', past, '-inf', at(now - longest - asked.lease))
for nth in ipairs(windows) do
  redis.call('ZREMRANGEBYSCORE', KEYS[OTHERS + nth], '-inf', at(now))
end

-- What the server says of a request closes the gate for all, and tells of others.
local function close(word)
  local nth = #windows
  if word.retry_after then
    for each = #windows, 1, -1 do
      if word.retry_after <= windows[each].period then nth = each end
    end
  end
  local window = windows[nth]
  local delay = math.min(word.retry_after or word.reset_after or 1, window.period)
  add_others(nth, window.limit - used_since(nth, now) - others(nth), now + delay, now + window.period)
  close_until(now + delay)
end

local seen
for _, word in ipairs(asked.over) do
  redis.call('ZREM', flight, word.permit)
  if word.sent and word.status ~= 429 then
    redis.call('ZADD', past, 'GT', at(now), word.permit)
  else
    redis.call('ZREM', past, word.permit)
  end
  if word.status == 429 then
    close(word)
  elseif word.status then
    if now >= get('closed_until') then set('probing', 0) end
    local nth = #windows
    if word.remaining and (word.limit or windows[nth].limit) == windows[nth].limit then
      local surely = windows[nth].limit - word.remaining - used_since(nth, now - word.took)
      seen = math.max(seen or 0, surely)
      local reset = math.min(word.reset_after or 0, longest)
      add_others(nth, surely - others(nth), now + reset, now + longest)
    end
  end
end
if seen and in_flight() == 0 then
  -- Nothing is under way that could hide it: others have no more than that.
  local key = KEYS[OTHERS + #windows]
  local surplus = redis.call('ZCARD', key) - seen
  if surplus > 0 then redis.call('ZREMRANGEBYRANK', key, 0, surplus - 1) end
end

-- What bulk work leaves of a window to people: a share, or what they need at today's rate.
redis.call('ZREMRANGEBYSCORE', people, '-inf', at(now - longest))
local made = redis.call('ZCARD', people)
local function held(nth)
  local window = windows[nth]
  local reserve = window.reserve
  if not reserve then
    if made == 0 then return 0 end
    local rate = asked.margin * made / math.min(longest, now - get('people_since') + shortest)
    reserve = math.min(window.least_reserve + math.ceil(rate * window.period), window.most_reserve)
  end
  local lately = redis.call('ZCOUNT', people, '(' .. at(now - window.period), '+inf')
  return math.max(0, reserve - lately)
end

-- What is free, and when the next is.
local free, wait, report = math.huge, 0, {}
local free_for_bulk, wait_for_bulk = math.huge, 0
for nth, window in ipairs(windows) do
  local used, theirs = used_since(nth, now), others(nth)
  local room = math.min(window.share - used, window.limit - used - theirs)
  if theirs > 0 then room = room - in_flight() end
  local left = held(nth)
  free, free_for_bulk = math.min(free, room), math.min(free_for_bulk, room - left)
  report[nth] = {used, theirs, math.max(0, room), left}
  if room - left <= 0 then
    local next_free = asked.poll
    local oldest = redis.call(
      'ZRANGEBYSCORE', past, '(' .. at(now - window.period), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if oldest[2] then next_free = tonumber(oldest[2]) + window.period - now end
    local other = redis.call('ZRANGE', KEYS[OTHERS + nth], 0, 0, 'WITHSCORES')
    if other[2] then next_free = math.min(next_free, tonumber(other[2]) - now) end
    wait_for_bulk = math.max(wait_for_bulk, next_free)
    if room <= 0 then wait = math.max(wait, next_free) end
  end
end
if get('probing') == 1 then
  free = math.min(free, 1 - in_flight())
  wait = math.max(wait, asked.poll)
end
local closed_for = get('closed_until') - now
if closed_for > 0 then
  free, wait = 0, closed_for
end
local tokens = math.min(asked.burst, get('tokens') + (now - get('tokens_at')) * asked.burst)
if free > math.floor(tokens) then
  free = math.floor(tokens)
  wait = math.max(wait, (1 - (tokens - free)) / asked.burst)
end
free = math.max(free, 0)
free_for_bulk = math.max(math.min(free_for_bulk, free), 0)
wait_for_bulk = math.max(wait_for_bulk, wait)
local next_free = wait

-- What is free goes to those who wait as water would: who has had least comes first, until all have
-- had the same. What they leave lying, others may take a little later.
redis.call('ZREMRANGEBYSCORE', waiting, '-inf', at(now))
redis.call('ZREMRANGEBYSCORE', urgent, '-inf', at(now))
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', at(now - shortest))) do
  redis.call('ZREM', workers, worker)
  redis.call('HDEL', served, worker)
  redis.call('HDEL', state, 'denied:' .. worker)
end
local urgently = math.min(asked.urgent, free)
local granted = urgently + math.max(0, math.min(asked.want - asked.urgent, free_for_bulk - urgently))
if granted < asked.want and asked.urgent <= granted then wait = wait_for_bulk end
local mine = tonumber(redis.call('HGET', served, asked.worker) or 0)
local since = 'denied:' .. asked.worker
local denied = get(since)
local patient = denied > 0 and now - denied >= asked.patience
local had = {}
for _, worker in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
  if worker ~= asked.worker then
    had[#had + 1] = tonumber(redis.call('HGET', served, worker) or 0)
  end
end
if asked.want > 0 and #had > 0 then
  table.sort(had)
  if not redis.call('ZSCORE', workers, asked.worker) then
    -- Who was away has no claim on what was served meanwhile.
    mine = math.max(mine, had[1])
  end
  if not patient then
    had[#had + 1] = mine
    table.sort(had)
    local sum, level, pool = 0, 0, asked.urgent > 0 and free or free_for_bulk
    for nth, each in ipairs(had) do
      sum = sum + each
      level = math.ceil((pool + sum) / nth)
      if nth == #had or level <= had[nth + 1] then break end
    end
    local fair = math.max(0, level - mine)
    if asked.urgent > 0 then
      fair = math.max(fair, asked.urgent)
    elseif redis.call('ZCARD', urgent) > 0 then
      -- Nobody waits for bulk work, and somebody for that.
      fair = 0
    end
    if fair < granted then
      granted, wait = fair, asked.patience
      if denied == 0 then set(since, now) end
    end
  end
end

if granted > 0 or asked.want == 0 then redis.call('HDEL', state, since) end
local first = 0
if granted > 0 then
  first = next_number(granted) - granted + 1
  for number = first, first + granted - 1 do
    redis.call('ZADD', flight, at(now + asked.lease), 'permit:' .. number)
  end
end
local beside_bulk = now < get('bulk_at') + shortest
if asked.want > asked.urgent then set('bulk_at', now) end
if granted > 0 and asked.urgent > 0 and (windows[1].reserve or beside_bulk) then
  if made == 0 then set('people_since', now) end
  for number = first, first + math.min(granted, asked.urgent) - 1 do
    redis.call('ZADD', people, at(now), 'permit:' .. number)
  end
end
redis.call('HSET', served, asked.worker, mine + granted)
redis.call('ZADD', workers, at(now), asked.worker)
set('tokens', tokens - granted)
set('tokens_at', now)
if asked.want > 0 then
  -- It asks again after its nap, or soon for the requests that follow; or it is dead, or done.
  local nap = granted < asked.want and math.min(wait, asked.nap) or 0
  redis.call('ZADD', waiting, at(now + nap + asked.stale), asked.worker)
  if asked.urgent > granted then
    redis.call('ZADD', urgent, at(now + nap + asked.stale), asked.worker)
  else
    redis.call('ZREM', urgent, asked.worker)
  end
end
for nth, key in ipairs(counted) do
  redis.call('HSET', state, 'count:' .. nth, redis.call('ZCARD', key))
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, math.ceil(1000 * (longest + 2 * asked.lease)))
end

return cjson.encode({
  epoch = epoch,
  first = first,
  granted = granted,
  wait = math.max(wait, 0),
  next_free = math.max(next_free, 0),
  windows = report,
})
