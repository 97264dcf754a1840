-- ARGV: 2 user, 3 through, 4 keep_until, 5 event.
local through = math.max(tonumber(redis.call('HGET', P .. 'users', ARGV[2]) or '0'), tonumber(ARGV[3]))
redis.call('HSET', P .. 'users', ARGV[2], string.format('%.0f', through))
redis.call('ZADD', P .. 'users:keep', 'GT', ARGV[4], ARGV[2])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'of:' .. ARGV[2], '-inf', ARGV[3])) do forget(id) end
announce(ARGV[5])
return 1
