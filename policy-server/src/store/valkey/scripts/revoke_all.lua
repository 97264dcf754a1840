-- ARGV: 2 through, 3 keep_until, 4 event. The sessions themselves go with `forget_revoked`: there may
-- be a million, and nobody else is served while a script runs.
local known = redis.call('HMGET', P .. 'all', 'through', 'keep_until')
local through = math.max(tonumber(known[1] or '0'), tonumber(ARGV[2]))
local keep_until = math.max(tonumber(known[2] or '0'), tonumber(ARGV[3]))
redis.call('HSET', P .. 'all', 'through', string.format('%.0f', through),
    'keep_until', string.format('%.0f', keep_until))
announce(ARGV[4])
return 1
