-- ARGV: pairs of id and time, from 2. Nothing grows by it, so it is done also when memory is full, or sessions
-- that are in use would be forgotten: a script that has begun with what frees memory may go on to write.
for index = 2, #ARGV, 2 do
    local id, key = ARGV[index], P .. 'session:' .. ARGV[index]
    local known = redis.call('HMGET', key, 'access', 'idle', 'expires')
    if known[1] then
        local access = math.max(tonumber(known[1]), tonumber(ARGV[index + 1]))
        local idle, ends = tonumber(known[2]), tonumber(known[3])
        if idle > 0 then ends = math.min(ends, access + 2 * idle) end
        ends = string.format('%.0f', ends)
        redis.call('ZREM', P .. 'ends', id)
        redis.call('HSET', key, 'access', string.format('%.0f', access), 'ends', ends)
        redis.call('ZADD', P .. 'ends', ends, id)
    end
end
return 1
