-- Before every other script. Identity first: a store that was exchanged is not asked anything.
-- All keys share one hash tag, so that they are in one place of a cluster. Ids are in hexadecimal,
-- which sorts as the ids do.
local P = '{doorward}:'
if redis.call('GET', P .. 'identity') ~= ARGV[1] then
    return redis.error_reply('REPLACED this is another store')
end

-- Feed: numbers without holes, in the order of the scripts.
local function announce(event)
    local number = redis.call('INCR', P .. 'feed:end')
    redis.call('XADD', P .. 'feed', 'MAXLEN', '~', '100000', number .. '-0', 'event', event)
end

-- Session hash: user, name, summary, access, expires, idle, ends.
local function forget(id)
    local key = P .. 'session:' .. id
    local owner = redis.call('HMGET', key, 'user', 'name')
    if owner[1] then
        redis.call('ZREM', P .. 'of:' .. owner[1], id)
        redis.call('ZREM', P .. 'named:' .. owner[2], id)
        redis.call('DEL', key, P .. 'properties:' .. id)
    end
    redis.call('ZREM', P .. 'started', id)
    redis.call('ZREM', P .. 'ends', id)
end

local function revoke(id, keep_until, event)
    local new = redis.call('ZADD', P .. 'revoked', 'NX', keep_until, id)
    forget(id)
    if new == 1 then announce(event) end
    return new
end

local function properties(id)
    return redis.call('HGETALL', P .. 'properties:' .. id)
end
