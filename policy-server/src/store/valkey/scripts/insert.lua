-- ARGV: 2 now, 3 id, 4 user, 5 name, 6 started, 7 expires, 8 ends, 9 idle, 10 access, 11 summary,
-- 12 quota (-1 for none), 13 "refuse", "oldest" or "next", 14 margin, 15 and 16 the event of a revocation
-- before and after the id, 17 how many sessions are replaced, then id, keep_until and event of each, then
-- the id as events name it, then name and value of each property.
local now, id = tonumber(ARGV[2]), ARGV[3]
local key = P .. 'session:' .. id
if redis.call('EXISTS', key) == 1 then
    return redis.error_reply('ERR there is a session of this id')
end
local replaced = {}
for index = 18, 17 + 3 * tonumber(ARGV[17]), 3 do replaced[ARGV[index]] = true end

local gives_way = {}
local quota = tonumber(ARGV[12])
if quota >= 0 then
    local others = {}
    for _, other in ipairs(redis.call('ZRANGE', P .. 'of:' .. ARGV[4], 0, -1)) do
        local times = redis.call('HMGET', P .. 'session:' .. other, 'ends', 'expires')
        if times[1] and tonumber(times[1]) > now and not replaced[other] then
            table.insert(others, { id = other, ends = tonumber(times[1]), expires = tonumber(times[2]) })
        end
    end
    local excess = #others + 1 - quota
    if excess > 0 and ARGV[13] == 'refuse' then return { 'over quota' } end
    if ARGV[13] == 'next' then
        table.sort(others, function(one, other)
            return one.ends < other.ends or (one.ends == other.ends and one.id < other.id)
        end)
    end
    for index = 1, math.min(excess, #others) do table.insert(gives_way, others[index]) end
end

for index = 18, 17 + 3 * tonumber(ARGV[17]), 3 do
    revoke(ARGV[index], ARGV[index + 1], ARGV[index + 2])
end
local answer = { 'kept' }
for _, other in ipairs(gives_way) do
    -- The event names the session in base64, as the summary does.
    local name = redis.call('HGET', P .. 'session:' .. other.id, 'text')
    revoke(other.id, string.format('%.0f', other.expires + tonumber(ARGV[14])), ARGV[15] .. name .. ARGV[16])
    table.insert(answer, other.id)
end
redis.call('HSET', key, 'user', ARGV[4], 'name', ARGV[5], 'expires', ARGV[7], 'ends', ARGV[8],
    'idle', ARGV[9], 'access', ARGV[10], 'summary', ARGV[11], 'text', ARGV[18 + 3 * tonumber(ARGV[17])])
for index = 19 + 3 * tonumber(ARGV[17]), #ARGV, 2 do
    redis.call('HSET', P .. 'properties:' .. id, ARGV[index], ARGV[index + 1])
end
redis.call('ZADD', P .. 'of:' .. ARGV[4], ARGV[6], id)
if ARGV[5] ~= ARGV[4] then redis.call('ZADD', P .. 'named:' .. ARGV[5], ARGV[6], id) end
redis.call('ZADD', P .. 'started', ARGV[6], id)
redis.call('ZADD', P .. 'ends', ARGV[8], id)
return answer
