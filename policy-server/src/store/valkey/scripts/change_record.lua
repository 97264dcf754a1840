-- ARGV: 2 kind, 3 name, 4 the expected version, 5 "set" or "remove", 6 value, 7 expires ("" for never),
-- 8 event ("" for none), 9 the version of a record that is made.
local values, versions = P .. 'record:value:' .. ARGV[2], P .. 'record:version:' .. ARGV[2]
if (redis.call('HGET', versions, ARGV[3]) or '0') ~= ARGV[4] then return 0 end
local expiry = ARGV[2] .. ':' .. ARGV[3]
redis.call('ZREM', P .. 'record:expires', expiry)
if ARGV[5] == 'set' then
    redis.call('HSET', values, ARGV[3], ARGV[6])
    if ARGV[4] == '0' then
        redis.call('HSET', versions, ARGV[3], ARGV[9])
    else
        redis.call('HINCRBY', versions, ARGV[3], 1)
    end
    if ARGV[7] ~= '' then redis.call('ZADD', P .. 'record:expires', ARGV[7], expiry) end
else
    redis.call('HDEL', values, ARGV[3])
    redis.call('HDEL', versions, ARGV[3])
end
if ARGV[8] ~= '' then announce(ARGV[8]) end
return 1
