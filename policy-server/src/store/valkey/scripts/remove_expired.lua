-- ARGV: 2 now. Forgets a thousand sessions at a time; says how many there were.
local ids = redis.call('ZRANGEBYSCORE', P .. 'ends', '-inf', ARGV[2], 'LIMIT', 0, 1000)
for _, id in ipairs(ids) do forget(id) end
redis.call('ZREMRANGEBYSCORE', P .. 'revoked', '-inf', ARGV[2])
for _, user in ipairs(redis.call('ZRANGEBYSCORE', P .. 'users:keep', '-inf', ARGV[2], 'LIMIT', 0, 1000)) do
    redis.call('HDEL', P .. 'users', user)
    redis.call('ZREM', P .. 'users:keep', user)
end
local all = redis.call('HGET', P .. 'all', 'keep_until')
if all and tonumber(all) <= tonumber(ARGV[2]) then redis.call('DEL', P .. 'all') end
for _, record in ipairs(redis.call('ZRANGEBYSCORE', P .. 'record:expires', '-inf', ARGV[2], 'LIMIT', 0, 1000)) do
    local kind, name = string.match(record, '^([^:]*):(.*)$')
    redis.call('HDEL', P .. 'record:value:' .. kind, name)
    redis.call('HDEL', P .. 'record:version:' .. kind, name)
    redis.call('ZREM', P .. 'record:expires', record)
end
return #ids
